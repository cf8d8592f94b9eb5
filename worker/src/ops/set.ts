/** set: see the head of ops.ts. */
import { carry, etagOf, extraBytes, store } from "../content";
import type { Place } from "../content";
import type { Bound, Row } from "../db";
import type { Op, OpResult, SetItem } from "../op_types";
import {
	bind, conditionHolds, conditionOf, defaultsOf, failure, number, placeArray, places, request, SWEEP_MAX,
} from "./step";
import type { OpsContext, Step } from "./step";

/** Most entries that one batch evicts, sweeps or clears. */
export const EVICT_MAX = 5000;
const STRICT_ROUNDS = 3;
const ROUNDS_MAX = 15;
/** D1: bytes of a row, and of a bound value. */
export const ROW_MAX_BYTES = 2000000;
/** Bytes of other columns and of the row's own format. */
const ROW_OVERHEAD_BYTES = 1000;
/** Values are sent together up to this length. */
const PIECE_MAX_CHARS = 300000;

/** The statements that store keys and values; a sentence if one is too large for a row. */
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
		const value = store(item.value, item.form);
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

/** An item in the form that the statements take. */
function itemRow(item: SetItem, at: Place | undefined, etag: string | undefined): string {
	const history = item.history;
	const extra = extraBytes(item.key, item.content_type);
	const row = `${at?.id},"${at?.tag}",${item.size},${item.ttl_s ?? null},"${etag}",${extra}`;
	if (!history) return `[${row}]`;
	return `[${row},${history.frequency},${history.created_us},${history.last_access_us},${history.expires_us ?? null}]`;
}

/** What a PUT is to answer, if that is configured. */
function putStatus(outcome: Row | undefined): { put_status?: number } {
	return outcome?.put_status ? { put_status: number(outcome.put_status) } : {};
}

/** The result of a set if the capacity is 0: it has only removed existing entries. */
function nothingStored(op: Extract<Op, { op: "set" }>, outcome: Row, found: Row[]): OpResult {
	const live = new Set(found.filter((row) => row.live === 1).map((row) => number(row.i)));
	return {
		status: "ok",
		history: true,
		stored: false,
		...putStatus(outcome),
		evicted: live.size,
		expired: found.length - live.size,
		items: op.items.map((_, i) => ({ status: "ok", created: !live.has(i), modified_us: 0, expires_us: 0 })),
	};
}

/** Why a set was not admitted; null: more has to be evicted. */
function refusal(
	op: Extract<Op, { op: "set" }>,
	outcome: Row | undefined,
	found: Row[],
): OpResult | null {
	if (!outcome)
		return failure("too_many_namespaces", "too many namespaces; raise the variable MAX_NAMESPACES");
	const before = found[0];
	if (!conditionHolds(op.condition, number(before?.live) === 1, String(before?.etag ?? "")))
		return failure("precondition_failed");
	if (number(outcome.capacity) === 0) return nothingStored(op, outcome, found);
	const used = op.items.reduce((sum, item) => sum + item.size + extraBytes(item.key, item.content_type), 0);
	if (number(outcome.max_size) > 0 && used > number(outcome.max_size)) return failure("too_large");
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

export async function stepSet(context: OpsContext, op: Extract<Op, { op: "set" }>): Promise<Step | OpResult> {
	const at = await places(op.ns, op.items);
	const etags = await Promise.all(op.items.map((item) => item.form?.etag ?? etagOf(item.value)));
	const spared = placeArray(at);
	const items = `[${op.items.map((item, i) => itemRow(item, at[i], etags[i])).join(",")}]`;
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
					/* Expired entries would make room, but there are more
					 * than one sweep takes. */
					const mayHelp = refused?.status === "no_space" && swept.length >= SWEEP_MAX;
					if (refused && !(mayHelp && count < ROUNDS_MAX)) return refused;
					if (count >= ROUNDS_MAX)
						return failure("unavailable", "the namespace is being written too fast; try again");
					return round(count + 1, number(outcome?.by_size) ? 1 : 2, gone === 0 && count > 0);
				}
				const live = new Set(found.filter((row) => row.live === 1).map((row) => number(row.i)));
				expired += found.filter((row) => row.live === 0).length;
				return {
					status: "ok",
					...(op.items.some((item) => item.history) ? { history: true } : {}),
					...putStatus(outcome),
					evicted,
					expired,
					items: op.items.map((item, i) => {
						const ttl = item.ttl_s ?? number(outcome?.default_ttl);
						return {
							status: "ok" as const,
							created: !live.has(i),
							etag: etags[i] ?? "",
							modified_us: context.now_us,
							expires_us: item.history?.expires_us ?? (ttl > 0 ? context.now_us + ttl * 1000000 : 0),
						};
					}),
				};
			},
		};
	};
	if (op.items.length === 0) return { status: "ok", items: [], evicted: 0, expired: 0 };
	return round(0, 0, false);
}
