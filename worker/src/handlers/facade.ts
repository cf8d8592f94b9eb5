/** What build tools want of their own caches; their artifacts are entries (context.ts: entryOf). */
import { jsonResponse } from "../http/json";
import { HttpError } from "../http/problem";
import type { Call } from "./context";
import { putValue } from "./entry_write";

/** With --preflight Turborepo sends its token only if the answer to OPTIONS has these. */
export const TURBOREPO_HEADERS =
	"Authorization, Content-Type, User-Agent, X-Artifact-Client-CI, X-Artifact-Client-Interactive, " +
	"X-Artifact-Duration, X-Artifact-Tag";

export function turborepoStatus(): Response {
	return jsonResponse('{"status":"enabled"}');
}

/** How often and how long: /stats tells it of all clients. */
export function turborepoEvents(): Response {
	return jsonResponse("{}");
}

/** What is there stays (409), and success is 200. */
export async function nxPut(c: Call): Promise<Response> {
	try {
		const { etag } = await putValue(c, { kind: "absent", etags: [] });
		return new Response(null, { status: 200, ...(etag ? { headers: { ETag: `"${etag}"` } } : {}) });
	} catch (error) {
		if (error instanceof HttpError && error.status === 412)
			throw new HttpError(409, "the cache has this artifact already, and it stays");
		throw error;
	}
}
