// POST /ops, and what only it can carry: keys of any bytes, many namespaces, conditions.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { audit, open } from "./support.mjs";

let w;
before(async () => (w = await open()));
after(async () => {
	assert.deepEqual(await audit(w.db), []);
	await w.close();
});

const b64 = (...bytes) => Buffer.from(bytes).toString("base64");
const etag = (value) => `"${createHash("sha256").update(value).digest("hex").slice(0, 32)}"`;
const now = 1700000000000000;

test("keys and values of any bytes", async () => {
	const keys = [b64(0), b64(0, 0), b64(255, 254), b64(0x61, 0, 0x62), b64(0xed, 0xa0, 0x80), ""];
	const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
	const items = keys.map((key_b64) => ({ key_b64, value_b64: bytes.toString("base64"), content_type: "x/y" }));
	const [set] = await w.ops([{ op: "set", ns: "bytes", items }], now);
	assert.equal(set.status, "ok");
	assert.deepEqual(set.items[0], { status: "ok", created: true, modified_us: now, expires_us: 0, etag: etag(bytes) });
	const [get, list] = await w.ops([
		{ op: "get", ns: "bytes", items: keys.map((key_b64) => ({ key_b64 })) },
		{ op: "scan", ns: "bytes", limit: 10 },
	]);
	for (const item of get.items) {
		assert.equal(item.value_b64, bytes.toString("base64"));
		assert.equal(item.content_type, "x/y");
		assert.equal(item.etag, etag(bytes));
	}
	const back = list.entries.map(({ key, key_b64 }) => key_b64 ?? Buffer.from(key).toString("base64"));
	assert.deepEqual(back, ["", b64(0), b64(0, 0), b64(0x61, 0, 0x62), b64(0xed, 0xa0, 0x80), b64(255, 254)]);
	assert.equal(list.complete, true);
	const [page] = await w.ops([{ op: "scan", ns: "bytes", limit: 2, after_b64: b64(0, 0) }]);
	assert.equal(page.entries[0].key, "a\0b");
	assert.equal(page.complete, false);
});

test("keys of a megabyte, and values with a NUL", async () => {
	const key = "é".repeat(524288);
	const value = "a\0b".repeat(1000) + "\u{1F600}";
	assert.equal((await w.api("set", "long", { key, value })).status, 200);
	assert.deepEqual((await w.api("get", "long", { key })).json, { found: true, value });
	assert.equal((await w.api("exists", "long", { key: key.slice(1) })).json.exists, false);
	assert.equal((await w.api("set", "long", { key: key + "x", value })).status, 413);
	const listed = (await w.call("GET", "/cache/long")).json;
	assert.equal(listed.keys[0].key, key);
});

test("many operations of many namespaces in one round trip", async () => {
	const results = await w.ops([
		{ op: "set", ns: "m1", items: [{ key: "a", value: "1" }] },
		{ op: "set", ns: "m2", items: [{ key: "a", value: "2" }] },
		{ op: "get", ns: "m1", items: [{ key: "a" }, { key: "b" }] },
		{ op: "get", ns: "m2", touch: false, items: [{ key: "a" }] },
		{ op: "delete", ns: "m1", items: [{ key: "a" }, { key: "b" }] },
		{ op: "exists", ns: "m1", items: [{ key: "a" }] },
		{ op: "configure", ns: "m2", max_size_bytes: 154, policy: "none" },
		{ op: "set", ns: "m2", items: [{ key: "b", value: "3" }] },
		{ op: "set", ns: "m2", items: [{ key: "b", value: "33" }] },
		{ op: "stats", ns: "m2" },
		{ op: "check" },
		{ op: "clear", ns: "m2" },
	]);
	assert.deepEqual(
		results.map(({ status }) => status),
		["ok", "ok", "ok", "ok", "ok", "ok", "ok", "no_space", "too_large", "ok", "ok", "ok"],
	);
	assert.deepEqual(results[2].items.map(({ status }) => status), ["ok", "not_found"]);
	assert.deepEqual(results[4].items.map(({ status }) => status), ["ok", "not_found"]);
	assert.equal(results[5].items[0].status, "not_found");
	assert.equal(results[9].namespaces[0].max_size_bytes, 154);
	assert.equal(results[9].namespaces[0].max_frequency, 1);
	assert.equal(results[11].deleted, 1);
});

