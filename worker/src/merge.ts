/**
 * Joins neighbouring operations of one request that do the same to one namespace: a front sends
 * what many clients want at one moment, and each statement counts (a free plan's Worker may run 50
 * a request). Conditions are per operation, and a key may appear in an operation only once.
 *
 * Merged sets that were refused are retried one by one, after everything else of the request. To
 * make this invisible, sets are merged only if nothing else in the request looks at their keys.
 */
import { hex } from "./bytes";
import type { Key } from "./content";
import type { KeyItem, Op, OpResult } from "./op_types";

export interface Group {
	op: Op;
	parts: Op[];
	/** Items of each part. */
	lengths: number[];
}

type Mergeable = Extract<Op, { items: KeyItem[] }>;

function nameOf(key: Key): string {
	return key.text ?? `\0${hex(key.bytes)}`;
}

function mergeable(op: Op): op is Mergeable {
	return "items" in op && op.items.length > 0 && !("condition" in op && op.condition);
}

function alike(a: Mergeable, b: Mergeable): boolean {
	if (a.ns !== b.ns) return false;
	if (a.op === "get" && b.op === "get") return a.touch === b.touch && a.stale === b.stale && a.references === b.references && a.zstd === b.zstd;
	if (a.op === "set" && b.op === "set") {
		const [x, y] = [a.defaults, b.defaults];
		return (
			x.max_size_bytes === y.max_size_bytes &&
			x.capacity === y.capacity &&
			x.default_ttl_s === y.default_ttl_s &&
			x.policy === y.policy
		);
	}
	if (a.op === "expire" && b.op === "expire") return a.defaults.default_ttl_s === b.defaults.default_ttl_s;
	return a.op === b.op && (a.op === "exists" || a.op === "delete");
}

/** `a` followed by the items of `b`; both are of one kind. */
function joined(a: Mergeable, b: Mergeable): Op {
	if (a.op === "set" && b.op === "set") return { ...a, items: [...a.items, ...b.items] };
	return { ...a, items: [...a.items, ...b.items] } as Op;
}

/** Whether each set may run later than its position says. */
function movableSets(ops: Op[]): (op: Mergeable) => boolean {
	const uses = new Map<string, number>();
	const whole = new Set<string>();
	for (const op of ops) {
		if ("items" in op)
			for (const { key } of op.items) {
				const name = `${op.ns} ${nameOf(key)}`;
				uses.set(name, (uses.get(name) ?? 0) + 1);
			}
		else if (op.op !== "check") whole.add(op.ns ?? "");
	}
	return (op) =>
		!whole.has("") && !whole.has(op.ns) &&
		op.items.every(({ key }) => uses.get(`${op.ns} ${nameOf(key)}`) === 1);
}

export function mergeOps(ops: Op[]): Group[] {
	const groups: Group[] = [];
	const movable = movableSets(ops);
	let keys = new Set<string>();
	for (const op of ops) {
		const last = groups.at(-1);
		const names = mergeable(op) ? op.items.map((item) => nameOf(item.key)) : [];
		if (
			last && mergeable(op) && mergeable(last.op) && alike(last.op, op) &&
			(op.op !== "set" || (movable(op) && movable(last.op))) &&
			!names.some((name) => keys.has(name))
		) {
			last.op = joined(last.op, op);
			last.parts.push(op);
			last.lengths.push(op.items.length);
		} else {
			groups.push({ op, parts: [op], lengths: ["items" in op ? op.items.length : 0] });
			keys = new Set();
		}
		for (const name of names) keys.add(name);
	}
	return groups;
}

/** The result of a group as results of its parts; the first part gets the counts of removed
 * entries. */
export function splitResult(group: Group, result: OpResult): OpResult[] {
	if (group.lengths.length === 1) return [result];
	let at = 0;
	return group.lengths.map((length, i) => {
		const items = result.items?.slice(at, at + length) ?? [];
		at += length;
		const part: OpResult = { status: result.status, items };
		if (result.history !== undefined) part.history = result.history;
		if (result.stored !== undefined) part.stored = result.stored;
		if (result.evicted !== undefined) part.evicted = i === 0 ? result.evicted : 0;
		if (result.expired !== undefined) part.expired = i === 0 ? result.expired : 0;
		return part;
	});
}
