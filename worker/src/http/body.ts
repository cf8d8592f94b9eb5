/** Bodies, read up to a limit: an isolate has 128 MB for all of its requests. */
import { HttpError } from "./problem";

/** Limit of a JSON body; a batch may hold many values. */
export const JSON_MAX_BYTES = 33554432;
/** Unread bodies up to this length are drained, or the runtime would close the connection. */
const DRAIN_MAX_BYTES = 1048576;

/** The body; null if it is longer than `max`. */
async function readUpTo(request: Request, max: number): Promise<Uint8Array | null> {
	if (!request.body) return new Uint8Array();
	if (Number(request.headers.get("Content-Length") ?? 0) > max) return null;
	const chunks: Uint8Array[] = [];
	let length = 0;
	const reader = (request.body as ReadableStream<Uint8Array>).getReader();
	for (;;) {
		const { done, value } = await reader.read();
		if (done) break;
		chunks.push(value);
		length += value.length;
		if (length > max) {
			await reader.cancel();
			return null;
		}
	}
	const bytes = new Uint8Array(length);
	let at = 0;
	for (const chunk of chunks) {
		bytes.set(chunk, at);
		at += chunk.length;
	}
	return bytes;
}

export async function readBody(request: Request, max: number, what: string): Promise<Uint8Array> {
	const bytes = await readUpTo(request, max);
	if (!bytes) throw new HttpError(413, `the body has more than ${max} bytes, ${what}`);
	return bytes;
}

export async function drain(request: Request): Promise<void> {
	if (request.body && !request.bodyUsed) await readUpTo(request, DRAIN_MAX_BYTES);
}
