// The Worker on the real runtime (workerd) with a real local D1, for tests and for `npm run serve`.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { build } from "esbuild";
import { Miniflare } from "miniflare";

process.env.WRANGLER_SEND_METRICS = "false";
/* A test's database need not reach a disk. */
const MEMORY = "/dev/shm";
if (!process.env.TMPDIR && existsSync(MEMORY)) process.env.TMPDIR = MEMORY;
const root = fileURLToPath(new URL("..", import.meta.url));

async function bundle() {
	const result = await build({
		entryPoints: [join(root, "src/index.ts")],
		bundle: true,
		format: "esm",
		external: ["node:*"],
		target: "es2022",
		loader: { ".sql": "text" },
		write: false,
		logLevel: "silent",
	});
	return result.outputFiles[0].text;
}

/** The statements of an SQL file; a statement ends with a semicolon at the end of a line, a
 * trigger with END; */
export function splitSql(text) {
	const statements = [];
	let current = "";
	for (const line of text.split("\n")) {
		if (line.trim().startsWith("--") || line.trim() === "") continue;
		current += line + "\n";
		const inTrigger = /^CREATE TRIGGER/i.test(current.trim());
		if (inTrigger ? /^END;/i.test(line) : /;\s*$/.test(line)) {
			statements.push(current.trim());
			current = "";
		}
	}
	return statements;
}

/** Applies the migrations, or those from number `from` up to, but not including, number `to`. */
export async function migrate(db, from = 1, to = Infinity) {
	const folder = join(root, "migrations");
	for (const file of readdirSync(folder).sort())
		if (parseInt(file) >= from && parseInt(file) < to)
			await db.batch(splitSql(readFileSync(join(folder, file), "utf8")).map((sql) => db.prepare(sql)));
}

/**
 * Starts the Worker, and with `emptier` the one of emptier.mjs on the same database; returns { mf,
 * url, emptierUrl, db, close }.
 */
export async function start({ apiKey, port = 0, vars = {}, prepare = migrate, emptier = false } = {}) {
	const host = "127.0.0.1";
	const common = { modules: true, compatibilityDate: "2026-02-01", compatibilityFlags: ["nodejs_compat"], d1Databases: { DB: "steadycache" } };
	const workers = [
		{
			...common,
			name: "cache",
			script: await bundle(),
			// Straight to workerd: Miniflare's own entry point emulates the edge,
			// including compression.
			unsafeDirectSockets: [{ host, port }],
			bindings: { ...(apiKey === undefined ? {} : { API_KEY: apiKey }), ...vars },
		},
	];
	if (emptier)
		workers.push({
			...common,
			name: "emptier",
			script: readFileSync(new URL("emptier.mjs", import.meta.url), "utf8"),
			unsafeDirectSockets: [{ host, port: 0 }],
		});
	const mf = new Miniflare({
		workers,
		d1Persist: false,
		handleRuntimeStdio: (stdout, stderr) => {
			stdout.resume();
			stderr.on("data", (data) => {
				if (process.env.WORKER_LOG) process.stderr.write(data);
			});
		},
	});
	await mf.ready;
	const urlOf = async (name) => (await mf.unsafeGetDirectURL(name)).href.replace(/\/$/, "");
	const db = await mf.getD1Database("DB", "cache");
	await prepare(db);
	return {
		mf,
		db,
		url: await urlOf("cache"),
		emptierUrl: emptier ? await urlOf("emptier") : undefined,
		close: () => mf.dispose(),
	};
}