test("references to large values keep ETag, flags and size", async () => {
	const text = `${"ab".repeat(32)} 3000000`;
	const reference = { text, etag: etag("elsewhere"), flags: 3 };
	const key = "large";
	const [set, none, own, gone] = await w.ops([
		{ op: "set", ns: "refs", items: [{ key, reference, content_type: "x/y", size: 7 }] },
		{ op: "get", ns: "refs", items: [{ key }] },
		{ op: "get", ns: "refs", references: true, items: [{ key }] },
		{ op: "set", ns: "refs", items: [{ key, reference, if: { kind: "match", etags: [etag("x")] } }] },
	]);
	assert.equal(set.items[0].etag, reference.etag);
	assert.equal(none.status, "unsupported");
	assert.deepEqual(own.items[0].reference, { text, flags: 3 });
	assert.equal(own.items[0].value, undefined);
	assert.equal(own.items[0].etag, reference.etag);
	assert.equal(gone.status, "precondition_failed");
	const [list, stats] = await w.ops([{ op: "scan", ns: "refs", limit: 9 }, { op: "stats", ns: "refs" }]);
	assert.equal(list.entries[0].etag, reference.etag);
	assert.equal(list.entries[0].size, 7);
	assert.equal(stats.namespaces[0].total_size, 7);
	assert.equal((await w.call("GET", "/cache/refs/large")).status, 501);
	assert.equal((await w.api("get", "refs", { key })).status, 501);
	const [put, back] = await w.ops([
		{ op: "set", ns: "refs", items: [{ key, value: "small" }] },
		{ op: "get", ns: "refs", references: true, items: [{ key }] },
	]);
	assert.equal(put.items[0].created, false);
	assert.equal(back.items[0].value, "small");
	assert.equal(back.items[0].reference, undefined);
});

test("compressed values keep the ETag and the flags of what they decode to", async () => {
	const zstd_b64 = "KLUv/SQFKQAAdmFsdWXBqU7p"; // of "value"
	const value = { zstd_b64, etag: etag("value"), flags: 3 };
	const [set, none, own, stats] = await w.ops([
		{ op: "set", ns: "zstd", items: [{ key: "k", value, content_type: "x/y", size: 1 }] },
		{ op: "get", ns: "zstd", references: true, items: [{ key: "k" }] },
		{ op: "get", ns: "zstd", zstd: true, items: [{ key: "k" }] },
		{ op: "stats", ns: "zstd" },
	]);
	assert.equal(set.items[0].etag, value.etag);
	assert.equal(none.status, "unsupported");
	assert.deepEqual(own.items[0].value, { zstd_b64, flags: 3 });
	assert.equal(own.items[0].etag, value.etag);
	assert.equal(stats.namespaces[0].total_size, Buffer.from(zstd_b64, "base64").length);
	assert.deepEqual((await w.api("get", "zstd", { key: "k" })).json, { found: true, value: "value" });
	for (const wrong of [{ ...value, flags: 4 }, { ...value, etag: "x" }, { etag: value.etag }, 5])
		assert.equal((await w.call("POST", "/ops", { ops: [{ op: "set", ns: "zstd", items: [{ key: "k", value: wrong }] }] })).status, 400);
});

test("a new time to live without the value", async () => {
	const set = (key, ttl_s) => ({ op: "set", ns: "expire", items: [{ key, value: key, ttl_s }] });
	const expire = (item) => ({ op: "expire", ns: "expire", defaults: { default_ttl_s: 7 }, items: [].concat(item) });
	const left = async (at) => {
		const [{ entries }] = await w.ops([{ op: "scan", ns: "expire" }], at);
		return Object.fromEntries(entries.map(({ key, expires_us }) => [key, expires_us && (expires_us - now) / 1e6]));
	};
	await w.ops([set("a", 0), set("b", 1), set("c", 5), set("d", 5)], now);
	const before = (await w.ops([{ op: "scan", ns: "expire" }], now))[0].entries[0];
	const results = await w.ops([
		expire([{ key: "a", ttl_s: 9 }, { key: "b", ttl_s: 9 }, { key: "none", ttl_s: 9 }]),
		expire({ key: "c", ttl_s: 0 }),
		expire({ key: "d", if: { kind: "match", etags: [etag("x")] }, ttl_s: 1 }),
		expire({ key: "d", if: { kind: "match", etags: [etag("d")] } }),
	], now + 2e6);
	assert.deepEqual(results[0].items.map(({ status }) => status), ["ok", "not_found", "not_found"]);
	assert.deepEqual(results.map(({ status }) => status), ["ok", "ok", "precondition_failed", "ok"]);
	assert.deepEqual(await left(now + 2e6), { a: 11, c: 0, d: 9 });
	const after = (await w.ops([{ op: "scan", ns: "expire" }], now + 2e6))[0].entries[0];
	assert.deepEqual({ ...after, expires_us: 0 }, before);
});

