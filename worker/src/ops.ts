/**
 * Operations become statements of sql/statements.sql, and their rows become results.
 *
 * Each operation is a Step: statements that run in one transaction, and a function that reads their
 * rows and returns the result, or the next Step if there is more to do. The steps of many
 * operations go to D1 together, one after the other in one batch, so a request costs one round
 * trip; only a step that continues costs another. Neighbours that do the same to one namespace are
 * merged into one operation first (merge.ts).
 *
 * SET: ensure_namespace, sweep, probe, plan, evict, admit, make_way, put_entries, put_contents,
 * set_result, settle. Two of them return rows that matter: probe (which items exist, for `created`
 * and the condition) and set_result. If `admitted` is 0 the reason is looked for in this order: no
 * row (too many namespaces), capacity 0 (accepted, nothing stored), the condition, an item or a
 * batch larger than the limits, policy none. If it is none of these, more has to be evicted: the
 * same statements again, with `continuing` 1 or 2. After STRICT_ROUNDS rounds it is enough to meet
 * the limit itself (strict 0), so that a set ends however much there is to evict. Evicted entries
 * stay evicted, so even a set that fails (a Worker may run 50 queries a request on the free plan)
 * helps the next one. A round that evicted nothing can only be a FIFO namespace whose entries were
 * stored under another policy: mark_fifo corrects that.
 *
 * CONFIGURE: ensure_namespace, configure, plan_limits, evict, set_result, settle, and again while
 * set_result says `unfinished`.
 */
import { BATCH_MAX, runBatch, StoreError } from "./db";
import { mergeOps, splitResult } from "./merge";
import type { Op, OpResult } from "./op_types";
import { stepDelete, stepExists, stepExpire, stepGet } from "./ops/entries";
import { stepClear, stepConfigure, stepDrop, stepScan, stepStats } from "./ops/namespace";
import { stepSet } from "./ops/set";
import { bind, failure } from "./ops/step";
import type { OpsContext, Step } from "./ops/step";

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
		case "expire":
			return stepExpire(context, op);
		case "clear":
			return stepClear(context, op);
		case "drop":
			return stepDrop(context, op);
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

function isStep(step: Step | OpResult): step is Step {
	return "statements" in step;
}

function failed(error: unknown): OpResult {
	if (error instanceof StoreError) return failure(error.status, error.message);
	throw error;
}

/** Runs the operations, each step of all of them in one batch; returns the results in order. */
export async function runOps(context: OpsContext, ops: Op[]): Promise<OpResult[]> {
	const groups = mergeOps(ops);
	const results = await runMerged(context, groups.map((group) => group.op));
	/* Operations that were refused together may succeed alone. */
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
		/* The batch was rolled back. One statement may have failed it for all. */
		const alone = group.length === 1 || (error instanceof StoreError && error.status === "unavailable");
		if (alone) for (const i of group) states[i] = failed(error);
		else for (const i of group) await runGroup(context, states, [i]);
	}
}

export async function runOp(context: OpsContext, op: Op): Promise<OpResult> {
	const [result] = await runOps(context, [op]);
	return result ?? failure("internal");
}
