/** The token: as a bearer token, checked as the original Worker does (docs of the D1 proxy API), or as the
 * password of HTTP Basic (RFC 7617), which is all that some build tools can send. */
import { base64, sha256, unbase64, utf8 } from "../bytes";
import { errorResponse, HttpError } from "./problem";

/** Most bytes of user name, colon and password. */
const BASIC_MAX_BYTES = 4096;

function isBrowser(headers: Headers): boolean {
	return (
		["Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest"].some((name) => headers.has(name)) ||
		/^mozilla\//i.test(headers.get("User-Agent") ?? "")
	);
}

/** Digests have equal lengths, so the time reveals neither length nor content of the token. */
async function equal(a: Uint8Array, b: Uint8Array): Promise<boolean> {
	const [left, right] = await Promise.all([sha256(a), sha256(b)]);
	let difference = 0;
	for (let i = 0; i < left.length; i++) difference |= (left[i] ?? 0) ^ (right[i] ?? 0);
	return difference === 0;
}

/** What follows the first colon of the credentials; empty if there is no such. */
function password(credentials: string): Uint8Array {
	const bytes = unbase64(credentials);
	if (!bytes || bytes.length > BASIC_MAX_BYTES || base64(bytes) !== credentials) return new Uint8Array();
	const colon = bytes.indexOf(0x3a);
	return colon < 0 ? new Uint8Array() : bytes.subarray(colon + 1);
}

/** A browser that once asked its user sends name and password with whatever any page asks for. */
function isForeign(request: Request): boolean {
	const site = request.headers.get("Sec-Fetch-Site");
	const origin = request.headers.get("Origin");
	return (
		(site !== null && site !== "same-origin" && site !== "none") ||
		(origin !== null && origin !== new URL(request.url).origin)
	);
}

/** Null if the request may pass. A scheme that is not known is 400 on /api, as in the original,
 * and elsewhere a 401. */
export async function checkToken(key: string | undefined, request: Request, path: string): Promise<Response | null> {
	const { headers } = request;
	const header = headers.get("Authorization");
	const isApi = /^\/api(\/|$)/.test(path);
	const refuse = (status: 400 | 401, challenge: string): Response => {
		const refused = new Headers({ "Content-Type": "text/plain", "WWW-Authenticate": challenge });
		if (status === 401 && !isApi && !isBrowser(headers))
			refused.append("WWW-Authenticate", 'Basic realm="steadycache", charset="UTF-8"');
		return new Response(status === 401 ? "Unauthorized" : "Bad Request", { status, headers: refused });
	};
	if (!key)
		throw new HttpError(503, "the Worker has no API key; set one: npx wrangler secret put API_KEY", {
			"Retry-After": "60",
		});
	const [, scheme = "", rest = ""] = /^(bearer|basic)(?: +(.*))?$/i.exec(header ?? "") ?? [];
	const isBasic = scheme.toLowerCase() === "basic";
	if (header === null || (scheme === "" && !isApi)) return refuse(401, 'Bearer realm=""');
	if (isBasic && isForeign(request))
		return errorResponse(path, new HttpError(403, "a page of another site may not use what a browser remembers for this one"));
	const given = isBasic ? password(rest) : utf8(rest);
	const isRight = given.length > 0 && (await equal(given, utf8(key)));
	if (isRight) return null;
	/* The runtime joins several lines to one list. */
	const isRepeated = /, *(bearer|basic) /i.test(header);
	if (isRepeated || (isApi ? isBasic || rest === "" : !isBasic && rest === "")) return refuse(400, 'Bearer error="invalid_request"');
	return refuse(401, 'Bearer error="invalid_token"');
}