test("an entry that nobody uses for max_idle is gone", async () => {
	const get = (key, touch = true) => ({ op: "get", ns: "idle", touch, stale: true, items: [{ key }] });
	const found = async (ops, at) => (await w.ops(ops, at)).map(({ items }) => items[0].status === "ok");
	const [first] = await w.ops([{ op: "set", ns: "idle", items: [{ key: "early", value: "v" }] }], now);
	assert.equal(first.status, "ok");
	const settings = { max_idle_s: 10, stale_ttl_s: 100, compression: "zstd", put_status: 200 };
	const [told] = await w.ops([{ op: "configure", ns: "idle", ...settings }], now);
	assert.deepEqual(told, { status: "ok", evicted: 0, ...settings });
	await w.ops([{ op: "set", ns: "idle", items: ["used", "seen", "left"].map((key) => ({ key, value: "v" })) }], now);
	assert.deepEqual(await found([get("used"), get("seen", false), get("early")], now + 6e6), [true, true, true]);
	assert.deepEqual(await found([get("seen"), get("left"), get("used"), get("early")], now + 12e6), [false, false, true, true]);
	const [again] = await w.ops([{ op: "set", ns: "idle", items: [{ key: "left", value: "v" }] }], now + 13e6);
	assert.equal(again.items[0].created, true);
	const [{ namespaces: [stats] }] = await w.ops([{ op: "stats", ns: "idle" }], now + 13e6);
	assert.deepEqual([stats.entry_count, stats.max_idle_s, stats.compression, stats.put_status], [3, 10, "zstd", 200]);
	/* Without it, everything stays. */
	await w.ops([{ op: "configure", ns: "idle", max_idle_s: 0 }], now + 14e6);
	assert.deepEqual(await found([get("left"), get("used")], now + 99e6), [true, true]);
});

test("a namespace that was dropped begins anew", async () => {
	const fill = () => w.ops([{ op: "set", ns: "dropped", items: Array.from({ length: 2900 }, (_, i) => ({ key: `k${i}`, value: "v" })) }]);
	const stats = async () => (await w.ops([{ op: "stats", ns: "dropped" }]))[0].namespaces[0];
	await fill();
	await w.ops([{ op: "configure", ns: "dropped", capacity: 5000, put_status: 200 }]);
	const results = await w.ops([{ op: "drop", ns: "dropped" }, { op: "drop", ns: "dropped" }]);
	assert.deepEqual(results.map(({ status }) => status), ["ok", "not_found"]);
	assert.equal((await w.call("GET", "/cache")).json.namespaces.some(({ name }) => name === "dropped"), false);
	/* Not all of its entries have been removed yet: the new ones are others. */
	const [set] = await w.ops([{ op: "set", ns: "dropped", items: [{ key: "k2899", value: "new" }] }]);
	assert.equal(set.items[0].created, true);
	const now = await stats();
	assert.deepEqual([now.entry_count, now.capacity, now.put_status, now.sets], [1, -1, 0, 1]);
	for (let i = 0; i < 5; i++) await w.ops([{ op: "stats", ns: "dropped" }]);
	assert.deepEqual((await w.api("get", "dropped", { key: "k2899" })).json, { found: true, value: "new" });
});

test("conditions", async () => {
	const set = (value, kind, etags) => ({ op: "set", ns: "if", items: [{ key: "k", value, if: { kind, ...(etags ? { etags } : {}) } }] });
	const status = async (op) => (await w.ops([op]))[0].status;
	assert.equal(await status(set("a", "present")), "precondition_failed");
	assert.equal(await status(set("a", "match", [etag("a")])), "precondition_failed");
	assert.equal(await status(set("a", "absent")), "ok");
	assert.equal(await status(set("b", "absent")), "precondition_failed");
	assert.equal(await status(set("b", "match", [etag("x"), etag("a")])), "ok");
	assert.equal(await status(set("c", "none_match", [etag("b")])), "precondition_failed");
	assert.equal(await status(set("c", "none_match", [etag("a")])), "ok");
	const remove = (kind, etags) => ({ op: "delete", ns: "if", items: [{ key: "k", if: { kind, etags } }] });
	assert.equal(await status(remove("match", [etag("b")])), "precondition_failed");
	assert.equal(await status(remove("match", [etag("c")])), "ok");
});

