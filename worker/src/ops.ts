/**
 * Operations become statements of sql/statements.sql, and their rows become results.
 *
 * Each operation is a Step: statements that run in one transaction, and a function that reads
 * their rows and gives the result, or the next Step where there is more to do. The steps of many
 * operations go to D1 together, one after the other in one batch, so a request costs one round
 * trip; only a step that goes on costs another. Neighbours that do the same to one namespace are
 * merged into one operation first (merge.ts).
 *
 * SET: ensure_namespace, sweep, probe, plan, evict, admit, make_way, put_entries, put_contents,
 * set_result, settle. Of its rows matter: probe (which items are there, for `created` and the
 * condition) and set_result. Where `admitted` is 0 the reason is looked for in this order: no row
 * (too many namespaces), capacity 0 (accepted, nothing stored), the condition, an item or a batch
 * larger than the limits, policy none; if it is none of these, more has to be evicted: the same
 * again, with `continuing` 1 or 2. After STRICT_ROUNDS rounds the limit itself is enough
 * (strict 0), so that a set ends however much is to go; what was evicted by then stays evicted, so
 * that even a set which fails (a Worker may run 50 queries a request on the free plan) has
 * brought the next one nearer. A round that evicted nothing can only be a FIFO namespace
 * whose entries were stored under another policy: mark_fifo puts that right.
 *
 * CONFIGURE: ensure_namespace, configure, plan_limits, evict, set_result, settle, and again while
 * set_result says `unfinished`.
 */
import { carriedBack, carry, etagOf, fromBytes, placeOf, store, storedBack } from "./content";
import type { Carried, Key, Place } from "./content";
import { BATCH_MAX, runBatch, StoreError } from "./db";
import type { Bound, Row, Usage } from "./db";
import { hex } from "./bytes";
import type { Settings } from "./env";
import { mergeOps, splitResult } from "./merge";
import type { Condition, ItemResult, Op, OpResult, SetItem, Status } from "./op_types";

export interface OpsContext {
	db: D1Database;
	now_us: number;
	max_namespaces: number;
	usage: Usage;
}

interface Step {
	statements: Bound[];
	read(rows: Row[][]): OpResult | Step;
}

/** Entries that one batch evicts, sweeps or clears at most. */
const EVICT_MAX = 5000;
const SWEEP_MAX = 200;
const CLEAR_MAX = 1000;
const STRICT_ROUNDS = 3;
const ROUNDS_MAX = 15;
/** D1: bytes of a row, and of a bound value. */
export const ROW_MAX_BYTES = 2000000;
/** Bytes of other columns and of the row's own format. */
const ROW_OVERHEAD_BYTES = 1000;
/** Values are sent together up to this length. */
const PIECE_MAX_CHARS = 300000;
const INDEXED_KEY_BYTES = 64;

type Member = string | number | null | string[];

function bind(name: string, ...params: string[]): Bound {
	return { name, params };
}

function request(context: OpsContext, ns: string | null, members: Record<string, Member> = {}): string {
	return JSON.stringify({ ns, now: context.now_us, ...members });
}

function defaultsOf(settings: Settings): Record<string, Member> {
	return {
		max_size: settings.max_size_bytes,
		capacity: settings.capacity,
		default_ttl: settings.default_ttl_s,
		policy: settings.policy,
	};
}

function conditionOf(condition: Condition | undefined): Record<string, Member> {
	return { kind: condition?.kind ?? null, etags: condition?.etags ?? [] };
}

function places(ns: string, items: { key: Key }[]): Promise<Place[]> {
	return Promise.all(items.map((item) => placeOf(ns, item.key)));
}

function placeArray(list: Place[]): string {
	return `[${list.map(({ id, tag }) => `[${id},"${tag}"]`).join(",")}]`;
}

const number = (value: string | number | null | undefined): number => Number(value ?? 0);

function failure(status: Status, detail?: string): OpResult {
	return detail === undefined ? { status } : { status, detail };
}

/* ---- get, exists ---- */

async function stepGet(context: OpsContext, op: Extract<Op, { op: "get" }>): Promise<Step> {
	const head = request(context, op.ns);
	const items = placeArray(await places(op.ns, op.items));
	const statements = [bind("get_items", head, items)];
	if (op.touch)
		statements.push(bind("touch_items", head, items), bind("count_gets", head, items));
	return {
		statements,
		read([found = []]) {
			const results: ItemResult[] = op.items.map(() => ({ status: "not_found" }));
			for (const row of found)
				results[number(row.i)] = {
					status: "ok",
					value: storedBack(number(row.encoding), String(row.value)),
					content_type: String(row.type),
					etag: String(row.etag),
					modified_us: number(row.modified),
					expires_us: number(row.expires),
				};
			return { status: "ok", items: results };
		},
	};
}

