// POST /upgrade on a database with the tables of the original Worker.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { audit, open, used } from "./support.mjs";
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
	/* Set before the upgrade reached it: it is the newer one. */
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
	assert.deepEqual(report, { done: true, copied: report.copied, dropped: 0, left_alone: ["not a name"], over_limit: [] });
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
	/* This cache had grown beyond its limit. */
	const shrunk = await w.stats("embedding_cache");
	assert.ok(shrunk.used_bytes <= 2400 && shrunk.used_bytes > 2400 - used("e10", 100), JSON.stringify(shrunk));
	assert.equal(stats.used_bytes - stats.total_size, await overhead("generation_cache"));
	const { results } = await w.db.prepare("SELECT name FROM sqlite_master WHERE name LIKE '%_cache_cache'").all();
	assert.deepEqual(results, []);
});

/** The sum, over a namespace's entries, of what counts besides their sizes. */
async function overhead(ns, worker = w) {
	const sum = `SELECT sum(length(c.key) + octet_length(c.type) + 128) AS sum FROM contents c
		JOIN namespaces n ON n.id = c.ns WHERE n.name = ?`;
	return (await worker.db.prepare(sum).bind(ns).first()).sum;
}

test("is done at once where there is nothing to take over", async () => {
	assert.equal((await w.call("POST", "/upgrade")).json.done, true);
});

/** The database as the version before migration 3 leaves it; that version goes on writing until
 * the new one is deployed. */
async function earlierVersion(db) {
	await migrate(db, 1, 3);
	const write = async (from, count) => {
		const ids = JSON.stringify(Array.from({ length: count }, (_, i) => from + i));
		await db.batch([
			db.prepare("INSERT INTO namespaces(id, name, max_size, created) VALUES (1, 'old', 300000, 1) ON CONFLICT DO NOTHING"),
			db.prepare(`INSERT INTO entries(id, ns, tag, size, frequency, last_access, created, modified, expires, etag, fifo)
				SELECT value, 1, 'tag', 5, 1, 4000000000000000, 4000000000000000, 1, 0, 'etag', 0 FROM json_each(?)`).bind(ids),
			db.prepare(`INSERT INTO contents(id, ns, key_is_text, key, type, encoding, value)
				SELECT value, 1, 1, CAST('key ' || value AS BLOB), 'text/é', 0, 'value' FROM json_each(?)`).bind(ids),
			db.prepare("UPDATE namespaces SET entry_count = entry_count + ?1, total_size = total_size + 5 * ?1, frequency_sum = frequency_sum + ?1").bind(count),
		]);
	};
	await write(1000000, 9500);
	await migrate(db, 3);
	await write(9000000, 10);
	await db.prepare("DELETE FROM entries WHERE id = 1000003").run();
}

test("entries of an earlier version are measured piece by piece", async () => {
	const old = await open({ prepare: earlierVersion });
	const stats = () => old.stats("old");
	assert.deepEqual([(await stats()).entry_count, (await stats()).used_bytes], [9509, 5 * 9509]);
	let report = { done: false };
	let calls = 0;
	for (; !report.done && calls < 10; calls++) {
		const answer = await old.call("POST", "/upgrade");
		assert.equal(answer.status, 200, answer.text);
		assert.ok(answer.cost.queries <= 50, `${answer.cost.queries} queries`);
		report = answer.json;
		assert.deepEqual(await audit(old.db), []);
	}
	assert.equal(calls, 2);
	assert.deepEqual(report.over_limit, ["old"]);
	assert.equal((await stats()).used_bytes, 5 * 9509 + (await overhead("old", old)));
	const future = await old.db.prepare("SELECT count(*) AS n FROM entries WHERE last_access > 3000000000000000").first();
	assert.equal(future.n, 0);
	assert.deepEqual((await old.call("POST", "/upgrade")).json.done, true);
	/* An earlier version's clearing knows only the sizes. */
	await old.db.batch([
		old.db.prepare("INSERT INTO dropped(id) VALUES (1)"),
		old.db.prepare("UPDATE namespaces SET id = 2, entry_count = 0, total_size = 0, frequency_sum = 0 WHERE id = 1"),
	]);
	assert.equal((await stats()).used_bytes, 0);
	await old.close();
});
