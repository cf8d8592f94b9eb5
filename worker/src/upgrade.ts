/**
 * POST /upgrade: what takes too long for a migration. It takes over a database that the original
 * Worker filled: a table `<cache_name>_cache` for each cache (key, value, frequency, last_access,
 * size, created_at) and cache_metadata with the limits. And it measures the entries of an earlier
 * version of this Worker (migrations/0003_used.sql).
 *
 * It works piece by piece: one transaction copies some rows and removes them from the old table, so
 * it may be interrupted anywhere and called again. An old table that is empty is dropped. Entries
 * that were set since under the same key stay. Old names reach SQL as identifiers in double quotes,
 * and only if they are valid names of namespaces, which contain no double quote. The others are
 * left alone and reported.
 */
import { utf8 } from "./bytes";
import { carry, ENTRY_OVERHEAD_BYTES, etagOf, extraBytes, fromText, placeOf, store, TEXT_TYPE } from "./content";
import { bindNamed, runPrepared } from "./db";
import type { Row } from "./db";
import type { Settings } from "./env";
import { isNamespace } from "./http/target";
import { runOp } from "./ops";
import { ROW_MAX_BYTES } from "./ops/set";
import type { OpsContext } from "./ops/step";

/** Most rows that one piece takes. */
const PIECE_ROWS = 200;
const PIECE_BYTES = 300000;
/** Entries that one piece measures. */
const MEASURE_ROWS = 2000;
/** Pieces in one call, of up to six queries each: a Worker on the free plan may run 50. */
const PIECES_PER_CALL = 4;

export interface UpgradeReport {
	done: boolean;
	copied: number;
	/** Entries that do not fit into a row of D1 as this Worker stores it. */
	dropped: number;
	/** Caches whose names are not valid here. */
	left_alone: string[];
	/** Namespaces that hold more than their limit, after the upgrade. */
	over_limit: string[];
}

/** Converts seconds or milliseconds, as different versions stored them, to microseconds. */
function microseconds(time: unknown): number {
	const value = Number(time) || 0;
	if (value < 1e11) return Math.round(value * 1e6);
	if (value < 1e14) return Math.round(value * 1e3);
	return Math.round(value);
}

function quoted(cache: string): string {
	return `"${cache}_cache"`;
}

async function oldCaches(context: OpsContext): Promise<{ name: string; max_size: number }[]> {
	const [tables = []] = await runPrepared(context, [
		context.db.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'cache_metadata'"),
	]);
	if (tables.length === 0) return [];
	const [rows = []] = await runPrepared(context, [
		context.db.prepare("SELECT cache_name, max_size_bytes FROM cache_metadata ORDER BY cache_name"),
	]);
	return rows.map((row) => ({ name: String(row.cache_name), max_size: Number(row.max_size_bytes) || 0 }));
}

/** Copies a piece; returns how many rows it took out of the old table, and how many of them were
 * dropped. */
async function copyPiece(context: OpsContext, ns: string): Promise<{ taken: number; dropped: number }> {
	const { db } = context;
	const table = quoted(ns);
	const [sizes = []] = await runPrepared(context, [
		db.prepare(`SELECT rowid AS place, octet_length(value) + octet_length(key) AS length FROM ${table}
			ORDER BY rowid LIMIT ${PIECE_ROWS}`),
	]);
	let bytes = 0;
	let last = "";
	for (const [i, row] of sizes.entries()) {
		bytes += Number(row.length ?? 0);
		if (i > 0 && bytes > PIECE_BYTES) break;
		last = String(row.place);
	}
	if (last === "") return { taken: 0, dropped: 0 };
	const [rows = []] = await runPrepared(context, [
		db.prepare(`SELECT CAST(key AS TEXT) AS key, CAST(value AS TEXT) AS value, frequency,
			last_access, size, created_at FROM ${table}
			WHERE rowid <= CAST(? AS INTEGER) ORDER BY rowid`).bind(last),
	]);
	const head = JSON.stringify({ ns, now: context.now_us, token: crypto.randomUUID() });
	const items: string[] = [];
	const contents: string[] = [];
	let large: D1PreparedStatement | null = null;
	for (const row of rows) {
		const key = fromText(String(row.key));
		const value = fromText(String(row.value));
		const stored = store(value);
		const carried = carry(key);
		if (key.bytes.length + stored.stored_bytes > ROW_MAX_BYTES - 1000) continue;
		const { id, tag } = await placeOf(ns, key);
		const size = Math.max(Number(row.size) || 0, utf8(stored.text).length, value.bytes.length);
		const accessed = microseconds(row.last_access);
		items.push(
			`[${id},"${tag}",${size},"${await etagOf(value)}",${Math.max(1, Number(row.frequency) || 1)},` +
				`${accessed},${microseconds(row.created_at) || accessed},${extraBytes(key, TEXT_TYPE)}]`,
		);
		if (rows.length === 1) {
			const small = JSON.stringify([carried.is_text, TEXT_TYPE, stored.encoding]);
			const content = `[${id},${small.slice(1)}`;
			large = bindNamed(db, "upgrade_content", head, content, carried.text, stored.text);
		} else {
			const rest = [carried.is_text, carried.text, TEXT_TYPE, stored.encoding, stored.text];
			contents.push(`[${id},${JSON.stringify(rest).slice(1)}`);
		}
	}
	const list = `[${items.join(",")}]`;
	await runPrepared(context, [
		bindNamed(db, "upgrade_account", head, list),
		large ?? bindNamed(db, "upgrade_contents", head, `[${contents.join(",")}]`),
		bindNamed(db, "upgrade_entries", head, list),
		db.prepare(`DELETE FROM ${table} WHERE rowid <= CAST(? AS INTEGER)`).bind(last),
	]);
	return { taken: rows.length, dropped: rows.length - items.length };
}