async function stepExists(context: OpsContext, op: Extract<Op, { op: "exists" }>): Promise<Step> {
	const items = placeArray(await places(op.ns, op.items));
	return {
		statements: [bind("exist_items", request(context, op.ns), items)],
		read([found = []]) {
			const results: ItemResult[] = op.items.map(() => ({ status: "not_found" }));
			for (const row of found) results[number(row.i)] = { status: "ok" };
			return { status: "ok", items: results };
		},
	};
}

/* ---- set ---- */

/** The statements that store keys and values; a sentence where one is too large for a row. */
function contentStatements(head: string, items: SetItem[], at: Place[]): Bound[] | string {
	const statements: Bound[] = [];
	let piece: string[] = [];
	let chars = 0;
	const flush = (): void => {
		if (piece.length) statements.push(bind("put_contents", head, `[${piece.join(",")}]`));
		piece = [];
		chars = 0;
	};
	for (const [i, item] of items.entries()) {
		const key = carry(item.key);
		const value = store(item.value);
		const id = at[i]?.id ?? "0";
		const row = item.key.bytes.length + value.stored_bytes + ROW_OVERHEAD_BYTES;
		if (row > ROW_MAX_BYTES || key.text.length > ROW_MAX_BYTES)
			return (
				`the key and the value together are larger than D1 takes in a row ` +
				`(${ROW_MAX_BYTES} bytes; bytes that are no UTF-8 count four thirds)`
			);
		if (key.text.length + value.text.length > PIECE_MAX_CHARS) {
			const small = JSON.stringify([key.is_text, item.content_type, value.encoding]);
			statements.push(bind("put_content", head, `[${id},${small.slice(1)}`, key.text, value.text));
			continue;
		}
		const rest = JSON.stringify([key.is_text, key.text, item.content_type, value.encoding, value.text]);
		if (chars + rest.length > PIECE_MAX_CHARS) flush();
		piece.push(`[${id},${rest.slice(1)}`);
		chars += rest.length;
	}
	flush();
	return statements;
}

function conditionHolds(condition: Condition | undefined, live: boolean, etag: string): boolean {
	switch (condition?.kind) {
		case undefined:
			return true;
		case "absent":
			return !live;
		case "present":
			return live;
		case "match":
			return live && condition.etags.includes(etag);
		case "none_match":
			return !(live && condition.etags.includes(etag));
	}
}

/** Why a set was not let in; null: more has to be evicted. */
function refusal(
	op: Extract<Op, { op: "set" }>,
	outcome: Row | undefined,
	found: Row[],
): OpResult | null {
	if (!outcome)
		return failure("too_many_namespaces", "too many namespaces; raise the variable MAX_NAMESPACES");
	if (number(outcome.capacity) === 0)
		return { status: "ok", items: op.items.map(() => ({ status: "ok", created: true, modified_us: 0, expires_us: 0 })), evicted: 0, expired: 0 };
	const before = found[0];
	if (!conditionHolds(op.condition, number(before?.live) === 1, String(before?.etag ?? "")))
		return failure("precondition_failed");
	const size = op.items.reduce((sum, item) => sum + item.size, 0);
	if (number(outcome.max_size) > 0 && size > number(outcome.max_size)) return failure("too_large");
	if (number(outcome.capacity) > 0 && op.items.length > number(outcome.capacity))
		return failure(
			"too_large",
			"the batch has more items than the namespace may hold entries",
		);
	if (outcome.policy === "none")
		return failure(
			"no_space",
			'the namespace is full and its eviction is "none"; delete entries or raise its limits',
		);
	return null;
}