test("of racing conditional writes exactly one wins", async () => {
	for (let round = 0; round < 10; round++) {
		const answers = await Promise.all(
			Array.from({ length: 8 }, (_, i) =>
				w.call("PUT", `/cache/raced/k${round}`, `value ${i}`, { "If-None-Match": "*" }),
			),
		);
		assert.deepEqual(answers.map(({ status }) => status).sort(), [201, ...Array(7).fill(412)]);
	}
});

test("what cannot be read is refused whole", async () => {
	const wrong = [
		"{",
		"[]",
		{ ops: 1 },
		{ ops: [1] },
		{ ops: [{ op: "nope", ns: "a" }] },
		{ ops: [{ op: "get", ns: "a b", items: [] }] },
		{ ops: [{ op: "get", ns: "a", items: [{ key: 5 }] }] },
		{ ops: [{ op: "get", ns: "a", items: [{ key_b64: "!" }] }] },
		{ ops: [{ op: "set", ns: "a", items: [{ key: "k", value: "v" }] }, { op: "scan", ns: "a", limit: 0 }] },
		{ ops: Array.from({ length: 1001 }, () => ({ op: "check" })) },
	];
	for (const body of wrong) {
		const answer = await w.call("POST", "/ops", body);
		assert.equal(answer.status, 400, JSON.stringify(body));
		assert.deepEqual(Object.keys(answer.json), ["error"]);
	}
	assert.equal((await w.stats("a")).entry_count, 0);
});

test("a thousand gets in one request", async () => {
	await w.fill("thousand", 1000, 10);
	const list = Array.from({ length: 1000 }, (_, i) => ({ op: "get", ns: "thousand", items: [{ key: `k${i}` }] }));
	const results = await w.ops(list);
	assert.ok(results.every(({ items }) => items[0].status === "ok"));
	const stats = await w.stats("thousand");
	assert.deepEqual([stats.hits, stats.avg_frequency], [1000, 2]);
});

test("neighbours are merged, and one that is refused does not spoil the others", async () => {
	await w.call("PUT", "/cache/merged", { max_size_mb: 50 * 160 / 1048576 });
	const set = (key, size) => ({ op: "set", ns: "merged", items: [{ key, value: "v".repeat(size) }] });
	const body = { ops: Array.from({ length: 50 }, (_, i) => set(`k${i}`, 1)) };
	const answer = await w.call("POST", "/ops", body);
	assert.ok(answer.json.results.every(({ status, items }) => status === "ok" && items.length === 1));
	assert.ok(answer.cost.queries <= 11, `${answer.cost.queries} queries`);
	const results = await w.ops([set("a", 1), set("b", 8000), set("a", 2), set("c", 3)]);
	assert.deepEqual(results.map(({ status }) => status), ["ok", "too_large", "ok", "ok"]);
	assert.equal(results[0].items[0].created, true);
	assert.equal(results[2].items[0].created, false);
	assert.deepEqual((await w.api("get", "merged", { key: "a" })).json, { found: true, value: "vv" });
	assert.equal((await w.api("get", "merged", { key: "b" })).json.found, false);
});

test("a page of a listing ends at a number of bytes", async () => {
	const key = "b".repeat(300000);
	await w.api("batch/set", "wide", { items: Array.from({ length: 9 }, (_, i) => ({ key: key + i, value: "v" })) });
	const pages = [];
	for (let after; pages.length < 9; ) {
		const [page] = await w.ops([{ op: "scan", ns: "wide", ...(after ? { after } : {}) }]);
		pages.push(page.entries.map((entry) => entry.key.slice(-1)).join(""));
		after = page.entries.at(-1).key;
		if (page.complete) break;
	}
	assert.deepEqual(pages, ["0123", "4567", "8"]);
	const [one] = await w.ops([{ op: "scan", ns: "wide", max_key_bytes: 1 }]);
	assert.deepEqual([one.entries.length, one.complete], [1, false]);
});

test("values have a bound together", async () => {
	for (let i = 0; i < 18; i++)
		assert.equal((await w.call("PUT", `/cache/heavy/k${i}`, "v".repeat(1900000))).status, 201);
	const get = async (count) => {
		const keys = Array.from({ length: count }, (_, i) => `k${i}`);
		return (await w.call("POST", "/batch/heavy/get", { keys })).status;
	};
	assert.equal(await get(17), 200);
	assert.equal(await get(18), 413);
});
