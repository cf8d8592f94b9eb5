/** /stats, /stats/{ns} */
import { jsonResponse } from "../http/json";
import type { NamespaceStats } from "../op_types";
import { VERSION } from "../version";
import { namespaceOf, perform, settingsOf } from "./context";
import type { Call } from "./context";

const startedMs = Date.now();

function hitRate(hits: number, misses: number): number {
	return hits + misses > 0 ? hits / (hits + misses) : 0;
}

function limits(stats: NamespaceStats): object {
	return {
		capacity: stats.capacity < 0 ? null : stats.capacity,
		default_ttl: stats.default_ttl_s,
		stale_ttl: stats.stale_ttl_s,
		max_idle: stats.max_idle_s,
		eviction: stats.policy,
		compression: stats.compression,
		put_status: stats.put_status || null,
	};
}

type Activity = Pick<
	NamespaceStats,
	"hits" | "misses" | "stale_hits" | "sets" | "deletes" | "evictions" | "expirations"
>;

function activity({ hits, misses, stale_hits, sets, deletes, evictions, expirations }: Activity): object {
	return { hits, misses, hit_rate: hitRate(hits, misses), stale_hits, sets, deletes, evictions, expirations };
}

/** In the order of the D1 proxy API, with further members at the end. */
export function statsObject(stats: NamespaceStats): object {
	return {
		entry_count: stats.entry_count,
		total_size: stats.total_size,
		avg_frequency: stats.avg_frequency,
		max_frequency: stats.max_frequency,
		max_size_bytes: stats.max_size_bytes,
		utilization: stats.max_size_bytes > 0 ? stats.total_size / stats.max_size_bytes : 0,
		used_bytes: stats.used_bytes,
		...activity(stats),
		...limits(stats),
	};
}

export function namespaceObject(stats: NamespaceStats): object {
	return {
		name: stats.ns,
		entry_count: stats.entry_count,
		total_size: stats.total_size,
		used_bytes: stats.used_bytes,
		max_size_bytes: stats.max_size_bytes,
		...limits(stats),
	};
}

export async function namespaceStats(c: Call): Promise<Response> {
	const ns = namespaceOf(c);
	const result = await perform(c, { op: "stats", ns, defaults: () => settingsOf(c) });
	return jsonResponse(JSON.stringify(result.namespaces?.map(statsObject)[0]));
}

export async function serverStats(c: Call): Promise<Response> {
	const result = await perform(c, { op: "stats", defaults: () => settingsOf(c) });
	const all = result.namespaces ?? [];
	const sum = (name: keyof Activity | "entry_count" | "total_size" | "used_bytes"): number =>
		all.reduce((total, stats) => total + stats[name], 0);
	const totals = {
		entry_count: sum("entry_count"),
		total_size: sum("total_size"),
		used_bytes: sum("used_bytes"),
		...activity({
			hits: sum("hits"),
			misses: sum("misses"),
			stale_hits: sum("stale_hits"),
			sets: sum("sets"),
			deletes: sum("deletes"),
			evictions: sum("evictions"),
			expirations: sum("expirations"),
		}),
	};
	/* Of this isolate; Cloudflare runs any number of them. Its clock is 0 at the top level. */
	const uptime = startedMs > 0 ? Math.floor((Date.now() - startedMs) / 1000) : 0;
	const server = JSON.stringify({ version: VERSION, uptime, backend: "d1" });
	const each = all.map((stats) => `${JSON.stringify(stats.ns)}:${JSON.stringify(statsObject(stats))}`);
	return jsonResponse(
		`{"server":${server},"totals":${JSON.stringify(totals)},"namespaces":{${each.join(",")}}}`,
	);
}