async function tableExists(context: OpsContext, ns: string): Promise<boolean> {
	const [found = []]: Row[][] = await runPrepared(context, [
		context.db.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?").bind(`${ns}_cache`),
	]);
	return found.length > 0;
}

async function finish(context: OpsContext, ns: string, settings: Settings): Promise<void> {
	await runPrepared(context, [
		context.db.prepare(`DROP TABLE IF EXISTS ${quoted(ns)}`),
		context.db.prepare("DELETE FROM cache_metadata WHERE cache_name = ?").bind(ns),
	]);
	/* The original lets caches grow beyond their limit. */
	await runOp(context, { op: "configure", ns, defaults: settings, change: {} });
}

/** Measures entries that an earlier version stored; false: there are more. */
async function measure(context: OpsContext): Promise<boolean> {
	const head = JSON.stringify({ now: context.now_us, overhead: ENTRY_OVERHEAD_BYTES, limit: MEASURE_ROWS });
	for (let pieces = 0; pieces < PIECES_PER_CALL; pieces++) {
		const rows = await runPrepared(
			context,
			["measure_accounts", "measure_entries", "measure_on"].map((name) => bindNamed(context.db, name, head)),
		);
		if (rows[2]?.[0]?.done === 1) return true;
	}
	return false;
}

/** Namespaces that exceed their limit: their next set evicts, or is refused. */
async function overLimit(context: OpsContext, settings: Settings): Promise<string[]> {
	const { namespaces = [] } = await runOp(context, { op: "stats", defaults: () => settings });
	return namespaces
		.filter(({ used_bytes, max_size_bytes }) => max_size_bytes > 0 && used_bytes > max_size_bytes)
		.map(({ ns }) => ns);
}

/** Does a part of the work; call it until `done`. */
export async function upgrade(context: OpsContext, settings: Settings): Promise<UpgradeReport> {
	const report: UpgradeReport = { done: false, copied: 0, dropped: 0, left_alone: [], over_limit: [] };
	let pieces = 0;
	for (const { name, max_size } of await oldCaches(context)) {
		if (!isNamespace(name)) {
			report.left_alone.push(name);
			continue;
		}
		if (pieces >= PIECES_PER_CALL) return report;
		const head = JSON.stringify({
			ns: name, now: context.now_us, max_size, max_namespaces: context.max_namespaces,
		});
		await runPrepared(context, [
			bindNamed(context.db, "ensure_namespace", head),
			bindNamed(context.db, "upgrade_limit", head),
		]);
		let more = await tableExists(context, name);
		while (more && pieces < PIECES_PER_CALL) {
			const { taken, dropped } = await copyPiece(context, name);
			report.copied += taken - dropped;
			report.dropped += dropped;
			pieces++;
			more = taken > 0;
		}
		if (more) return report;
		await finish(context, name, settings);
	}
	if (pieces > 0 || !(await measure(context))) return report;
	report.done = true;
	report.over_limit = await overLimit(context, settings);
	return report;
}
