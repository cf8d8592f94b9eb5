/** Access to D1: named statements, batches, and the meaning of its errors. */
import text from "../sql/statements.sql";

export type Row = Record<string, string | number | null>;
/** A statement and its parameters, all of them text. */
export interface Bound {
	name: string;
	params: string[];
}

/** What requests cost: D1 bills rows, and Cloudflare limits queries per request. */
export interface Usage {
	rows_read: number;
	rows_written: number;
	queries: number;
}

/** D1 failed: status as in /ops, and a sentence for the user. */
export class StoreError extends Error {
	constructor(
		readonly status: "unavailable" | "too_large" | "no_space" | "internal",
		message: string,
	) {
		super(message);
	}
}

function split(source: string): Map<string, string> {
	const statements = new Map<string, string>();
	for (const part of source.split(/^-- name: /m).slice(1)) {
		const [name = "", ...lines] = part.split("\n");
		const sql = lines.filter((line) => !line.startsWith("--")).join("\n");
		statements.set(name.trim(), sql.trim().replace(/;$/, ""));
	}
	return statements;
}

const statements = split(text);

/** Most statements in one batch: a transaction blocks all others. */
export const BATCH_MAX = 600;

function explain(error: unknown): StoreError {
	const message = error instanceof Error ? error.message : String(error);
	if (/no such table|no such column/.test(message))
		return new StoreError(
			"unavailable",
			"the database lacks the cache's tables; run: npx wrangler d1 migrations apply DB --remote",
		);
	if (/too big|TOOBIG/.test(message))
		return new StoreError("too_large", "the value is larger than D1 takes in a row (2000000 bytes)");
	if (/SQLITE_FULL|database or disk is full|maximum DB size/i.test(message))
		return new StoreError("no_space", "the D1 database is full; delete entries or lower the limits");
	if (/syntax error|not authorized|SQLITE_CONSTRAINT|SQLITE_MISMATCH/.test(message))
		return new StoreError("internal", `D1 refused a statement: ${message}`);
	return new StoreError("unavailable", "the D1 database did not answer; try again");
}

/** A statement of sql/statements.sql with its parameters. */
export function bindNamed(db: D1Database, name: string, ...params: string[]): D1PreparedStatement {
	const sql = statements.get(name);
	if (!sql) throw new Error(`there is no statement ${name}`);
	return params.length ? db.prepare(sql).bind(...params) : db.prepare(sql);
}

/** Runs the statements in one transaction; the rows of each. */
export async function runPrepared(
	{ db, usage }: { db: D1Database; usage: Usage },
	prepared: D1PreparedStatement[],
): Promise<Row[][]> {
	if (prepared.length === 0) return [];
	try {
		const results = await db.batch<Row>(prepared);
		for (const { meta } of results) {
			usage.rows_read += meta.rows_read ?? 0;
			usage.rows_written += meta.rows_written ?? 0;
			usage.queries++;
		}
		return results.map((result) => result.results ?? []);
	} catch (error) {
		const explained = explain(error);
		console.error(`D1: ${error instanceof Error ? error.message : String(error)}`);
		throw explained;
	}
}

export function runBatch(to: { db: D1Database; usage: Usage }, bound: Bound[]): Promise<Row[][]> {
	return runPrepared(to, bound.map(({ name, params }) => bindNamed(to.db, name, ...params)));
}
