/** POST /ops: the ops protocol (docs/ops-protocol.md) between the C server and this Worker. */
import { base64, unbase64 } from "../bytes";
import { FORM_FLAGS_MAX, fromBytes, fromText } from "../content";
import type { Key, Value } from "../content";
import { isCompression, isPolicy, MAX_BATCH_ITEMS, MAX_KEY_BYTES, TTL_MAX_S } from "../env";
import type { Settings } from "../env";
import { isObject, jsonResponse, member, readArray, readObject, readString, readWhole } from "../http/json";
import type { JsonObject } from "../http/json";
import { HttpError } from "../http/problem";
import { isNamespace } from "../http/target";
import { runOps } from "../ops";
import type { Condition, ExpireItem, History, ItemResult, KeyItem, Op, OpResult, SetItem } from "../op_types";
import { nowUs, opsContext, settingsOf } from "./context";
import type { Call } from "./context";

const OPS_MAX = 1000;
const SCAN_MAX = 1000;
const FREQUENCY_MAX = 4294967295;

/* ---- Reading ---- */

/** `name` as text or `name_b64`; null if both are missing. */
function readBytes(object: JsonObject, name: string, path: string): (Key & Value) | null {
	if (member(object, name) !== undefined) return fromText(readString(object, name, path));
	if (member(object, `${name}_b64`) === undefined) return null;
	const bytes = unbase64(readString(object, `${name}_b64`, path));
	if (!bytes) throw new HttpError(400, `"${path}${name}_b64" is not base64`);
	return fromBytes(bytes);
}

function needBytes(object: JsonObject, name: string, path: string): Key & Value {
	const bytes = readBytes(object, name, path);
	if (!bytes) throw new HttpError(400, `"${path}${name}" is missing; it must be a string`);
	if (name === "key" && bytes.bytes.length > MAX_KEY_BYTES)
		throw new HttpError(400, `"${path}key" has more than ${MAX_KEY_BYTES} bytes`);
	return bytes;
}

function readNamespace(object: JsonObject, path: string): string {
	const ns = readString(object, "ns", path);
	if (!isNamespace(ns)) throw new HttpError(400, `"${path}ns" is no name of a namespace`);
	return ns;
}

function readSettings(object: JsonObject, path: string): Partial<Settings> {
	const settings: Partial<Settings> = {};
	const size = readWhole(object, "max_size_bytes", Number.MAX_SAFE_INTEGER, path);
	const ttl = readWhole(object, "default_ttl_s", TTL_MAX_S, path);
	const stale = readWhole(object, "stale_ttl_s", TTL_MAX_S, path);
	const idle = readWhole(object, "max_idle_s", TTL_MAX_S, path);
	const put = readWhole(object, "put_status", 999, path);
	const compression = member(object, "compression");
	const policy = member(object, "policy");
	if (size !== undefined) settings.max_size_bytes = size;
	if (ttl !== undefined) settings.default_ttl_s = ttl;
	if (stale !== undefined) settings.stale_ttl_s = stale;
	if (idle !== undefined) settings.max_idle_s = idle;
	if (put !== undefined) settings.put_status = put;
	if (compression !== undefined) {
		if (!isCompression(compression)) throw new HttpError(400, `"${path}compression" must be "none" or "zstd"`);
		settings.compression = compression;
	}
	if (member(object, "capacity") === -1) settings.capacity = -1;
	else {
		const capacity = readWhole(object, "capacity", Number.MAX_SAFE_INTEGER, path);
		if (capacity !== undefined) settings.capacity = capacity;
	}
	if (policy !== undefined) {
		if (!isPolicy(policy))
			throw new HttpError(400, `"${path}policy" must be "frecency", "lru", "fifo" or "none"`);
		settings.policy = policy;
	}
	return settings;
}

function readDefaults(object: JsonObject, own: Settings, path: string): Settings {
	const defaults = member(object, "defaults");
	if (defaults === undefined) return own;
	if (!isObject(defaults)) throw new HttpError(400, `"${path}defaults" must be an object`);
	return { ...own, ...readSettings(defaults, `${path}defaults.`) };
}

function readEtags(object: JsonObject, path: string): string[] {
	return readArray(object, "etags").map((etag) => {
		const ours = typeof etag === "string" ? /^"([0-9a-f]{32})"$/.exec(etag) : null;
		if (!ours) throw new HttpError(400, `"${path}etags" must hold entity tags of this cache`);
		return ours[1] ?? "";
	});
}

