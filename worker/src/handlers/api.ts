/** /api/...: the protocol of SteadyText's D1 cache client. */
import { bytesOfMegabytes } from "../env";
import { jsonResponse, readNumber, readObject } from "../http/json";
import type { JsonObject } from "../http/json";
import { HttpError } from "../http/problem";
import { readCacheName, readItem, readItems, readKey, readKeys, resultsResponse, writeFound } from "./calls";
import { perform, settingsOf } from "./context";
import type { Call } from "./context";
import { statsObject } from "./stats";
import { getDecoded } from "./values";

type Endpoint = (c: Call, ns: string, body: JsonObject) => Promise<Response>;

const success = (): Response => jsonResponse('{"success":true}');

function handler(endpoint: Endpoint): (c: Call) => Promise<Response> {
	return async (c) => {
		const body = await readObject(c.req.raw);
		return endpoint(c, readCacheName(body), body);
	};
}

const init: Endpoint = async (c, ns, body) => {
	const bytes = bytesOfMegabytes(readNumber(body, "max_size_mb"));
	if (bytes > Number.MAX_SAFE_INTEGER) throw new HttpError(400, '"max_size_mb" is too large');
	await perform(c, { op: "configure", ns, defaults: settingsOf(c), change: { max_size_bytes: bytes } });
	return jsonResponse('{"success":true,"message":"Cache initialized"}');
};

const get: Endpoint = async (c, ns, body) => {
	const [item] = await getDecoded(c, ns, [{ key: readKey(body) }], true);
	return jsonResponse(writeFound(false)(item ?? { status: "not_found" }));
};

const set: Endpoint = async (c, ns, body) => {
	await perform(c, { op: "set", ns, defaults: settingsOf(c), items: [readItem(body, false)] });
	return success();
};

const remove: Endpoint = async (c, ns, body) => {
	await perform(c, { op: "delete", ns, items: [{ key: readKey(body) }] });
	return success();
};

const exists: Endpoint = async (c, ns, body) => {
	const result = await perform(c, { op: "exists", ns, items: [{ key: readKey(body) }] });
	return jsonResponse(`{"exists":${result.items?.[0]?.status === "ok"}}`);
};

const batchGet: Endpoint = async (c, ns, body) => {
	const items = readKeys(body);
	return resultsResponse(items, await getDecoded(c, ns, items, false), writeFound(false));
};

const batchSet: Endpoint = async (c, ns, body) => {
	await perform(c, { op: "set", ns, defaults: settingsOf(c), items: readItems(body, false) });
	return success();
};

const batchDelete: Endpoint = async (c, ns, body) => {
	await perform(c, { op: "delete", ns, items: readKeys(body) });
	return success();
};

const clear: Endpoint = async (c, ns) => {
	await perform(c, { op: "clear", ns });
	return success();
};

const stats: Endpoint = async (c, ns) => {
	const result = await perform(c, { op: "stats", ns, defaults: () => settingsOf(c) });
	return jsonResponse(JSON.stringify(result.namespaces?.map(statsObject)[0]));
};

export const api: Record<string, (c: Call) => Promise<Response>> = {
	"/api/init": handler(init),
	"/api/get": handler(get),
	"/api/set": handler(set),
	"/api/delete": handler(remove),
	"/api/exists": handler(exists),
	"/api/batch/get": handler(batchGet),
	"/api/batch/set": handler(batchSet),
	"/api/batch/delete": handler(batchDelete),
	"/api/clear": handler(clear),
	"/api/stats": handler(stats),
};
