/** Accept-Encoding (RFC 9110, 12.5.3), as the C server reads it (handlers/respond/accept.h). */

/** Cloudflare's edge replaces the header, and tells here what it was. */
function acceptEncoding(request: Request): string | null {
	const told: unknown = request.cf?.clientAcceptEncoding;
	return typeof told === "string" ? told : request.headers.get("Accept-Encoding");
}

const plain = (coding: string): string => coding.trim().toLowerCase().replace(/^x-(?=(gzip|compress)$)/, "");

/** From 0 to 1; null: the request does not say. */
export function quality(request: Request, coding: string): number | null {
	const header = acceptEncoding(request);
	if (header === null) return null;
	let ofAny: number | undefined;
	for (const element of header.split(",")) {
		const [found = "", ...parameters] = element.split(";");
		const given = parameters.map((text) => /^[ \t]*q=[ \t]*(\S*)[ \t]*$/i.exec(text)?.[1]).find((text) => text !== undefined);
		if (given !== undefined && !/^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(given)) continue;
		const weight = given === undefined ? 1 : Number(given);
		if (plain(found) === plain(coding)) return weight;
		if (found.trim() === "*") ofAny ??= weight;
	}
	return ofAny ?? (plain(coding) === "identity" ? 0.001 : 0);
}

/** Of all codings of a Content-Encoding. */
export function qualityOfAll(request: Request, codings: string): number | null {
	const weights = codings.split(",").filter((coding) => coding.trim() !== "").map((coding) => quality(request, coding));
	return weights.some((weight) => weight === null) ? null : Math.min(1, ...weights.map(Number));
}
