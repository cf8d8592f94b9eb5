// Limits always hold, victims go in exact order, and nothing gets stuck.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { audit, open, used } from "./support.mjs";

let w;
before(async () => (w = await open()));
after(() => w.close());
afterEach(async () => assert.deepEqual(await audit(w.db), []));

const limit = (ns, bytes, more = {}) =>
	w.call("PUT", `/cache/${ns}`, { max_size_mb: bytes / 1048576, ...more });

test("thousands go at once, down to four fifths", async () => {
	await w.fill("many", 9000, 10);
	const full = (await w.stats("many")).used_bytes;
	await limit("many", full);
	const size = Math.floor(full * 0.65);
	assert.equal((await w.api("set", "many", { key: "big", value: "b".repeat(size) })).status, 200);
	const stats = await w.stats("many");
	const goal = Math.floor(full * 0.8);
	assert.ok(stats.used_bytes <= goal && stats.used_bytes > goal - used("k1234", 10), JSON.stringify(stats));
	assert.ok(stats.evictions > 7000);
	assert.equal(stats.entry_count, 9001 - stats.evictions);
});

test("shrinking the limit evicts at once", async () => {
	await w.fill("shrunk", 5000, 10);
	await limit("shrunk", 100 * used("k4999", 10));
	assert.equal((await w.stats("shrunk")).entry_count, 80);
	await w.call("PUT", "/cache/shrunk", { capacity: 7 });
	assert.equal((await w.stats("shrunk")).entry_count, 7);
});

