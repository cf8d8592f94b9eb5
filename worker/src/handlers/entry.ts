/** /cache/{ns}/{key}: one entry, as bytes. */
import { CONTENT_TYPE_RULE, DEFAULT_TYPE, fromBytes, isContentType } from "../content";
import type { Key } from "../content";
import { MAX_KEY_BYTES, TTL_MAX_S } from "../env";
import { readBody } from "../http/body";
import { lastModified, readCondition, readRange, writeCondition } from "../http/conditions";
import { HttpError } from "../http/problem";
import { decodedPath, targetOf } from "../http/target";
import type { ItemResult, SetItem } from "../op_types";
import { ROW_MAX_BYTES } from "../ops/set";
import { namespaceOf, nowUs, perform, query, settingsOf, statusError } from "./context";
import type { Call } from "./context";

function keyOf(c: Call): Key {
	const { path } = targetOf(c.req.raw.url);
	const raw = path.slice(path.indexOf("/", "/cache/".length) + 1);
	const key = fromBytes(decodedPath(raw));
	if (key.bytes.length > MAX_KEY_BYTES)
		throw new HttpError(
			414,
			`the key has ${key.bytes.length} bytes; the Worker takes up to ${MAX_KEY_BYTES}`,
		);
	return key;
}

/** Rounded up: a ttl of 5 says 5 at first. */
function wholeSeconds(us: number): number {
	return Math.max(0, Math.ceil(us / 1000000));
}

/**
 * Caches subtract Age from max-age (RFC 9111, 4.2), so max-age is the whole lifetime. An entry
 * without an expiry must be revalidated each time, because the next PUT may come at once.
 */
function cacheControl(item: ItemResult, now: number, age: number): string {
	const expires = item.expires_us ?? 0;
	if (expires === 0) return "no-cache";
	return item.stale || expires <= now ? "max-age=0" : `max-age=${wholeSeconds(expires - now + age)}`;
}

function cacheStatus(item: ItemResult, now: number): string {
	if (!item.expires_us) return "steadycache; hit";
	const left = item.expires_us - now;
	return item.stale
		? `steadycache; hit; fwd=stale; ttl=-${Math.max(1, wholeSeconds(-left))}`
		: `steadycache; hit; ttl=${wholeSeconds(left)}`;
}

/** The headers about the entry, whatever the status. */
function hitHeaders(item: ItemResult, now: number): Headers {
	const modified = item.modified_us ?? 0;
	return new Headers({
		ETag: `"${item.etag}"`,
		"Last-Modified": new Date(lastModified(modified, now) * 1000).toUTCString(),
		Age: String(Math.floor(Math.max(0, now - modified) / 1000000)),
		"Cache-Status": cacheStatus(item, now),
	});
}

/** Whatever its type says, a stored value is not a page of this site. */
const SANDBOX = {
	"X-Content-Type-Options": "nosniff",
	"Content-Security-Policy": "sandbox; default-src 'none'",
	"X-Frame-Options": "DENY",
	"Cross-Origin-Resource-Policy": "same-origin",
};