function readCondition(item: JsonObject, path: string): Condition | undefined {
	const given = member(item, "if");
	if (given === undefined) return undefined;
	if (!isObject(given)) throw new HttpError(400, `"${path}if" must be an object`);
	const kind = readString(given, "kind", `${path}if.`);
	if (kind === "absent" || kind === "present") return { kind, etags: [] };
	if (kind === "match" || kind === "none_match") return { kind, etags: readEtags(given, `${path}if.`) };
	throw new HttpError(400, `"${path}if.kind" must be absent, present, match or none_match`);
}

function readItemObjects(object: JsonObject, path: string): JsonObject[] {
	return readArray(object, "items").map((item, i) => {
		if (!isObject(item)) throw new HttpError(400, `"${path}items[${i}]" must be an object`);
		return item;
	});
}

function readHistory(item: JsonObject, path: string): History | undefined {
	const given = member(item, "history");
	if (given === undefined) return undefined;
	if (!isObject(given)) throw new HttpError(400, `"${path}history" must be an object`);
	const whole = (name: string, max = Number.MAX_SAFE_INTEGER): number | undefined =>
		readWhole(given, name, max, `${path}history.`);
	const expires = whole("expires_us");
	return {
		frequency: Math.max(whole("frequency", FREQUENCY_MAX) ?? 1, 1),
		created_us: whole("created_us") ?? 0,
		last_access_us: whole("last_access_us") ?? 0,
		...(expires === undefined ? {} : { expires_us: expires }),
	};
}

/** What a front stores in place of the bytes: `reference`, or a `value` that is an object. */
function readForm(item: JsonObject, path: string): Pick<SetItem, "value" | "form"> | undefined {
	const kind = member(item, "reference") !== undefined ? "reference" : "zstd";
	const name = kind === "reference" ? "reference" : "value";
	const given = member(item, name);
	if (kind === "zstd" && !isObject(given)) return undefined;
	if (!isObject(given)) throw new HttpError(400, `"${path}reference" must be an object`);
	const etag = /^"([0-9a-f]{32})"$/.exec(readString(given, "etag", `${path}${name}.`));
	if (!etag) throw new HttpError(400, `"${path}${name}.etag" must be an entity tag of this cache`);
	const flags = readWhole(given, "flags", FORM_FLAGS_MAX, `${path}${name}.`) ?? 0;
	const value =
		kind === "reference"
			? fromText(readString(given, "text", `${path}${name}.`))
			: needBytes(given, "zstd", `${path}${name}.`);
	return { value, form: { kind, etag: etag[1] ?? "", flags } };
}

function readSetItem(item: JsonObject, path: string): SetItem {
	const form = readForm(item, path);
	const value = form?.value ?? needBytes(item, "value", path);
	const size = readWhole(item, "size", Number.MAX_SAFE_INTEGER, path) ?? 0;
	const type = member(item, "content_type") ?? "application/octet-stream";
	if (typeof type !== "string") throw new HttpError(400, `"${path}content_type" must be a string`);
	const ttl = readWhole(item, "ttl_s", TTL_MAX_S, path);
	const history = readHistory(item, path);
	return {
		key: needBytes(item, "key", path),
		value,
		content_type: type,
		...form,
		size: form?.form?.kind === "reference" ? size : Math.max(size, value.bytes.length),
		...(ttl === undefined ? {} : { ttl_s: ttl }),
		...(history === undefined ? {} : { history }),
	};
}

function readExpireItem(item: JsonObject, path: string): ExpireItem {
	const ttl = readWhole(item, "ttl_s", TTL_MAX_S, path);
	return { key: needBytes(item, "key", path), ...(ttl === undefined ? {} : { ttl_s: ttl }) };
}

function readStats(object: JsonObject, own: Settings, path: string): Op {
	if (member(object, "ns") !== undefined) {
		const defaults = readDefaults(object, own, path);
		return { op: "stats", ns: readNamespace(object, path), defaults: () => defaults };
	}
	const given = member(object, "defaults") ?? {};
	if (!isObject(given)) throw new HttpError(400, `"${path}defaults" must be an object`);
	const byName = new Map<string, Settings>();
	for (const [ns, settings] of Object.entries(given))
		if (isObject(settings)) byName.set(ns, { ...own, ...readSettings(settings, `${path}defaults.${ns}.`) });
	return { op: "stats", defaults: (ns) => byName.get(ns) ?? own };
}

