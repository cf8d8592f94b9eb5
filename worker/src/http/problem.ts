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
	411: "Length Required",
	412: "Precondition Failed",
	413: "Content Too Large",
	414: "URI Too Long",
	415: "Unsupported Media Type",
	416: "Range Not Satisfiable",
	500: "Internal Server Error",
	503: "Service Unavailable",
	507: "Insufficient Storage",
};

/** {"error"} on /api and /ops, a problem document (RFC 9457) with an `error` member elsewhere. */
export function errorResponse(path: string, error: HttpError): Response {
	const plain = /^\/(api|ops)(\/|$)/.test(path);
	const body = plain
		? { error: error.message }
		: {
				type: "about:blank",
				title: TITLES[error.status] ?? "Error",
				status: error.status,
				detail: error.message,
				error: error.message,
			};
	const headers = new Headers(error.headers);
	headers.set("Content-Type", plain ? "application/json; charset=UTF-8" : "application/problem+json");
	return new Response(JSON.stringify(body), { status: error.status, headers });
}
