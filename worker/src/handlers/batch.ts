/** /batch/{ns}/...: the batch calls of /api for every language; the name is in the path. */
import { jsonResponse, readObject } from "../http/json";
import { readItems, readKeys, resultsResponse, writeFound } from "./calls";
import { namespaceOf, perform, settingsOf } from "./context";
import type { Call } from "./context";

export async function batchGet(c: Call): Promise<Response> {
	const ns = namespaceOf(c);
	const items = readKeys(await readObject(c.req.raw));
	const result = await perform(c, { op: "get", ns, touch: true, stale: false, items });
	return resultsResponse(items, result.items ?? [], writeFound(true));
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
