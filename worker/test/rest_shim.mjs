// A shim of Cloudflare's D1 REST API, with its documented limits, on a local D1:
//   POST /accounts/{account}/d1/database/{database}/query
//   {"sql","params"} or {"batch":[{"sql","params"},...]}; a batch is one transaction.
// It is a Worker of its own beside the one under test (runtime.mjs): bindings DB and TOKEN.

const PARAMS_MAX = 100;
const SQL_MAX_BYTES = 100000;
const VALUE_MAX_BYTES = 2000000;
const BODY_MAX_BYTES = 100 * 1048576;

const bytesOf = (text) => new TextEncoder().encode(text).length;

class Refusal extends Error {
	constructor(status, code, message) {
		super(message);
		this.status = status;
		this.code = code;
	}
}

function check({ sql, params = [] }) {
	if (typeof sql !== "string" || sql.trim() === "")
		throw new Refusal(400, 7400, "The request is malformed: sql must be a string");
	if (bytesOf(sql) > SQL_MAX_BYTES)
		throw new Refusal(400, 7500, "statement too long: SQLITE_TOOBIG");
	if (!Array.isArray(params)) throw new Refusal(400, 7400, "The request is malformed: params must be an array");
	if (params.length > PARAMS_MAX) throw new Refusal(400, 7500, "too many SQL variables: SQLITE_ERROR");
	for (const param of params) {
		if (param !== null && !["string", "number", "boolean"].includes(typeof param))
			throw new Refusal(400, 7400, "The request is malformed: params must be strings, numbers or null");
		if (typeof param === "string" && bytesOf(param) > VALUE_MAX_BYTES)
			throw new Refusal(400, 7500, "string or blob too big: SQLITE_TOOBIG");
	}
}

async function readBody(request) {
	const bytes = await request.arrayBuffer();
	if (bytes.byteLength > BODY_MAX_BYTES) throw new Refusal(413, 7400, "Request entity too large");
	try {
		return JSON.parse(new TextDecoder().decode(bytes));
	} catch {
		throw new Refusal(400, 7400, "The request is malformed: Request is malformed");
	}
}

async function answer(db, token, request) {
	if (request.headers.get("Authorization") !== `Bearer ${token}`) throw new Refusal(401, 10000, "Authentication error");
	if (!/^(\/client\/v4)?\/accounts\/[^/]+\/d1\/database\/[^/]+\/query$/.test(new URL(request.url).pathname))
		throw new Refusal(404, 7003, "Could not route to the path");
	if (request.method !== "POST") throw new Refusal(405, 10405, "Method not allowed for this authentication scheme");
	const body = await readBody(request);
	const queries = Array.isArray(body?.batch) ? body.batch : [body];
	if (queries.length === 0) throw new Refusal(400, 7400, "The request is malformed: batch is empty");
	for (const query of queries) check(query ?? {});
	try {
		const results = await db.batch(
			queries.map(({ sql, params = [] }) =>
				params.length ? db.prepare(sql).bind(...params) : db.prepare(sql),
			),
		);
		return results.map(({ results: rows, success, meta }) => ({ results: rows, success, meta }));
	} catch (error) {
		throw new Refusal(400, 7500, String(error.message).replace(/^D1_ERROR: /, ""));
	}
}

export default {
	async fetch(request, env) {
		let status = 200;
		let document;
		try {
			const result = await answer(env.DB, env.TOKEN, request);
			document = { result, success: true, errors: [], messages: [] };
		} catch (error) {
			status = error.status ?? 500;
			const code = Number.isInteger(error.code) ? error.code : 7500;
			document = { result: [], success: false, errors: [{ code, message: error.message }], messages: [] };
		}
		return Response.json(document, { status });
	},
};
