/** clear, drop, scan, stats, configure */
import { hex } from "../bytes";
import { carriedBack, carry, fromBytes } from "../content";
import type { Carried, Key } from "../content";
import type { Row } from "../db";
import { COMPRESSIONS, MIB } from "../env";
import type { Settings } from "../env";
import type { EntryInfo, Op } from "../op_types";
import { EVICT_MAX } from "./set";
import { bind, defaultsOf, failure, number, request, SWEEP_MAX } from "./step";
import type { OpsContext, Step } from "./step";

const CLEAR_MAX = 1000;
const INDEXED_KEY_BYTES = 64;
/** A page of a listing ends once its keys have this many bytes. */
const PAGE_KEY_BYTES = MIB;
/** The listing itself returns keys up to this length. */
const SHORT_KEY_BYTES = 4096;

/** Bounds, in hex, of the entries in the index of keys whose keys begin with the prefix. */
function prefixBounds(prefix: Uint8Array): { low: string; high: string } {
	const low = prefix.subarray(0, INDEXED_KEY_BYTES);
	let end = low.length;
	while (end > 0 && low[end - 1] === 0xff) end--;
	if (end === 0) return { low: hex(low), high: "ff".repeat(INDEXED_KEY_BYTES + 1) };
	const high = low.slice(0, end);
	high[end - 1] = (high[end - 1] ?? 0) + 1;
	return { low: hex(low), high: hex(high) };
}

function stepClearPrefix(context: OpsContext, ns: string, prefix: Key, deleted: number): Step {
	const carried = carry(prefix);
	const head = request(context, ns, {
		...prefixBounds(prefix.bytes),
		prefix_is_text: carried.is_text,
		prefix_length: prefix.bytes.length,
		limit: CLEAR_MAX,
	});
	return {
		statements: [bind("clear_prefix", head, carried.text)],
		read([gone = []]) {
			const sum = deleted + gone.filter((row) => row.expired === 0).length;
			if (gone.length === CLEAR_MAX) return stepClearPrefix(context, ns, prefix, sum);
			return {
				statements: [bind("add_deletes", request(context, ns, { deletes: sum }))],
				read: () => ({ status: "ok", deleted: sum }),
			};
		},
	};
}

export function stepClear(context: OpsContext, op: Extract<Op, { op: "clear" }>): Step {
	if (op.prefix && op.prefix.bytes.length > 0)
		return stepClearPrefix(context, op.ns, op.prefix, 0);
	const head = request(context, op.ns, { sweep_max: CLEAR_MAX });
	return {
		statements: [
			bind("clear_count", head),
			bind("clear_drop", head),
			bind("clear_renew", head),
			bind("sweep", head),
			bind("forget_dropped"),
		],
		read: ([counts = []]) => ({ status: "ok", deleted: number(counts[0]?.entry_count) }),
	};
}

/** As a clear, and the namespace goes too. */
export function stepDrop(context: OpsContext, op: Extract<Op, { op: "drop" }>): Step {
	const head = request(context, op.ns, { sweep_max: CLEAR_MAX });
	return {
		statements: [
			bind("clear_count", head),
			bind("clear_drop", head),
			bind("drop_namespace", head),
			bind("sweep", head),
			bind("forget_dropped"),
		],
		read: ([counts = []]) =>
			counts.length === 0
				? failure("not_found", "there is no such namespace")
				: { status: "ok", deleted: number(counts[0]?.entry_count) },
	};
}

/** How many of the rows make a page: up to the row whose key reaches the limit of bytes. */
function pageLength(rows: Row[], op: Extract<Op, { op: "scan" }>): number {
	const most = Math.min(op.max_key_bytes ?? PAGE_KEY_BYTES, PAGE_KEY_BYTES);
	let bytes = 0;
	let length = 0;
	while (length < Math.min(rows.length, op.limit) && bytes < most) bytes += number(rows[length++]?.length);
	return length;
}

/** Times of the order (statements.sql: put_entries) may be ahead of a clock that was set back. */
function readEntry(row: Row, now: number): EntryInfo {
	return {
		key: carriedBack(number(row.key_is_text), String(row.key)),
		size: number(row.size),
		etag: String(row.etag),
		frequency: number(row.frequency),
		last_access_us: Math.min(number(row.last_access), now),
		created_us: Math.min(number(row.created), now),
		expires_us: number(row.expires),
	};
}

export function stepScan(context: OpsContext, op: Extract<Op, { op: "scan" }>): Step {
	const prefix = op.prefix ?? fromBytes(new Uint8Array());
	const carried = carry(prefix);
	const after: Carried | null = op.after ? carry(op.after) : null;
	const bounds = prefixBounds(prefix.bytes);
	if (op.after) {
		const from = hex(op.after.bytes.subarray(0, INDEXED_KEY_BYTES));
		if (from > bounds.low) bounds.low = from;
	}
	const head = request(context, op.ns, {
		...bounds,
		prefix_is_text: carried.is_text,
		prefix_length: prefix.bytes.length,
		after_is_text: after ? after.is_text : null,
		limit: op.limit + 1,
		short: SHORT_KEY_BYTES,
	});
	return {
		statements: [bind("scan", head, carried.text, after ? after.text : "")],
		read([rows = []]) {
			const page = rows.slice(0, pageLength(rows, op));
			const complete = page.length === rows.length;
			const long = page.filter((row) => row.key === null).map((row) => String(row.id));
			if (long.length === 0) return { status: "ok", complete, entries: page.map((row) => readEntry(row, context.now_us)) };
			return {
				statements: [bind("keys_of", JSON.stringify({ ids: long }))],
				read([found = []]) {
					const keys = new Map(found.map((row) => [String(row.id), String(row.key)]));
					/* Leaves out entries that were removed in the meantime. */
					const entries = page
						.map((row) => ({ ...row, key: row.key ?? keys.get(String(row.id)) ?? null }))
						.filter((row) => row.key !== null)
						.map((row) => readEntry(row, context.now_us));
					return entries.length === 0 && !complete
						? stepScan(context, op)
						: { status: "ok", complete, entries };
				},
			};
		},
	};
}

