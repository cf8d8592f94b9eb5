// Shared by the tests: a Worker of their own, and calls to it.
import { start } from "./runtime.mjs";

export const KEY = "a-key-for-the-tests";

export async function open(options = {}) {
	const worker = await start({ apiKey: KEY, ...options, vars: { SHOW_COST: "1", ...options.vars } });
	/** { status, headers, text, json, cost: { queries, read, written } } */
	async function call(method, path, body, headers = {}) {
		const payload =
			body === undefined || typeof body === "string" || body instanceof Uint8Array
				? body
				: JSON.stringify(body);
		// A connection for each: one that waits may be closed by the Worker just as it is used again.
		const response = await fetch(worker.url + path, {
			method,
			headers: { Authorization: `Bearer ${KEY}`, Connection: "close", ...headers },
			...(payload === undefined ? {} : { body: payload }),
		});
		const text = await response.text();
		const timing = /queries=(\d+) read=(\d+) written=(\d+)/.exec(response.headers.get("Server-Timing") ?? "");
		return {
			status: response.status,
			headers: response.headers,
			text,
			get json() {
				return JSON.parse(text);
			},
			cost: timing && { queries: +timing[1], read: +timing[2], written: +timing[3] },
		};
	}
	const api = async (endpoint, ns, members = {}) =>
		call("POST", `/api/${endpoint}`, { cache_name: ns, ...members });
	/** Sends operations to /ops; returns their results. */
	async function ops(list, nowUs) {
		const answer = await call("POST", "/ops", { ops: list, ...(nowUs ? { now_us: nowUs } : {}) });
		if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
		return answer.json.results;
	}
	const fill = (ns, count, size, from = 0) =>
		api("batch/set", ns, {
			items: Array.from({ length: count }, (_, i) => ({ key: `k${from + i}`, value: "v".repeat(size) })),
		});
	const stats = async (ns) => (await api("stats", ns)).json;
	return { ...worker, call, api, ops, fill, stats };
}

/** What an entry set through /api counts against a limit. */
export const used = (key, size) => Buffer.byteLength(key) + "text/plain; charset=utf-8".length + size + 128;

/** The accounts of every namespace must equal the sums over its rows; returns the mismatches. */
export async function audit(db) {
	const { results } = await db
		.prepare(
			`SELECT n.name FROM namespaces n LEFT JOIN (SELECT ns, count(*) AS c, sum(size) AS s,
				sum(extra) AS x, sum(frequency) AS f FROM entries GROUP BY ns) e ON e.ns = n.id
			WHERE n.entry_count <> coalesce(e.c, 0) OR n.total_size <> coalesce(e.s, 0)
				OR n.extra_size <> coalesce(e.x, 0) OR n.frequency_sum <> coalesce(e.f, 0) OR n.evicting <> 0
			UNION ALL SELECT 'entry without content' FROM entries
				WHERE id NOT IN (SELECT id FROM contents)
			UNION ALL SELECT 'content without entry' FROM contents
				WHERE id NOT IN (SELECT id FROM entries)`,
		)
		.all();
	return results.map((row) => row.name);
}
