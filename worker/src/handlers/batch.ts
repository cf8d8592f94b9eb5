/** /batch/{ns}/...: the batch calls of /api for every language; the name is in the path. */
import { TTL_MAX_S } from "../env";
import { jsonResponse, readObject, readWhole } from "../http/json";
import { HttpError } from "../http/problem";
import { readItems, readKeys, resultsResponse, writeFound } from "./calls";
import { namespaceOf, perform, settingsOf } from "./context";
import type { Call } from "./context";
import { getDecoded } from "./values";

export async function batchGet(c: Call): Promise<Response> {
	const ns = namespaceOf(c);
	const items = readKeys(await readObject(c.req.raw));
	return resultsResponse(items, await getDecoded(c, ns, items, false), writeFound(true));
}

export async function batchSet(c: Call): Promise<Response> {
	const ns = namespaceOf(c);
	const items = readItems(await readObject(c.req.raw), true);
	await perform(c, { op: "set", ns, defaults: settingsOf(c), items });
	return jsonResponse('{"success":true}');
}

export async function batchDelete(c: Call): Promise<Response> {
	const ns = namespaceOf(c);
	await perform(c, { op: "delete", ns, items: readKeys(await readObject(c.req.raw)) });
	return jsonResponse('{"success":true}');
}

export async function batchExists(c: Call): Promise<Response> {
	const ns = namespaceOf(c);
	const items = readKeys(await readObject(c.req.raw));
	const result = await perform(c, { op: "exists", ns, items });
	return resultsResponse(items, result.items ?? [], (item) => `{"exists":${item.status === "ok"}}`);
}

export async function batchExpire(c: Call): Promise<Response> {
	const ns = namespaceOf(c);
	const body = await readObject(c.req.raw);
	const ttl_s = readWhole(body, "ttl", TTL_MAX_S);
	if (ttl_s === undefined)
		throw new HttpError(400, '"ttl" is missing: how long the entries are to live from now on, in seconds; 0 for ever');
	const items = readKeys(body).map((item) => ({ ...item, ttl_s }));
	const result = await perform(c, { op: "expire", ns, defaults: settingsOf(c), items });
	return resultsResponse(items, result.items ?? [], (item) => `{"exists":${item.status === "ok"}}`);
}
