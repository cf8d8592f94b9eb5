/** PUT, PATCH and DELETE of /cache/{ns}/{key}. */
import { CONTENT_TYPE_RULE, DEFAULT_TYPE, fromBytes, isContentType } from "../content";
import { TTL_MAX_S } from "../env";
import { headOfRequest } from "../head";
import { readBody } from "../http/body";
import { writeCondition } from "../http/conditions";
import { HttpError } from "../http/problem";
import type { Condition, SetItem } from "../op_types";
import { ROW_MAX_BYTES } from "../ops/set";
import { entryOf, perform, query, settingsOf, statusError } from "./context";
import type { Call } from "./context";

function readSeconds(name: string, text: string | null): number | undefined {
	if (text === null) return undefined;
	const ttl = /^\d{1,18}$/.test(text) ? Number(text) : -1;
	if (ttl < 0 || ttl > TTL_MAX_S)
		throw new HttpError(
			400,
			`"${name}" must be a whole number of seconds from 0 (never expires) to ${TTL_MAX_S}`,
		);
	return ttl;
}

/** The query parameter, or the header for clients that cannot add one. */
function readTtl(c: Call): number | undefined {
	const ttl = readSeconds("ttl", query(c, "ttl"));
	const header = readSeconds("X-TTL", c.req.raw.headers.get("X-TTL"));
	if (ttl !== undefined && header !== undefined && ttl !== header)
		throw new HttpError(400, '"ttl" and "X-TTL" contradict each other; send one of them');
	return ttl ?? header;
}

function readType(headers: Headers): string {
	const type = headers.get("Content-Type");
	if (headers.has("Content-Range"))
		throw new HttpError(400, "a PUT replaces the whole value; send it without Content-Range");
	if (type && !isContentType(type)) throw new HttpError(400, `Content-Type ${CONTENT_TYPE_RULE}`);
	/* curl, urllib and others send this type unasked. */
	const isUnasked = /^application\/x-www-form-urlencoded[ \t]*(;|$)/i.test(type ?? "");
	return type && !isUnasked ? type : DEFAULT_TYPE;
}

/** The status, and the ETag of what was stored. */
export async function putValue(c: Call, condition?: Condition): Promise<{ status: number; etag?: string }> {
	const { ns, key } = entryOf(c);
	const head = headOfRequest(readType(c.req.raw.headers), c.req.raw.headers);
	const ttl = readTtl(c);
	const value = fromBytes(
		await readBody(c.req.raw, ROW_MAX_BYTES, "the most that D1 takes in a row; store less"),
	);
	const item: SetItem = { key, value, content_type: head, size: value.bytes.length };
	if (ttl !== undefined) item.ttl_s = ttl;
	const result = await perform(c, {
		op: "set",
		ns,
		defaults: settingsOf(c),
		items: [item],
		...(condition ? { condition } : {}),
	});
	const stored = result.items?.[0];
	const status = result.put_status || (stored?.created ? 201 : 204);
	return stored?.etag ? { status, etag: stored.etag } : { status };
}

export async function putEntry(c: Call): Promise<Response> {
	const { status, etag } = await putValue(c, writeCondition(c.req.raw.headers));
	return new Response(null, { status, ...(etag ? { headers: { ETag: `"${etag}"` } } : {}) });
}

export async function expireEntry(c: Call): Promise<Response> {
	const { ns, key } = entryOf(c);
	const condition = writeCondition(c.req.raw.headers);
	const ttl_s = readTtl(c);
	if (ttl_s === undefined)
		throw new HttpError(400, "say how long the entry is to live from now on: ?ttl= in seconds, 0 for ever");
	if ((await readBody(c.req.raw, ROW_MAX_BYTES, "which PATCH does not take")).length > 0)
		throw new HttpError(415, "PATCH changes the time to live (?ttl=) and takes no body; PUT stores a value");
	const result = await perform(c, {
		op: "expire",
		ns,
		defaults: settingsOf(c),
		items: [{ key, ttl_s }],
		...(condition ? { condition } : {}),
	});
	if (result.items?.[0]?.status !== "ok") throw statusError("not_found");
	return new Response(null, { status: 204 });
}

export async function deleteEntry(c: Call): Promise<Response> {
	const { ns, key } = entryOf(c);
	/* On the server this gives a lease back, and must not delete the entry. */
	if (c.req.raw.headers.has("Lease"))
		throw new HttpError(404, "no such lease on this key: the Worker gives none");
	const condition = writeCondition(c.req.raw.headers);
	const result = await perform(c, {
		op: "delete",
		ns,
		items: [{ key }],
		...(condition ? { condition } : {}),
	});
	const status = result.items?.[0]?.status ?? "not_found";
	if (status !== "ok") throw statusError(status);
	return new Response(null, { status: 204 });
}