async function stepSet(context: OpsContext, op: Extract<Op, { op: "set" }>): Promise<Step | OpResult> {
	const at = await places(op.ns, op.items);
	const etags = await Promise.all(op.items.map((item) => etagOf(item.value)));
	const spared = placeArray(at);
	const items = `[${op.items
		.map((item, i) => `[${at[i]?.id},"${at[i]?.tag}",${item.size},${item.ttl_s ?? null},"${etags[i]}"]`)
		.join(",")}]`;
	let evicted = 0;
	let expired = 0;

	const round = (count: number, continuing: number, mark: boolean): Step | OpResult => {
		const head = request(context, op.ns, {
			...defaultsOf(op.defaults),
			...conditionOf(op.condition),
			max_namespaces: context.max_namespaces,
			token: crypto.randomUUID(),
			continuing,
			strict: count < STRICT_ROUNDS ? 1 : 0,
			sweep_max: SWEEP_MAX,
			evict_max: EVICT_MAX,
		});
		const contents = contentStatements(head, op.items, at);
		if (typeof contents === "string") return failure("too_large", contents);
		const statements = [
			...(count === 0 ? [bind("ensure_namespace", head)] : []),
			...(mark ? [bind("mark_fifo", head)] : []),
			bind("sweep", head),
			bind("probe", head, items),
			bind("plan", head, items),
			bind("evict", head, spared),
			bind("admit", head, items),
			bind("make_way", head, items),
			bind("put_entries", head, items),
			...contents,
			bind("set_result", head),
			bind("settle", head),
		];
		const offset = (count === 0 ? 1 : 0) + (mark ? 1 : 0);
		return {
			statements,
			read(rows) {
				const swept = rows[offset] ?? [];
				const found = rows[offset + 1] ?? [];
				const gone = (rows[offset + 3] ?? []).length;
				const outcome = rows[rows.length - 2]?.[0];
				expired += swept.filter((row) => row.expired === 1).length;
				evicted += gone;
				if (number(outcome?.admitted) !== 1) {
					const refused = refusal(op, outcome, found);
					if (refused) return refused;
					if (count >= ROUNDS_MAX)
						return failure("unavailable", "the namespace is being written too fast; try again");
					return round(count + 1, number(outcome?.by_size) ? 1 : 2, gone === 0 && count > 0);
				}
				const live = new Set(found.filter((row) => row.live === 1).map((row) => number(row.i)));
				expired += found.filter((row) => row.live === 0).length;
				return {
					status: "ok",
					evicted,
					expired,
					items: op.items.map((item, i) => {
						const ttl = item.ttl_s ?? number(outcome?.default_ttl);
						return {
							status: "ok" as const,
							created: !live.has(i),
							etag: etags[i] ?? "",
							modified_us: context.now_us,
							expires_us: ttl > 0 ? context.now_us + ttl * 1000000 : 0,
						};
					}),
				};
			},
		};
	};
	if (op.items.length === 0) return { status: "ok", items: [], evicted: 0, expired: 0 };
	return round(0, 0, false);
}

/* ---- delete, clear ---- */

async function stepDelete(context: OpsContext, op: Extract<Op, { op: "delete" }>): Promise<Step> {
	const items = placeArray(await places(op.ns, op.items));
	const head = request(context, op.ns, conditionOf(op.condition));
	return {
		statements: [
			bind("probe", head, items),
			bind("count_deletes", head, items),
			bind("delete_items", head, items),
		],
		read([found = [], , gone = []]) {
			const before = found[0];
			if (!conditionHolds(op.condition, number(before?.live) === 1, String(before?.etag ?? "")))
				return failure("precondition_failed");
			const results: ItemResult[] = op.items.map(() => ({ status: "not_found" }));
			for (const row of found) if (row.live === 1) results[number(row.i)] = { status: "ok" };
			return {
				status: "ok",
				items: results,
				expired: gone.filter((row) => row.expired === 1).length,
			};
		},
	};
}

/** Bounds, in hex, of what the index of keys holds of keys that begin with the prefix. */
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

function stepClear(context: OpsContext, op: Extract<Op, { op: "clear" }>): Step {
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

/* ---- scan, stats ---- */

function stepScan(context: OpsContext, op: Extract<Op, { op: "scan" }>): Step {
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
	});
	return {
		statements: [bind("scan", head, carried.text, after ? after.text : "")],
		read([rows = []]) {
			return {
				status: "ok",
				complete: rows.length <= op.limit,
				entries: rows.slice(0, op.limit).map((row) => ({
					key: carriedBack(number(row.key_is_text), String(row.key)),
					size: number(row.size),
					etag: String(row.etag),
					frequency: number(row.frequency),
					last_access_us: number(row.last_access),
					created_us: number(row.created),
					expires_us: number(row.expires),
				})),
			};
		},
	};
}

const STATS_OF_NOTHING: Row = {
	entry_count: 0, total_size: 0, frequency_sum: 0, max_frequency: 0, hits: 0, misses: 0, sets: 0,
	deletes: 0, evictions: 0, expirations: 0, max_size: null, capacity: null, default_ttl: null, policy: null,
};

