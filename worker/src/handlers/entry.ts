/** GET and HEAD of /cache/{ns}/{key}: one entry, as bytes. */
import { headerOf, splitHead } from "../head";
import type { Head } from "../head";
import { lastModified, readCondition, readRange } from "../http/conditions";
import type { EtagForm } from "../http/conditions";
import { HttpError } from "../http/problem";
import type { ItemResult } from "../op_types";
import { entryOf, nowUs, perform } from "./context";
import type { Call } from "./context";
import { chooseForm } from "./entry_form";

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
function hitHeaders(item: ItemResult, form: EtagForm, now: number): Headers {
	const modified = item.modified_us ?? 0;
	return new Headers({
		ETag: `"${item.etag}${form}"`,
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

/** Those that are kept with the value; Cache-Control is ours if it has none. */
function addHeaders(headers: Headers, head: Head, form: EtagForm): void {
	for (const [name, value] of head.headers) if (name !== "Cache-Control") headers.set(name, value);
	if (form === "-identity") headers.delete("Content-Encoding");
	if (form === "-zstd") headers.set("Content-Encoding", "zstd");
}

export async function getEntry(c: Call): Promise<Response> {
	const { ns, key } = entryOf(c);
	const isHead = c.req.raw.method === "HEAD";
	const result = await perform(c, { op: "get", ns, touch: !isHead, stale: true, zstd: true, items: [{ key }] });
	const item = result.items?.[0];
	if (item?.status !== "ok" || !item.value)
		throw new HttpError(404, "no such entry", { "Cache-Status": "steadycache; fwd=miss" });

	const request = c.req.raw.headers;
	const head = splitHead(item.content_type ?? "");
	const own = headerOf(head, "Content-Encoding");
	const { tag: form, bytes, decoded, varies } = await chooseForm(c.req.raw, item, own);
	const { etag = "", modified_us = 0 } = item;
	const now = nowUs();
	const headers = hitHeaders(item, form, now);
	if (varies) headers.set("Vary", "Accept-Encoding");
	/* Cloudflare's edge would compress the body, and so change what a strong ETag stands
	 * for. */
	const ours = `${cacheControl(item, now, Math.max(0, now - modified_us))}, no-transform`;
	const kept = headerOf(head, "Cache-Control") ?? ours;
	const status = readCondition(request, etag + form, modified_us);
	if (status === 304) {
		addHeaders(headers, head, form);
		headers.set("Cache-Control", kept);
		return new Response(null, { status, headers, encodeBody: "manual" });
	}
	if (status === 412)
		throw new HttpError(
			412,
			request.has("If-Match")
				? "the entry's ETag is none of those in If-Match"
				: "the entry is newer than If-Unmodified-Since says",
			Object.fromEntries(headers),
		);
	const size = bytes.length;
	if (form === "") headers.set("Accept-Ranges", "bytes");
	// Range is ignored for a HEAD (RFC 9110, 14.2).
	const range = isHead || form !== "" ? "whole" : readRange(request, etag, modified_us, size);
	if (range === "unsatisfiable") {
		headers.set("Content-Range", `bytes */${size}`);
		throw new HttpError(
			416,
			`the range lies beyond the ${size} bytes of the value`,
			Object.fromEntries(headers),
		);
	}
	addHeaders(headers, head, form);
	for (const [name, text] of Object.entries(SANDBOX)) headers.set(name, text);
	headers.set("Content-Type", head.type);
	headers.set("Cache-Control", kept);
	if (decoded) return new Response(isHead ? null : decoded, { headers, status: 200 });
	/* The runtime would encode what says that it is. */
	const encodeBody = "manual" as const;
	if (range === "whole") {
		headers.set("Content-Length", String(size));
		return new Response(bytes, { headers, encodeBody, status: 200 });
	}
	headers.set("Content-Range", `bytes ${range.offset}-${range.offset + range.length - 1}/${size}`);
	headers.set("Content-Length", String(range.length));
	const part = bytes.subarray(range.offset, range.offset + range.length);
	return new Response(part, { headers, encodeBody, status: 206 });
}