function readOp(object: JsonObject, own: Settings, path: string): Op {
	const op = readString(object, "op", path);
	if (op === "check") return { op };
	if (op === "stats") return readStats(object, own, path);
	if (!["get", "exists", "set", "delete", "expire", "clear", "drop", "scan", "configure"].includes(op))
		throw new HttpError(400, `"${path}op" is none of the protocol's operations`);
	const ns = readNamespace(object, path);
	const keys = (): KeyItem[] =>
		readItemObjects(object, path).map((item, i) => ({ key: needBytes(item, "key", `${path}items[${i}].`) }));
	const condition = (): { condition?: Condition } => {
		const items = readItemObjects(object, path);
		const found = items.length === 1 && items[0] ? readCondition(items[0], `${path}items[0].`) : undefined;
		return found ? { condition: found } : {};
	};
	const prefix = readBytes(object, "prefix", path);
	switch (op) {
		case "get":
			return {
				op,
				ns,
				touch: member(object, "touch") !== false,
				stale: member(object, "stale") === true,
				references: member(object, "references") === true,
				zstd: member(object, "zstd") === true,
				items: keys(),
			};
		case "exists":
			return { op, ns, items: keys() };
		case "set": {
			const items = readItemObjects(object, path).map((item, i) => readSetItem(item, `${path}items[${i}].`));
			return { op, ns, defaults: readDefaults(object, own, path), items, ...condition() };
		}
		case "delete":
			return { op, ns, items: keys(), ...condition() };
		case "expire": {
			const items = readItemObjects(object, path).map((item, i) => readExpireItem(item, `${path}items[${i}].`));
			return { op, ns, defaults: readDefaults(object, own, path), items, ...condition() };
		}
		case "clear":
			return { op, ns, ...(prefix ? { prefix } : {}) };
		case "drop":
			return { op, ns };
		case "scan": {
			const after = readBytes(object, "after", path);
			const limit = readWhole(object, "limit", SCAN_MAX, path) ?? SCAN_MAX;
			if (limit < 1) throw new HttpError(400, `"${path}limit" must be a whole number from 1 to ${SCAN_MAX}`);
			const bytes = readWhole(object, "max_key_bytes", Number.MAX_SAFE_INTEGER, path);
			return {
				op,
				ns,
				limit,
				...(prefix ? { prefix } : {}),
				...(after ? { after } : {}),
				...(bytes ? { max_key_bytes: bytes } : {}),
			};
		}
		default:
			return {
				op: "configure",
				ns,
				defaults: readDefaults(object, own, path),
				change: readSettings(object, path),
			};
	}
}

/* ---- Writing ---- */

function bytesMember(name: string, { bytes, text }: Key): Record<string, string> {
	return text !== null ? { [name]: text } : { [`${name}_b64`]: base64(bytes) };
}

function writeItem(item: ItemResult): object {
	const { value, form, etag, ...rest } = item;
	const flags = form?.flags;
	return {
		...rest,
		...(value && !form ? bytesMember("value", value) : {}),
		...(value && form?.kind === "reference" ? { reference: { text: value.text, flags } } : {}),
		...(value && form?.kind === "zstd" ? { value: { zstd_b64: base64(value.bytes), flags } } : {}),
		...(etag === undefined ? {} : { etag: `"${etag}"` }),
	};
}

function writeResult(result: OpResult): object {
	return {
		...result,
		...(result.items ? { items: result.items.map(writeItem) } : {}),
		...(result.entries
			? {
					entries: result.entries.map(({ key, etag, ...rest }) => ({
						...bytesMember("key", key),
						...rest,
						etag: `"${etag}"`,
					})),
				}
			: {}),
	};
}

export async function ops(c: Call): Promise<Response> {
	const body = await readObject(c.req.raw);
	const own = settingsOf(c);
	const list = readArray(body, "ops");
	if (list.length > OPS_MAX) throw new HttpError(400, `"ops" may hold up to ${OPS_MAX} operations`);
	const parsed = list.map((object, i) => {
		if (!isObject(object)) throw new HttpError(400, `"ops[${i}]" must be an object`);
		return readOp(object, own, `ops[${i}].`);
	});
	const count = parsed.reduce((sum, op) => sum + ("items" in op ? op.items.length : 0), 0);
	if (count > MAX_BATCH_ITEMS)
		throw new HttpError(400, `a request may hold up to ${MAX_BATCH_ITEMS} items`);
	const now = readWhole(body, "now_us", Number.MAX_SAFE_INTEGER) ?? nowUs();
	const results = await runOps(opsContext(c, now), parsed);
	return jsonResponse(JSON.stringify({ results: results.map(writeResult) }));
}
