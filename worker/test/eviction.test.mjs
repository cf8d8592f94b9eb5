// The limits hold always, victims go in exact order, and nothing gets stuck.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { audit, open } from "./support.mjs";

let w;
before(async () => (w = await open()));
after(() => w.close());
afterEach(async () => assert.deepEqual(await audit(w.db), []));

const limit = (ns, bytes, more = {}) =>
	w.call("PUT", `/cache/${ns}`, { max_size_mb: bytes / 1048576, ...more });

test("thousands go at once, down to four fifths", async () => {
	await w.fill("many", 9000, 10);
	await limit("many", 90000);
	assert.equal((await w.api("set", "many", { key: "big", value: "b".repeat(60000) })).status, 200);
	const stats = await w.stats("many");
	assert.equal(stats.total_size, 72000);
	assert.equal(stats.entry_count, 1201);
	assert.equal(stats.evictions, 7800);
});

test("shrinking the limit evicts at once", async () => {
	await w.fill("shrunk", 5000, 10);
	await limit("shrunk", 1000);
	assert.equal((await w.stats("shrunk")).total_size, 800);
	await w.call("PUT", "/cache/shrunk", { capacity: 7 });
	assert.equal((await w.stats("shrunk")).entry_count, 7);
});

test("the order is that of a sort by score", async () => {
	const base = 1700000000000000;
	let seed = 7;
	const random = (n) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
	const model = [];
	for (let i = 0; i < 300; i++) {
		const at = base + random(100) * 1000000;
		const gets = random(6);
		await w.ops(
			[
				{ op: "set", ns: "order", items: [{ key: `k${i}`, value: "v" }] },
				...Array.from({ length: gets }, () => ({ op: "get", ns: "order", items: [{ key: `k${i}` }] })),
			],
			at,
		);
		model.push({ key: `k${i}`, score: (1 + gets) / (1 + (base + 200e6 - at) / 1e6), at });
	}
	model.sort((a, b) => a.score - b.score || a.at - b.at);
	const [result] = await w.ops([{ op: "configure", ns: "order", capacity: 120 }], base + 200e6);
	assert.deepEqual(result, { status: "ok", evicted: 180 });
	const listed = (await w.call("GET", "/cache/order")).json.keys.map(({ key }) => key);
	const border = model[179].score;
	for (const { key, score } of model.slice(180)) if (score > border) assert.ok(listed.includes(key), key);
	for (const { key, score } of model.slice(0, 180)) if (score < border) assert.ok(!listed.includes(key), key);
});

test("a batch is never its own victim, and may replace most of the cache", async () => {
	await w.fill("own", 3000, 10);
	await limit("own", 30000);
	assert.equal((await w.fill("own", 2700, 11)).status, 200);
	const stats = await w.stats("own");
	assert.ok(stats.total_size <= 30000 && stats.entry_count >= 2600, JSON.stringify(stats));
	assert.equal((await w.fill("own", 3000, 11)).status, 413);
	assert.equal((await w.fill("own", 1000, 29, 5000)).status, 200);
	assert.equal((await w.stats("own")).total_size, 29000);
});

test("a policy that came later finds its victims, too", async () => {
	await w.fill("later", 50, 10);
	const defaults = { policy: "fifo", capacity: 50 };
	const [set] = await w.ops([{ op: "set", ns: "later", defaults, items: [{ key: "new", value: "v" }] }]);
	assert.equal(set.status, "ok");
	assert.equal((await w.stats("later")).entry_count, 50);
	await w.call("PUT", "/cache/later", { eviction: "fifo", capacity: 10 });
	assert.equal((await w.stats("later")).entry_count, 10);
	await w.call("PUT", "/cache/later", { eviction: "lru" });
	await w.call("PUT", "/cache/later", { capacity: 5 });
	assert.equal((await w.stats("later")).entry_count, 5);
});

test("limits hold under concurrent sets", async () => {
	await limit("race", 5000, { capacity: 40 });
	const seen = [];
	await Promise.all(
		Array.from({ length: 8 }, async (_, thread) => {
			for (let i = 0; i < 25; i++) {
				const answer = await w.api("set", "race", { key: `${thread}.${i}`, value: "v".repeat(100 + i) });
				assert.equal(answer.status, 200, answer.text);
				if (i % 5 === 0) seen.push(await w.stats("race"));
			}
		}),
	);
	for (const { total_size, entry_count } of seen) assert.ok(total_size <= 5000 && entry_count <= 40);
});

test("an item larger than the limit is refused and nothing is lost", async () => {
	await limit("small", 1000);
	await w.fill("small", 10, 100);
	assert.equal((await w.api("set", "small", { key: "big", value: "v".repeat(1001) })).status, 413);
	assert.equal((await w.stats("small")).entry_count, 10);
	const tooLarge = await w.call("PUT", "/cache/huge/k", "v".repeat(2000000));
	assert.equal(tooLarge.status, 413);
	assert.match(tooLarge.text, /2000000/);
	assert.equal((await w.call("PUT", "/cache/huge/k", "v".repeat(3000000))).status, 413);
	const value = "v".repeat(1990000);
	assert.equal((await w.call("PUT", "/cache/huge/k", value)).status, 201);
	assert.equal((await w.call("GET", "/cache/huge/k")).text, value);
});

test("expired entries make room first and are swept", async () => {
	const base = 1700000000000000;
	const set = (key, ttl_s) => ({ op: "set", ns: "ttl", items: [{ key, value: "v", ttl_s }] });
	await w.ops([{ op: "configure", ns: "ttl", capacity: 3 }, set("a", 0), set("b", 5), set("c", 0)], base);
	const results = await w.ops([{ op: "get", ns: "ttl", items: [{ key: "b" }] }, set("d", 0)], base + 6e6);
	assert.equal(results[0].items[0].status, "not_found");
	assert.equal(results[1].evicted, 0);
	const listed = (await w.call("GET", "/cache/ttl")).json.keys.map(({ key }) => key);
	assert.deepEqual(listed, ["a", "c", "d"]);
});

test("a full cache that never evicts takes what expiry makes room for", async () => {
	const items = (n, ttl_s) => Array.from({ length: n }, (_, i) => ({ key: `k${n}.${i}`, value: "v", ttl_s }));
	const base = 1700000000000000;
	await w.ops([{ op: "configure", ns: "none", capacity: 500, policy: "none" }, { op: "set", ns: "none", items: items(500, 5) }], base);
	assert.equal((await w.ops([{ op: "set", ns: "none", items: items(1, 0) }], base + 1e6))[0].status, "no_space");
	assert.equal((await w.ops([{ op: "set", ns: "none", items: items(400, 0) }], base + 6e6))[0].status, "ok");
});

test("a cleared cache is empty at once, and its keys can be set again", async () => {
	await w.fill("cleared", 4000, 10);
	assert.equal((await w.api("clear", "cleared")).status, 200);
	assert.equal((await w.stats("cleared")).entry_count, 0);
	assert.deepEqual((await w.api("get", "cleared", { key: "k1" })).json, { found: false });
	await w.fill("cleared", 4000, 5);
	assert.equal((await w.stats("cleared")).total_size, 20000);
	for (let i = 0; i < 5; i++) await w.api("clear", "cleared");
	await w.fill("cleared", 2, 5);
	for (let i = 0; i < 30; i++) await w.stats("cleared");
	const { results } = await w.db.prepare("SELECT count(*) AS n FROM dropped").all();
	assert.equal(results[0].n, 0);
});
