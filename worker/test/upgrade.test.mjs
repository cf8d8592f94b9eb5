// POST /upgrade on a database with the tables of the original Worker.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { audit, open } from "./support.mjs";
import { migrate } from "./runtime.mjs";

const base = 1700000000000000;
let w;

async function originalTables(db) {
	await db.prepare("CREATE TABLE cache_metadata (cache_name TEXT PRIMARY KEY, max_size_bytes INTEGER NOT NULL, created_at INTEGER NOT NULL, last_updated INTEGER NOT NULL)").run();
	for (const name of ["generation_cache", "embedding_cache"]) {
		await db.prepare(`CREATE TABLE ${name}_cache (key TEXT PRIMARY KEY, value TEXT NOT NULL, frequency INTEGER DEFAULT 1, last_access INTEGER NOT NULL, size INTEGER NOT NULL, created_at INTEGER NOT NULL)`).run();
		await db.prepare(`CREATE INDEX idx_${name}_frecency ON ${name}_cache(frequency DESC, last_access DESC)`).run();
		await db.prepare("INSERT INTO cache_metadata VALUES (?, ?, ?, ?)").bind(name, name === "generation_cache" ? 50000000 : 3000, base, base).run();
	}
	await db.prepare("INSERT INTO cache_metadata VALUES ('not a name', 5, 0, 0)").run();
	await db.prepare(`INSERT INTO generation_cache_cache SELECT 'prompt ' || value, 'answer ' || value, 1 + value % 7, ${base} + value, 8, ${base} FROM json_each(?)`)
		.bind(JSON.stringify(Array.from({ length: 1500 }, (_, i) => i))).run();
	await db.prepare("INSERT INTO generation_cache_cache VALUES ('large', ?, 3, ?, 1900000, ?)").bind("x".repeat(1900000), base, base).run();
	await db.prepare("INSERT INTO generation_cache_cache VALUES (?, 'v', 3, ?, 1, ?)").bind("'quo\"ted\0 é\n", base, base).run();
	await db.prepare(`INSERT INTO embedding_cache_cache SELECT 'e' || value, 'v', 1, ${base} + value, 100, ${base} FROM json_each(?)`)
		.bind(JSON.stringify(Array.from({ length: 50 }, (_, i) => i))).run();
	await migrate(db);
}

before(async () => (w = await open({ prepare: originalTables })));
after(() => w.close());

test("keeps all entries, their frequency and last access, and the limits", async () => {
	/* Set before the upgrade got there: it is the newer one. */
	await w.api("set", "generation_cache", { key: "prompt 7", value: "newer" });
	const first = (await w.call("POST", "/upgrade")).json;
	assert.equal(first.done, false);
	assert.ok(first.copied > 0 && first.copied < 1500);
	let copied = first.copied;
	let report = first;
	for (let i = 0; i < 50 && !report.done; i++) {
		const answer = await w.call("POST", "/upgrade");
		assert.equal(answer.status, 200, answer.text);
		assert.ok(answer.cost.queries <= 50, `${answer.cost.queries} queries`);
		report = answer.json;
		copied += report.copied;
		assert.deepEqual(await audit(w.db), []);
	}
	assert.deepEqual(report, { done: true, copied: report.copied, dropped: 0, left_alone: ["not a name"] });
	assert.equal(copied, 1552);
	const stats = await w.stats("generation_cache");
	assert.equal(stats.entry_count, 1502);
	assert.equal(stats.max_size_bytes, 50000000);
	assert.equal(stats.max_frequency, 7);
	const { entries } = (await w.ops([{ op: "scan", ns: "generation_cache", limit: 1000, prefix: "prompt 12" }]))[0];
	const one = entries.find(({ key }) => key === "prompt 123");
	assert.deepEqual([one.frequency, one.last_access_us, one.created_us], [1 + (123 % 7), base + 123, base]);
	const get = async (key) => (await w.api("get", "generation_cache", { key })).json.value;
	assert.equal(await get("prompt 7"), "newer");
	assert.equal(await get("prompt 1499"), "answer 1499");
	assert.equal((await get("large")).length, 1900000);
	assert.equal(await get("'quo\"ted\0 é\n"), "v");
	/* This one had grown beyond its limit. */
	assert.equal((await w.stats("embedding_cache")).total_size, 2400);
	const { results } = await w.db.prepare("SELECT name FROM sqlite_master WHERE name LIKE '%_cache_cache'").all();
	assert.deepEqual(results, []);
});

test("is done at once where there is nothing to take over", async () => {
	assert.equal((await w.call("POST", "/upgrade")).json.done, true);
});
