// DynamoDB for tests: dynalite in this process, and before it what it lacks: signatures that are checked,
// transactions (transactions.mjs), and faults on request.
//
//     node dynamodb.mjs --port PORT [--path FOLDER]
//
// Prints "listening PORT". Without --path the tables are in memory. Keys are those of STEADYCACHE_BED_KEYS,
// JSON as {"ACCESS": {"secret": "...", "token": "..."}}. For tests, unsigned:
//     PUT /bed/keys     the same JSON; with "ended": true, the token has expired
//     PUT /bed/faults   a list of faults (faults.mjs), which replaces the one before
//     PUT /bed/clock    by how many ms the service's clock is ahead
//     GET /bed/figures  how often each call was asked, and which errors were answered
import { createRequire } from "node:module";
import { parseArgs } from "node:util";

import { after, before, faultFor, setFaults } from "./faults.mjs";
import { refusal } from "./sigv4.mjs";
import { CALLS, Refusal, single } from "./transactions.mjs";

const require = createRequire(import.meta.url);
const { values: options } = parseArgs({ options: { port: { type: "string" }, path: { type: "string" } } });

// dynalite does not show its store, which it gets from here.
const db = require("dynalite/db");
const create = db.create;
let store;
db.create = (given) => (store = create(given));

const server = require("dynalite")({ path: options.path, createTableMs: 50, deleteTableMs: 50, updateTableMs: 50 });
const [dynalite] = server.listeners("request");
server.removeAllListeners("request");

let ahead_ms = 0;
let keys = JSON.parse(process.env.STEADYCACHE_BED_KEYS);
const figures = { calls: {}, errors: {} };
const count = (table, name) => (table[name] = (table[name] ?? 0) + 1);

function send(response, status, data) {
	const body = JSON.stringify(data);
	response.statusCode = status;
	response.setHeader("content-type", "application/x-amz-json-1.0");
	response.setHeader("content-length", Buffer.byteLength(body));
	response.end(body);
}

function countError(name, text) {
	const [, type = "", message = ""] = /"__type":"[^"]*#([^"]*)"(?:,"message":"([^"]{0,200}))?/.exec(text) ?? [];
	count(figures.errors, `${name} ${type}: ${message}`);
}

function manage(request, response, body) {
	if (request.url === "/bed/keys" && request.method === "PUT") keys = JSON.parse(body);
	else if (request.url === "/bed/faults" && request.method === "PUT") setFaults(JSON.parse(body));
	else if (request.url === "/bed/clock" && request.method === "PUT") ahead_ms = JSON.parse(body);
	else if (request.url !== "/bed/figures") return send(response, 404, {});
	send(response, 200, figures);
}

/** What the body says if it asks for more than dynalite has: [function, data]. */
function ours(name, body) {
	if (!(name in CALLS) && !body.includes("ReturnValuesOnConditionCheckFailure")) return null;
	let data;
	try {
		data = JSON.parse(body);
	} catch {
		throw new Refusal("com.amazon.coral.service#SerializationException", "no JSON");
	}
	if (name in CALLS) return () => CALLS[name](store, data);
	if (data.ReturnValuesOnConditionCheckFailure !== "ALL_OLD") return null;
	return () => single(store, name, data);
}

async function answer(request, response, body) {
	if (request.url.startsWith("/bed/")) return manage(request, response, body);
	const name = (request.headers["x-amz-target"] ?? "").split(".")[1] ?? "";
	count(figures.calls, name);
	const end = response.end.bind(response);
	response.end = (text) => {
		if (response.statusCode >= 400) countError(name, text);
		end(text);
	};
	const fault = faultFor(name);
	if (fault && before(fault, request, response, body)) return;
	const wrong = refusal(request, body, keys, { service: "dynamodb", now: Date.now() + ahead_ms });
	if (wrong)
		return send(response, 400, { __type: `com.amazon.coral.service#${wrong[0]}`, message: wrong[1] });
	if (fault) [response, body] = after(fault, request, response, body);
	try {
		const mine = ours(name, body);
		if (mine) return send(response, 200, await mine());
	} catch (error) {
		if (!error.statusCode) throw error;
		return send(response, error.statusCode, error.body);
	}
	// The request has been read: dynalite gets it again.
	let listeners = {};
	dynalite(
		Object.assign(Object.create(request), {
			on: (event, listener) => (listeners[event] = listener),
			removeAllListeners: () => (listeners = {}),
		}),
		response,
	);
	if (body.length) listeners.data(body);
	listeners.end?.();
}

server.on("request", (request, response) => {
	const pieces = [];
	request.on("error", () => {}); // a client that leaves
	request.on("data", (piece) => pieces.push(piece));
	request.on("end", () => {
		answer(request, response, Buffer.concat(pieces)).catch((error) => {
			console.error(error);
			if (!response.headersSent) send(response, 500, { __type: "com.amazon.coral.service#InternalServerError", message: String(error) });
		});
	});
});
server.keepAliveTimeout = 60_000;
server.listen(Number(options.port), "127.0.0.1", () => console.log(`listening ${server.address().port}`));
process.on("SIGTERM", () => process.exit(0));
