/** Values that servers in front keep compressed, for those who want what they decode to. */
import { etagOf, fromBytes } from "../content";
import { DECODED_MAX_BYTES, unzstd } from "../http/coding";
import { HttpError } from "../http/problem";
import type { ItemResult, KeyItem } from "../op_types";
import { perform } from "./context";
import type { Call } from "./context";

/** What a compressed item decodes to. */
export async function decodedBytes(item: ItemResult, bytes: Uint8Array): Promise<Uint8Array> {
	const decoded = unzstd(bytes);
	if (!decoded)
		throw new HttpError(
			500,
			`the value is compressed, and damaged or longer than ${DECODED_MAX_BYTES} bytes; read it through a server, ` +
				"or write it again",
		);
	if ((await etagOf(fromBytes(decoded))) !== item.etag)
		throw new HttpError(500, "the value is compressed, and does not have its ETag; write it again");
	return decoded;
}

/** The items of a get, all decoded. */
export async function getDecoded(c: Call, ns: string, items: KeyItem[], stale: boolean): Promise<ItemResult[]> {
	const result = await perform(c, { op: "get", ns, touch: true, stale, zstd: true, items });
	let bytes = 0;
	for (const item of result.items ?? []) {
		if (item.form && item.value) {
			item.value = fromBytes(await decodedBytes(item, item.value.bytes));
			delete item.form;
		}
		bytes += item.value?.bytes.length ?? 0;
		if (bytes > DECODED_MAX_BYTES)
			throw new HttpError(
				413,
				`the values have more than ${DECODED_MAX_BYTES} bytes together; ask for fewer keys at a time`,
			);
	}
	return result.items ?? [];
}
