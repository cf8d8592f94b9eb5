/** get, exists, delete, expire */
import { formOf, storedBack } from "../content";
import type { ItemResult, Op } from "../op_types";
import { bind, conditionHolds, conditionOf, defaultsOf, failure, number, placeArray, places, request } from "./step";
import { ROW_MAX_BYTES } from "./set";
import type { OpsContext, Step } from "./step";

/** For the values of one operation: an isolate has 128 MB for everything that it does. */
const VALUES_MAX_BYTES = 33554432;

export async function stepGet(context: OpsContext, op: Extract<Op, { op: "get" }>): Promise<Step> {
	const head = request(context, op.ns, { max_bytes: VALUES_MAX_BYTES, ...(op.stale ? { stale: 1 } : {}) });
	const items = placeArray(await places(op.ns, op.items));
	const statements = [bind(op.items.length * ROW_MAX_BYTES > VALUES_MAX_BYTES ? "get_many" : "get_items", head, items)];
	if (op.touch)
		statements.push(bind("count_gets", head, items), bind("touch_items", head, items));
	return {
		statements,
		read([found = []]) {
			const results: ItemResult[] = op.items.map(() => ({ status: "not_found" }));
			if (found.some((row) => row.value === null))
				return failure(
					"too_large",
					`the values have more than ${VALUES_MAX_BYTES} bytes together; ask for fewer keys at a time`,
				);
			for (const row of found) {
				const form = formOf(number(row.encoding));
				if (form?.kind === "reference" && !op.references)
					return failure(
						"unsupported",
						"the value is in a store for large values; read it through a server with --large-values",
					);
				if (form?.kind === "zstd" && !op.zstd)
					return failure(
						"unsupported",
						"the value is compressed with zstd; read it through a server of a version that knows such",
					);
				results[number(row.i)] = {
					status: "ok",
					value: storedBack(number(row.encoding), String(row.value)),
					...(form ? { form } : {}),
					content_type: String(row.type),
					etag: String(row.etag),
					modified_us: number(row.modified),
					expires_us: number(row.expires),
					...(row.stale === 1 ? { stale: true } : {}),
				};
			}
			return { status: "ok", items: results };
		},
	};
}

export async function stepExists(context: OpsContext, op: Extract<Op, { op: "exists" }>): Promise<Step> {
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

export async function stepExpire(context: OpsContext, op: Extract<Op, { op: "expire" }>): Promise<Step> {
	const at = await places(op.ns, op.items);
	const rows = op.items.map((item, i) => `[${at[i]?.id},"${at[i]?.tag}",${item.ttl_s ?? null}]`);
	const items = `[${rows.join(",")}]`;
	const head = request(context, op.ns, { ...defaultsOf(op.defaults), ...conditionOf(op.condition) });
	return {
		statements: [bind("probe", head, items), bind("expire_items", head, items)],
		read([found = []]) {
			const before = found[0];
			if (!conditionHolds(op.condition, number(before?.live) === 1, String(before?.etag ?? "")))
				return failure("precondition_failed");
			const results: ItemResult[] = op.items.map(() => ({ status: "not_found" }));
			for (const row of found) if (row.live === 1) results[number(row.i)] = { status: "ok" };
			return { status: "ok", items: results };
		},
	};
}

export async function stepDelete(context: OpsContext, op: Extract<Op, { op: "delete" }>): Promise<Step> {
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
