/** Content codings that the Worker decodes: gzip and zstd. */
import { zstdDecompressSync } from "node:zlib";

/** Most bytes that a frame of zstd may decode to: an isolate has 128 MB for all of its requests. */
export const DECODED_MAX_BYTES = 33554432;

/** null: it is no zstd, or too long. */
export function unzstd(bytes: Uint8Array): Uint8Array | null {
	try {
		return new Uint8Array(zstdDecompressSync(bytes, { maxOutputLength: DECODED_MAX_BYTES }));
	} catch {
		return null;
	}
}

/** The decoded bytes, and how they begin. */
async function gunzip(bytes: Uint8Array): Promise<ReadableStream<Uint8Array> | null> {
	const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")).getReader();
	try {
		let next = await reader.read();
		return new ReadableStream<Uint8Array>({
			async pull(controller) {
				if (next.done) return controller.close();
				controller.enqueue(next.value as Uint8Array);
				next = await reader.read();
			},
			cancel: (reason) => reader.cancel(reason),
		});
	} catch {
		return null;
	}
}

const named = (coding: string): string => coding.trim().toLowerCase().replace(/^x-/, "");

export const isDecodable = (coding: string): boolean => /^(gzip|zstd)$/.test(named(coding));

/** What the bytes decode to; null: they are not of that coding. */
export async function decode(coding: string, bytes: Uint8Array): Promise<ReadableStream<Uint8Array> | null> {
	if (named(coding) === "gzip") return gunzip(bytes);
	const decoded = unzstd(bytes);
	return decoded && (new Blob([decoded]).stream() as ReadableStream<Uint8Array>);
}