test("the order is that of a sort by score", async () => {
	const base = 1700000000000000;
	let seed = 7;
	const random = (n) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
	const model = [];
	const times = Array.from({ length: 300 }, () => base + random(100) * 1000000).sort();
	for (const [i, at] of times.entries()) {
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
	await w.fill("own", 3000, 10, 1000);
	const full = 3000 * used("k1000", 10);
	assert.equal((await w.stats("own")).used_bytes, full);
	await limit("own", full);
	assert.equal((await w.fill("own", 2700, 11, 1000)).status, 200);
	const stats = await w.stats("own");
	assert.ok(stats.used_bytes <= full && stats.entry_count >= 2600, JSON.stringify(stats));
	assert.equal((await w.fill("own", 3000, 11, 1000)).status, 413);
	assert.equal((await w.fill("own", 1000, 300, 5000)).status, 200);
	assert.equal((await w.stats("own")).used_bytes, 1000 * used("k5000", 300));
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
	await limit("race", 10000, { capacity: 40 });
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
	for (const { used_bytes, entry_count } of seen) assert.ok(used_bytes <= 10000 && entry_count <= 40);
});

test("an item larger than the limit is refused and nothing is lost", async () => {
	await limit("small", 10 * used("k0", 100));
	await w.fill("small", 10, 100);
	assert.equal((await w.api("set", "small", { key: "k".repeat(2551), value: "v" })).status, 413);
	assert.equal((await w.api("set", "small", { key: "big", value: "v".repeat(2395) })).status, 413);
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

test("what is stored counts, not the values alone", async () => {
	const key = "k".repeat(4000);
	await limit("keys", 20000);
	for (let i = 0; i < 20; i++) assert.equal((await w.api("set", "keys", { key: key + i, value: "" })).status, 200);
	const stats = await w.stats("keys");
	assert.equal(stats.total_size, 0);
	assert.equal(stats.utilization, 0);
	assert.equal(stats.used_bytes, stats.entry_count * used(`${key}10`, 0));
	assert.ok(stats.used_bytes <= 20000);
	/* Another type, a shorter value: the account follows. */
	await w.call("PUT", "/cache/types/k", "12345", { "Content-Type": "a/b" });
	assert.equal((await w.stats("types")).used_bytes, 1 + 3 + 5 + 128);
	await w.call("PUT", "/cache/types/k", "1", { "Content-Type": "text/long" });
	assert.equal((await w.stats("types")).used_bytes, 1 + 9 + 1 + 128);
	await w.api("clear", "types");
	assert.equal((await w.stats("types")).used_bytes, 0);
});

test("where nothing may be stored a set removes what was there", async () => {
	await w.fill("nothing", 3, 5);
	await w.call("PUT", "/cache/nothing", { eviction: "none", capacity: 0 });
	const etag = (await w.call("GET", "/cache/nothing/k0")).headers.get("ETag");
	assert.equal((await w.call("PUT", "/cache/nothing/k0", "new", { "If-None-Match": "*" })).status, 412);
	assert.equal((await w.call("GET", "/cache/nothing/k0")).status, 200);
	assert.equal((await w.call("PUT", "/cache/nothing/k0", "new", { "If-Match": etag })).status, 204);
	assert.equal((await w.call("GET", "/cache/nothing/k0")).status, 404);
	assert.equal((await w.call("PUT", "/cache/nothing/k0", "new")).status, 201);
	assert.equal((await w.fill("nothing", 3, 5)).status, 200);
	const stats = await w.stats("nothing");
	assert.deepEqual([stats.entry_count, stats.used_bytes, stats.evictions, stats.sets], [0, 0, 3, 3]);
});

test("without eviction what does not grow is let in", async () => {
	await w.fill("full", 10, 100);
	await limit("full", 5 * used("k0", 100), { eviction: "none", capacity: 5 });
	const set = async (key, size) => (await w.api("set", "full", { key, value: "w".repeat(size) })).status;
	assert.equal(await set("k1", 100), 200);
	assert.equal(await set("k1", 50), 200);
	assert.equal(await set("k1", 51), 507);
	assert.equal(await set("new", 1), 507);
	assert.equal((await w.stats("full")).entry_count, 10);
});

test("the order of a batch is the order of its uses, and no clock turns it round", async () => {
	const base = 1700000000000000;
	const keys = ["c", "a", "d", "b", "e"].map((key) => ({ key }));
	const lru = { policy: "lru" };
	await w.ops([{ op: "set", ns: "ties", defaults: lru, items: keys.map(({ key }) => ({ key, value: "v" })) }], base);
	const shrink = async (capacity, now) => {
		await w.ops([{ op: "configure", ns: "ties", defaults: lru, capacity }], now);
		return (await w.ops([{ op: "scan", ns: "ties" }], now))[0].entries.map(({ key }) => key).join("");
	};
	assert.equal(await shrink(4, base), "abde");
	await w.ops([{ op: "get", ns: "ties", items: [{ key: "e" }, { key: "a" }, { key: "b" }] }], base - 3600e6);
	assert.equal(await shrink(3, base - 3600e6), "abe");
	assert.equal(await shrink(2, base - 3600e6), "ab");
	await w.ops([{ op: "set", ns: "ties", defaults: lru, items: [{ key: "f", value: "v" }] }], base - 7200e6);
	assert.equal(await shrink(2, base - 7200e6), "bf");
});

test("times to come are now once they are imported", async () => {
	const base = 1700000000000000;
	for (const policy of ["lru", "frecency", "fifo"]) {
		const ns = `from-${policy}`;
		const history = { frequency: 1, created_us: base * 2, last_access_us: base * 2 };
		const set = (key, more) => ({ op: "set", ns, items: [{ key, value: "v", ...more }] });
		await w.ops([{ op: "configure", ns, policy, capacity: 2 }, set("future", { history })], base);
		const [{ entries }] = await w.ops([{ op: "scan", ns }], base);
		assert.ok(entries[0].last_access_us <= base + 10 && entries[0].created_us <= base, JSON.stringify(entries));
		await w.ops([set("a"), set("b")], base + 60e6);
		assert.deepEqual((await w.ops([{ op: "scan", ns }], base + 60e6))[0].entries.map(({ key }) => key), ["a", "b"]);
	}
});