function stepStats(context: OpsContext, op: Extract<Op, { op: "stats" }>): Step {
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
						avg_frequency: count > 0 ? number(row.frequency_sum) / count : 0,
						max_frequency: number(row.max_frequency),
						max_size_bytes: row.max_size === null ? defaults.max_size_bytes : number(row.max_size),
						capacity: row.capacity === null ? defaults.capacity : number(row.capacity),
						default_ttl_s: row.default_ttl === null ? defaults.default_ttl_s : number(row.default_ttl),
						policy: row.policy === null ? defaults.policy : (String(row.policy) as Settings["policy"]),
						hits: number(row.hits),
						misses: number(row.misses),
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

/* ---- configure, check ---- */

function stepConfigure(
	context: OpsContext,
	op: Extract<Op, { op: "configure" }>,
	round: number,
	continuing: number,
	evicted: number,
): Step {
	const head = request(context, op.ns, {
		...defaultsOf(op.defaults),
		max_namespaces: context.max_namespaces,
		set_max_size: op.change.max_size_bytes ?? null,
		set_capacity: op.change.capacity ?? null,
		set_default_ttl: op.change.default_ttl_s ?? null,
		set_policy: op.change.policy ?? null,
		continuing,
		evict_max: EVICT_MAX,
	});
	const first = round > 0 ? [] : [bind("ensure_namespace", head), bind("configure", head)];
	if (round === 0 && op.change.policy === "fifo") first.push(bind("mark_fifo", head));
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
			return { status: "ok", evicted: evicted + gone };
		},
	};
}

async function begin(context: OpsContext, op: Op): Promise<Step | OpResult> {
	switch (op.op) {
		case "get":
			return stepGet(context, op);
		case "exists":
			return stepExists(context, op);
		case "set":
			return stepSet(context, op);
		case "delete":
			return stepDelete(context, op);
		case "clear":
			return stepClear(context, op);
		case "scan":
			return stepScan(context, op);
		case "stats":
			return stepStats(context, op);
		case "configure":
			return stepConfigure(context, op, 0, 0, 0);
		case "check":
			return { statements: [bind("check")], read: () => ({ status: "ok" }) };
	}
}

/* ---- Running them ---- */

function isStep(step: Step | OpResult): step is Step {
	return "statements" in step;
}

function failed(error: unknown): OpResult {
	if (error instanceof StoreError) return failure(error.status, error.message);
	throw error;
}

/** Runs the operations, each step of all of them in one batch; the results in order. */
export async function runOps(context: OpsContext, ops: Op[]): Promise<OpResult[]> {
	const groups = mergeOps(ops);
	const results = await runMerged(context, groups.map((group) => group.op));
	/* Operations that were refused together may do alone. */
	const again = groups.map((group, i) => results[i]?.status !== "ok" && group.lengths.length > 1);
	const ones = groups.flatMap((group, i) => (again[i] ? group.parts : []));
	const alone = ones.length > 0 ? await runMerged(context, ones) : [];
	return groups.flatMap((group, i) =>
		again[i] ? alone.splice(0, group.parts.length) : splitResult(group, results[i] ?? failure("internal")),
	);
}

async function runMerged(context: OpsContext, ops: Op[]): Promise<OpResult[]> {
	const states: (Step | OpResult)[] = await Promise.all(ops.map((op) => begin(context, op)));
	for (;;) {
		const group: number[] = [];
		let length = 0;
		for (const [i, state] of states.entries()) {
			if (!isStep(state)) continue;
			if (length > 0 && length + state.statements.length > BATCH_MAX) break;
			group.push(i);
			length += state.statements.length;
		}
		if (group.length === 0) break;
		await runGroup(context, states, group);
	}
	return states.map((state) => (isStep(state) ? failure("internal") : state));
}

async function runGroup(context: OpsContext, states: (Step | OpResult)[], group: number[]): Promise<void> {
	const steps = group.map((i) => states[i]).filter((state): state is Step => !!state && isStep(state));
	try {
		const rows = await runBatch(context, steps.flatMap((step) => step.statements));
		let at = 0;
		for (const [n, step] of steps.entries()) {
			const mine = rows.slice(at, at + step.statements.length);
			at += step.statements.length;
			states[group[n] ?? 0] = step.read(mine);
		}
	} catch (error) {
		/* The batch was rolled back. One statement may have spoilt it for all. */
		const alone = group.length === 1 || (error instanceof StoreError && error.status === "unavailable");
		if (alone) for (const i of group) states[i] = failed(error);
		else for (const i of group) await runGroup(context, states, [i]);
	}
}

export async function runOp(context: OpsContext, op: Op): Promise<OpResult> {
	const [result] = await runOps(context, [op]);
	return result ?? failure("internal");
}