export async function getEntry(c: Call): Promise<Response> {
	const ns = namespaceOf(c);
	const key = keyOf(c);
	const isHead = c.req.raw.method === "HEAD";
	const result = await perform(c, { op: "get", ns, touch: !isHead, stale: true, items: [{ key }] });
	const item = result.items?.[0];
	if (item?.status !== "ok" || !item.value)
		throw new HttpError(404, "no such entry", { "Cache-Status": "steadycache; fwd=miss" });

	const request = c.req.raw.headers;
	const { etag = "", modified_us = 0 } = item;
	const now = nowUs();
	const headers = hitHeaders(item, now);
	/* Cloudflare's edge would compress the body, and so change what a strong ETag stands
	 * for. */
	const kept = `${cacheControl(item, now, Math.max(0, now - modified_us))}, no-transform`;
	const status = readCondition(request, etag, modified_us);
	if (status === 304) {
		headers.set("Cache-Control", kept);
		return new Response(null, { status, headers });
	}
	if (status === 412)
		throw new HttpError(
			412,
			request.has("If-Match")
				? "the entry's ETag is none of those in If-Match"
				: "the entry is newer than If-Unmodified-Since says",
			Object.fromEntries(headers),
		);
	const size = item.value.bytes.length;
	headers.set("Accept-Ranges", "bytes");
	// Range is ignored for a HEAD (RFC 9110, 14.2).
	const range = isHead ? "whole" : readRange(request, etag, modified_us, size);
	if (range === "unsatisfiable") {
		headers.set("Content-Range", `bytes */${size}`);
		throw new HttpError(
			416,
			`the range lies beyond the ${size} bytes of the value`,
			Object.fromEntries(headers),
		);
	}
	for (const [name, text] of Object.entries(SANDBOX)) headers.set(name, text);
	headers.set("Cache-Control", kept);
	/* /ops takes any text: a type that cannot stand in a header is left out. */
	const type = item.content_type ?? "";
	headers.set("Content-Type", type === "" || /[\x00-\x08\x0a-\x1f\x7f]/.test(type) ? DEFAULT_TYPE : type);
	if (range === "whole") {
		headers.set("Content-Length", String(size));
		return new Response(item.value.bytes, { headers, status: 200 });
	}
	headers.set("Content-Range", `bytes ${range.offset}-${range.offset + range.length - 1}/${size}`);
	headers.set("Content-Length", String(range.length));
	const part = item.value.bytes.subarray(range.offset, range.offset + range.length);
	return new Response(part, { headers, status: 206 });
}

function readTtl(c: Call): number | undefined {
	const text = query(c, "ttl");
	if (text === null) return undefined;
	const ttl = /^\d{1,18}$/.test(text) ? Number(text) : -1;
	if (ttl < 0 || ttl > TTL_MAX_S)
		throw new HttpError(
			400,
			`"ttl" must be a whole number of seconds from 0 (never expires) to ${TTL_MAX_S}`,
		);
	return ttl;
}

function readType(headers: Headers): string {
	const encoding = headers.get("Content-Encoding");
	const type = headers.get("Content-Type");
	if (encoding !== null && encoding.toLowerCase() !== "identity")
		throw new HttpError(415, "Content-Encoding would not be kept; send the value without it");
	if (headers.has("Content-Range"))
		throw new HttpError(400, "a PUT replaces the whole value; send it without Content-Range");
	if (type && !isContentType(type)) throw new HttpError(400, `Content-Type ${CONTENT_TYPE_RULE}`);
	/* curl, urllib and others send this type unasked. */
	const isUnasked = /^application\/x-www-form-urlencoded[ \t]*(;|$)/i.test(type ?? "");
	return type && !isUnasked ? type : DEFAULT_TYPE;
}

export async function putEntry(c: Call): Promise<Response> {
	const ns = namespaceOf(c);
	const key = keyOf(c);
	const condition = writeCondition(c.req.raw.headers);
	const type = readType(c.req.raw.headers);
	const ttl = readTtl(c);
	const value = fromBytes(
		await readBody(c.req.raw, ROW_MAX_BYTES, "the most that D1 takes in a row; store less"),
	);
	const item: SetItem = { key, value, content_type: type, size: value.bytes.length };
	if (ttl !== undefined) item.ttl_s = ttl;
	const result = await perform(c, {
		op: "set",
		ns,
		defaults: settingsOf(c),
		items: [item],
		...(condition ? { condition } : {}),
	});
	const stored = result.items?.[0];
	const headers = stored?.etag ? { ETag: `"${stored.etag}"` } : undefined;
	return new Response(null, { status: stored?.created ? 201 : 204, ...(headers ? { headers } : {}) });
}

export async function deleteEntry(c: Call): Promise<Response> {
	const ns = namespaceOf(c);
	const key = keyOf(c);
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
