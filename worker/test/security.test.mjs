// Names and keys that look like something else, tokens, and a Worker that is not set up.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { audit, open } from "./support.mjs";

let w;
before(async () => (w = await open()));
after(async () => {
	assert.deepEqual(await audit(w.db), []);
	await w.close();
});

test("names never reach SQL", async () => {
	const names = ["(select 1 as size, 2 as frequency) as x --", "x; DROP TABLE entries", 'a"b', "a'b", "", ".a", "a\n"];
	for (const name of names)
		for (const endpoint of ["init", "get", "set", "stats", "clear", "batch/get", "batch/set"]) {
			const answer = await w.api(endpoint, name, { key: "k", value: "v", keys: [], items: [], max_size_mb: 1 });
			assert.equal(answer.status, 400, `${endpoint} ${name}`);
		}
	const keys = ["'; DROP TABLE entries; --", '"', "__proto__", "constructor", "%", "?1", "\\u0000", "\0", "$.a"];
	const items = keys.map((key) => ({ key, value: key }));
	assert.equal((await w.api("batch/set", "entries", { items })).status, 200);
	const answer = await w.api("batch/get", "entries", { keys });
	const results = Object.entries(JSON.parse(answer.text, (_, value) => value).results);
	assert.deepEqual(results.map(([key, { value }]) => [key, value]), keys.map((key) => [key, key]));
	assert.ok(answer.text.includes('"__proto__":{"found":true,"value":"__proto__"}'));
});

test("the order of numeric keys is that of the request", async () => {
	const answer = await w.api("batch/get", "numeric", { keys: ["2", "1", "2"] });
	assert.equal(answer.text, '{"results":{"2":{"found":false},"1":{"found":false}}}');
	const pretty = await w.call("POST", "/api/batch/get?pretty", { cache_name: "numeric", keys: ["2", "1"] });
	assert.equal(pretty.text, '{\n  "results": {\n    "2": {\n      "found": false\n    },\n    "1": {\n      "found": false\n    }\n  }\n}');
});

test("half of a surrogate pair is refused, not changed", async () => {
	const body = '{"cache_name":"s","key":"\\ud800","value":"v"}';
	assert.equal((await w.call("POST", "/api/set", body)).status, 400);
	assert.equal((await w.call("POST", "/api/set", body.replace('"v"', '"\\udc00x"').replace("\\ud800", "k"))).status, 400);
});

test("ten thousand keys in a batch, and not one more", async () => {
	assert.equal((await w.fill("batch", 10000, 20)).status, 200);
	const keys = Array.from({ length: 10000 }, (_, i) => `k${i}`);
	const got = await w.api("batch/get", "batch", { keys });
	assert.equal(Object.values(got.json.results).filter(({ found }) => found).length, 10000);
	assert.ok(got.cost.queries <= 10, `${got.cost.queries} queries`);
	assert.equal((await w.api("batch/delete", "batch", { keys })).status, 200);
	assert.equal((await w.stats("batch")).entry_count, 0);
	assert.equal((await w.fill("batch", 10001, 1)).status, 413);
});

test("a Worker without a key refuses all but health", async () => {
	const bare = await open({ apiKey: undefined });
	try {
		assert.equal((await bare.call("GET", "/healthz")).status, 200);
		assert.equal((await bare.call("GET", "/readyz")).status, 503);
		for (const path of ["/cache", "/stats", "/api/get", "/nope"]) {
			const answer = await bare.call(path === "/api/get" ? "POST" : "GET", path, path === "/api/get" ? {} : undefined);
			assert.equal(answer.status, 503, path);
			assert.match(answer.json.error, /secret put API_KEY/);
		}
	} finally {
		await bare.close();
	}
});

test("a database that does not do it is never a miss", async () => {
	const broken = await open({ prepare: async () => {} });
	try {
		for (const [method, path, body] of [
			["POST", "/api/get", { cache_name: "a", key: "k" }],
			["GET", "/cache/a/k"],
			["PUT", "/cache/a/k", "v"],
		]) {
			const answer = await broken.call(method, path, body);
			assert.equal(answer.status, 503, path);
			assert.equal(answer.headers.get("Retry-After"), "1");
			assert.match(answer.json.error, /migrations apply/);
		}
		assert.equal((await broken.call("GET", "/readyz")).status, 503);
	} finally {
		await broken.close();
	}
});

test("limits and defaults come from the variables, and a wrong one is named", async () => {
	const other = await open({
		vars: { MAX_NAMESPACES: "2", DEFAULT_MAX_SIZE_MB: "0.5", DEFAULT_EVICTION: "lru", DEFAULT_CAPACITY: "3" },
	});
	try {
		for (const ns of ["a", "b"]) assert.equal((await other.api("set", ns, { key: "k", value: "v" })).status, 200);
		assert.equal((await other.api("set", "c", { key: "k", value: "v" })).status, 507);
		assert.equal((await other.api("set", "a", { key: "k2", value: "v" })).status, 200);
		const stats = await other.stats("a");
		assert.deepEqual([stats.max_size_bytes, stats.capacity, stats.eviction], [524288, 3, "lru"]);
	} finally {
		await other.close();
	}
	const wrong = await open({ vars: { DEFAULT_EVICTION: "random" } });
	try {
		const answer = await wrong.api("set", "a", { key: "k", value: "v" });
		assert.equal(answer.status, 500);
		assert.match(answer.json.error, /DEFAULT_EVICTION/);
	} finally {
		await wrong.close();
	}
});
