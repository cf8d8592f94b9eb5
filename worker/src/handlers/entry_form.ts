/** In which form a client gets a value that is encoded (RFC 9110, 12.5.3), as the C server chooses it. */
import { quality, qualityOfAll } from "../http/accept";
import { decode, isDecodable } from "../http/coding";
import type { EtagForm } from "../http/conditions";
import { HttpError } from "../http/problem";
import type { ItemResult } from "../op_types";
import { decodedBytes } from "./values";

export interface SentForm {
	/** Of the ETag. */
	tag: EtagForm;
	/** What is sent, if it is whole in memory. */
	bytes: Uint8Array;
	/** What is sent in place of that. */
	decoded: ReadableStream<Uint8Array> | null;
	/** The form depends on Accept-Encoding. */
	varies: boolean;
}

function refuse(coding: string, reason: string): HttpError {
	return new HttpError(406, `the value is encoded with ${coding}, which the request does not accept, and ${reason}`, {
		Vary: "Accept-Encoding",
	});
}

/** A value that a server compressed: as it is kept to who would rather have that, else decoded. */
async function formOfCompressed(request: Request, item: ItemResult, bytes: Uint8Array): Promise<SentForm> {
	const [zstd, identity] = [quality(request, "zstd") ?? 0, quality(request, "identity") ?? 1];
	if (zstd > 0 && zstd >= identity) return { tag: "-zstd", bytes, decoded: null, varies: true };
	if (identity > 0) return { tag: "", bytes: await decodedBytes(item, bytes), decoded: null, varies: true };
	throw refuse("zstd", "it accepts no decoded bytes (identity) either");
}

/** A value with a Content-Encoding of its own. */
async function formOfEncoded(request: Request, own: string, bytes: Uint8Array): Promise<SentForm> {
	const asItIs: SentForm = { tag: "", bytes, decoded: null, varies: true };
	const weight = qualityOfAll(request, own);
	if (weight !== null && weight > 0) return asItIs;
	const canDecode = isDecodable(own);
	const decoded = canDecode && quality(request, "identity") !== 0 ? await decode(own, bytes) : null;
	if (decoded) return { tag: "-identity", bytes, decoded, varies: true };
	if (weight === null) return asItIs;
	throw refuse(own, canDecode ? "it cannot be decoded for it" : "the Worker can decode gzip and zstd only");
}

export async function chooseForm(request: Request, item: ItemResult, own: string | undefined): Promise<SentForm> {
	const bytes = item.value?.bytes ?? new Uint8Array();
	if (item.form) return formOfCompressed(request, item, bytes);
	return own === undefined ? { tag: "", bytes, decoded: null, varies: false } : formOfEncoded(request, own, bytes);
}
