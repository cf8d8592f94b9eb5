/** The bearer token, checked as the original Worker did (docs of the D1 proxy API). */
import { sha256, utf8 } from "../bytes";
import { HttpError } from "./problem";

function refuse(status: 400 | 401, challenge: string): Response {
	return new Response(status === 401 ? "Unauthorized" : "Bad Request", {
		status,
		headers: { "Content-Type": "text/plain", "WWW-Authenticate": challenge },
	});
}

/** Digests have one length, so neither length nor content of the token shows in the time. */
async function equal(a: string, b: string): Promise<boolean> {
	const [left, right] = await Promise.all([sha256(utf8(a)), sha256(utf8(b))]);
	let difference = 0;
	for (let i = 0; i < left.length; i++) difference |= (left[i] ?? 0) ^ (right[i] ?? 0);
	return difference === 0;
}

/** Null where the request may pass. Another scheme is 400 on /api, as ever, and elsewhere one that is asked again. */
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
