/** /cache and /cache/{ns}: the namespaces, their keys and their limits. */
import { base64, unbase64 } from "../bytes";
import { fromBytes } from "../content";
import type { Key } from "../content";
import { bytesOfMegabytes, isCompression, isPolicy, TTL_MAX_S } from "../env";
import type { Settings } from "../env";
import { jsonResponse, readNumber, readObject, readWhole, seconds } from "../http/json";
import type { JsonObject } from "../http/json";
import { HttpError } from "../http/problem";
import { percentDecode } from "../http/target";
import type { EntryInfo } from "../op_types";
import { namespaceOf, perform, query, settingsOf } from "./context";
import type { Call } from "./context";
import { namespaceObject } from "./stats";

const LIST_LIMIT_MAX = 1000;

export async function listNamespaces(c: Call): Promise<Response> {
	const result = await perform(c, { op: "stats", defaults: () => settingsOf(c) });
	return jsonResponse(JSON.stringify({ namespaces: result.namespaces?.map(namespaceObject) }));
}

function readPrefix(c: Call): Key | undefined {
	const raw = query(c, "prefix");
	if (raw === null) return undefined;
	const bytes = percentDecode(raw);
	if (!bytes)
		throw new HttpError(
			400,
			'"prefix" has a % that two hex digits do not follow; write it as %25',
		);
	return fromBytes(bytes);
}

function readLimit(c: Call): number {
	const text = query(c, "limit");
	if (text === null) return LIST_LIMIT_MAX;
	const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0;
	if (limit < 1 || limit > LIST_LIMIT_MAX)
		throw new HttpError(400, `"limit" must be a whole number from 1 to ${LIST_LIMIT_MAX}`);
	return limit;
}

/** A cursor is the last key of the previous page, in base64url without padding. */
function readCursor(c: Call): Key | undefined {
	const text = query(c, "cursor");
	if (text === null) return undefined;
	const decoded = percentDecode(text);
	const plain = decoded ? new TextDecoder().decode(decoded).replaceAll("-", "+").replaceAll("_", "/") : "!";
	const bytes = unbase64(plain + "=".repeat((4 - (plain.length % 4)) % 4));
	if (!bytes)
		throw new HttpError(400, '"cursor" must be the "cursor" of the page before, as it was given');
	return fromBytes(bytes);
}

function writeEntry(entry: EntryInfo): string {
	const key =
		entry.key.text !== null
			? `"key":${JSON.stringify(entry.key.text)}`
			: `"key_base64":"${base64(entry.key.bytes)}"`;
	return (
		`{${key},"size":${entry.size},"etag":${JSON.stringify(`"${entry.etag}"`)},` +
		`"frequency":${entry.frequency},"last_access":${seconds(entry.last_access_us)},` +
		`"created_at":${seconds(entry.created_us)},` +
		`"expires_at":${entry.expires_us > 0 ? seconds(entry.expires_us) : "null"}}`
	);
}

export async function listKeys(c: Call): Promise<Response> {
	const ns = namespaceOf(c);
	const prefix = readPrefix(c);
	const after = readCursor(c);
	const limit = readLimit(c);
	const result = await perform(c, {
		op: "scan",
		ns,
		limit,
		...(prefix ? { prefix } : {}),
		...(after ? { after } : {}),
	});
	const entries = result.entries ?? [];
	const last = entries.at(-1);
	const cursor =
		result.complete || !last
			? "null"
			: `"${base64(last.key.bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")}"`;
	return jsonResponse(
		`{"keys":[${entries.map(writeEntry).join(",")}],"cursor":${cursor},"complete":${result.complete}}`,
	);
}

function readSetting(body: JsonObject, name: string): Partial<Settings> {
	const value = body[name];
	switch (name) {
		case "max_size_mb": {
			const mb = value === null ? 0 : readNumber(body, name);
			if (mb > 8589934592) throw new HttpError(400, '"max_size_mb" is too large');
			return { max_size_bytes: bytesOfMegabytes(mb) };
		}
		case "capacity":
			return {
				capacity: value === null ? -1 : (readWhole(body, name, Number.MAX_SAFE_INTEGER) ?? -1),
			};
		case "default_ttl":
			return { default_ttl_s: value === null ? 0 : (readWhole(body, name, TTL_MAX_S) ?? 0) };
		case "stale_ttl":
			return { stale_ttl_s: value === null ? 0 : (readWhole(body, name, TTL_MAX_S) ?? 0) };
		case "max_idle":
			return { max_idle_s: value === null ? 0 : (readWhole(body, name, TTL_MAX_S) ?? 0) };
		case "compression":
			if (value === null) return { compression: "none" };
			if (!isCompression(value)) throw new HttpError(400, '"compression" must be "zstd" or "none"');
			return { compression: value };
		case "put_status":
			if (value !== null && value !== 200)
				throw new HttpError(
					400,
					'"put_status" must be 200, or null for 201 where a PUT creates and 204 where it replaces',
				);
			return { put_status: value ?? 0 };
		case "eviction":
			if (!isPolicy(value))
				throw new HttpError(400, '"eviction" must be "frecency", "lru", "fifo" or "none"');
			return { policy: value };
		default:
			throw new HttpError(
				400,
				`"${name.slice(0, 100)}" is not a setting; there are max_size_mb, capacity, default_ttl, stale_ttl, ` +
					"max_idle, eviction, compression and put_status",
			);
	}
}

export async function configureNamespace(c: Call): Promise<Response> {
	const ns = namespaceOf(c);
	const body = await readObject(c.req.raw);
	let change: Partial<Settings> = {};
	for (const name of Object.keys(body)) change = { ...change, ...readSetting(body, name) };
	await perform(c, { op: "configure", ns, defaults: settingsOf(c), change });
	return new Response(null, { status: 204 });
}

function readSwitch(c: Call, name: string): boolean {
	const value = query(c, name);
	if (value !== null && !["", "1", "true"].includes(value))
		throw new HttpError(400, `"${name}" takes no value, or 1 or true`);
	return value !== null;
}

export async function clearNamespace(c: Call): Promise<Response> {
	const ns = namespaceOf(c);
	const prefix = readPrefix(c);
	const [all, drop] = [readSwitch(c, "all"), readSwitch(c, "drop")];
	if (Number(all) + Number(drop) + Number(prefix !== undefined) !== 1 || prefix?.bytes.length === 0)
		throw new HttpError(
			400,
			"say what to clear, one of three: ?prefix= with the beginning of the keys, ?all for all entries, or " +
				"?drop for the namespace with its settings and statistics",
		);
	await perform(c, drop ? { op: "drop", ns } : { op: "clear", ns, ...(prefix ? { prefix } : {}) });
	return new Response(null, { status: 204 });
}
