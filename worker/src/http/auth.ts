/** The bearer token, checked as the original Worker does (docs of the D1 proxy API). */
import { sha256, utf8 } from "../bytes";
import { HttpError } from "./problem";

function refuse(status: 400 | 401, challenge: string): Response {
	return new Response(status === 401 ? "Unauthorized" : "Bad Request", {
		status,
		headers: { "Content-Type": "text/plain", "WWW-Authenticate": challenge },
	});
}

/** Digests have equal lengths, so the time reveals neither length nor content of the token. */
async function equal(a: string, b: string): Promise<boolean> {
	const [left, right] = await Promise.all([sha256(utf8(a)), sha256(utf8(b))]);
	let difference = 0;
	for (let i = 0; i < left.length; i++) difference |= (left[i] ?? 0) ^ (right[i] ?? 0);
	return difference === 0;
}

/** Null if the request may pass. A scheme other than Bearer is 400 on /api, as in the original,
 * and elsewhere a 401. */
export async function checkToken(
	key: string | undefined,
	header: string | null,
	isApi: boolean,
): Promise<Response | null> {
	if (!key)
		throw new HttpError(503, "the Worker has no API key; set one: npx wrangler secret put API_KEY", {
			"Retry-After": "60",
		});
	const isBearer = header !== null && /^bearer( |$)/i.test(header);
	if (header === null || (!isBearer && !isApi)) return refuse(401, 'Bearer realm=""');
	const match = /^bearer +(\S.*)$/i.exec(header);
	if (!match) return refuse(400, 'Bearer error="invalid_request"');
	if (!(await equal(match[1] ?? "", key))) return refuse(401, 'Bearer error="invalid_token"');
	return null;
}