const STATS_OF_NOTHING: Row = {
	entry_count: 0, total_size: 0, used_bytes: 0, frequency_sum: 0, max_frequency: 0, hits: 0, misses: 0, sets: 0,
	deletes: 0, evictions: 0, expirations: 0, stale_hits: 0, max_size: null, capacity: null, default_ttl: null,
	policy: null, stale_ttl: null, max_idle: null, compression: null, put_status: null,
};

export function stepStats(context: OpsContext, op: Extract<Op, { op: "stats" }>): Step {
	const head = request(context, op.ns ?? null, { sweep_max: SWEEP_MAX });
	return {
		statements: [bind("sweep", head), bind("forget_dropped"), bind("stats", head)],
		read([, , rows = []]) {
			const found = op.ns !== undefined && rows.length === 0 ? [{ ...STATS_OF_NOTHING, name: op.ns }] : rows;
			return {
				status: "ok",
				namespaces: found.map((row) => {
					const ns = String(row.name);
					const defaults = op.defaults(ns);
					const count = number(row.entry_count);
					return {
						ns,
						entry_count: count,
						total_size: number(row.total_size),
						used_bytes: number(row.used_bytes),
						avg_frequency: count > 0 ? number(row.frequency_sum) / count : 0,
						max_frequency: number(row.max_frequency),
						max_size_bytes: row.max_size === null ? defaults.max_size_bytes : number(row.max_size),
						capacity: row.capacity === null ? defaults.capacity : number(row.capacity),
						default_ttl_s: row.default_ttl === null ? defaults.default_ttl_s : number(row.default_ttl),
						policy: row.policy === null ? defaults.policy : (String(row.policy) as Settings["policy"]),
						stale_ttl_s: number(row.stale_ttl),
						max_idle_s: number(row.max_idle),
						compression: COMPRESSIONS[number(row.compression)] ?? "none",
						put_status: number(row.put_status),
						hits: number(row.hits),
						misses: number(row.misses),
						stale_hits: number(row.stale_hits),
						sets: number(row.sets),
						deletes: number(row.deletes),
						evictions: number(row.evictions),
						expirations: number(row.expirations),
					};
				}),
			};
		},
	};
}

export function stepConfigure(
	context: OpsContext,
	op: Extract<Op, { op: "configure" }>,
	round: number,
	continuing: number,
	evicted: number,
): Step {
	const { stale_ttl_s, max_idle_s, compression, put_status } = op.change;
	const head = request(context, op.ns, {
		...defaultsOf(op.defaults),
		max_namespaces: context.max_namespaces,
		set_max_size: op.change.max_size_bytes ?? null,
		set_capacity: op.change.capacity ?? null,
		set_default_ttl: op.change.default_ttl_s ?? null,
		set_policy: op.change.policy ?? null,
		set_stale_ttl: stale_ttl_s ?? null,
		set_max_idle: max_idle_s ?? null,
		set_compression: compression === undefined ? null : COMPRESSIONS.indexOf(compression),
		set_put_status: put_status ?? null,
		continuing,
		evict_max: EVICT_MAX,
		sweep_max: CLEAR_MAX,
	});
	const first = round > 0 ? [] : [bind("ensure_namespace", head), bind("configure", head)];
	if (round === 0 && op.change.policy === "fifo") first.push(bind("mark_fifo", head));
	if (round === 0 && stale_ttl_s !== undefined) first.push(bind("mark_kept", head));
	if (round === 0 && max_idle_s !== undefined) first.push(bind("mark_idle", head));
	// Expired entries go before live ones.
	first.push(bind("sweep", head));
	return {
		statements: [
			...first,
			bind("plan_limits", head),
			bind("evict", head, "[]"),
			bind("set_result", head),
			bind("settle", head),
		],
		read(rows) {
			const gone = (rows[first.length + 1] ?? []).length;
			const outcome = rows[first.length + 2]?.[0];
			if (!outcome)
				return failure("too_many_namespaces", "too many namespaces; raise the variable MAX_NAMESPACES");
			if (number(outcome.unfinished) && gone > 0)
				return stepConfigure(context, op, round + 1, number(outcome.by_size) ? 1 : 2, evicted + gone);
			return {
				status: "ok",
				evicted: evicted + gone,
				...(stale_ttl_s === undefined ? {} : { stale_ttl_s }),
				...(max_idle_s === undefined ? {} : { max_idle_s }),
				...(compression === undefined ? {} : { compression }),
				...(put_status === undefined ? {} : { put_status }),
			};
		},
	};
}
