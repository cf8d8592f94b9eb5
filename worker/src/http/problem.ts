/** Answers other than success. */

/** A refusal; src/index.ts catches it. */
export class HttpError extends Error {
	constructor(
		readonly status: number,
		message: string,
		readonly headers: Record<string, string> = {},
	) {
		super(message);
	}
}

const TITLES: Record<number, string> = {
	400: "Bad Request",
	401: "Unauthorized",
	403: "Forbidden",
	404: "Not Found",
	405: "Method Not Allowed",
	406: "Not Acceptable",
	409: "Conflict",
	411: "Length Required",
	412: "Precondition Failed",
	413: "Content Too Large",
	414: "URI Too Long",
	415: "Unsupported Media Type",
	416: "Range Not Satisfiable",
	431: "Request Header Fields Too Large",
	500: "Internal Server Error",
	503: "Service Unavailable",
	507: "Insufficient Storage",
};

/** As Turborepo wants it on its paths, {"error"} on /api and /ops, a problem document (RFC 9457) with an `error` member elsewhere. */
export function errorResponse(path: string, error: HttpError): Response {
	const isTurborepo = /^(\/cache\/[^/]+)?\/v8\/artifacts\//.test(path);
	const plain = isTurborepo || /^\/(api|ops)(\/|$)/.test(path);
	const title = TITLES[error.status] ?? "Error";
	const body = isTurborepo
		? { error: { code: title.toLowerCase().replaceAll(" ", "_"), message: error.message } }
		: plain
			? { error: error.message }
			: { type: "about:blank", title, status: error.status, detail: error.message, error: error.message };
	const headers = new Headers(error.headers);
	headers.set("Content-Type", plain ? "application/json; charset=UTF-8" : "application/problem+json");
	return new Response(JSON.stringify(body), { status: error.status, headers });
}
