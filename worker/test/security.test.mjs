// Names and keys that look like something else, tokens, and a Worker that is not configured.
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

test("what is stored cannot act as a page of this site", async () => {
	const html = "<script>alert(1)</script>";
	await w.call("PUT", "/cache/page/k", html, { "Content-Type": "text/html" });
	for (const [method, headers, status] of [["GET", {}, 200], ["HEAD", {}, 200], ["GET", { Range: "bytes=0-3" }, 206]]) {
		const answer = await w.call(method, "/cache/page/k", undefined, headers);
		assert.equal(answer.status, status);
		assert.equal(answer.headers.get("X-Content-Type-Options"), "nosniff");
		assert.equal(answer.headers.get("Content-Security-Policy"), "sandbox; default-src 'none'");
		assert.equal(answer.headers.get("X-Frame-Options"), "DENY");
		assert.equal(answer.headers.get("Cross-Origin-Resource-Policy"), "same-origin");
	}
});

test("parameters that are not known change nothing", async () => {
	await w.fill("kept", 3, 1);
	const refused = [
		["DELETE", "/cache/kept"], ["DELETE", "/cache/kept?prefx=k"], ["DELETE", "/cache/kept?prefix="],
		["DELETE", "/cache/kept?all&prefix=k"], ["DELETE", "/cache/kept?all=0"], ["DELETE", "/cache/kept?all&all"],
		["DELETE", "/cache/kept?all&key=k0"], ["DELETE", "/cache/kept/k0?all"], ["PUT", "/cache/kept/k0?tll=5"],
		["PUT", "/cache/kept/k0?ttl=5&ttl=6"], ["PUT", "/cache/kept?capacity=1"], ["POST", "/sync?force"],
		["POST", "/batch/kept/delete?all"], ["POST", "/api/clear?cache_name=kept"], ["POST", "/ops?x=1"],
	];
	for (const [method, path] of refused) {
		const body = method === "PUT" ? "{}" : method === "POST" ? { cache_name: "kept", keys: [], ops: [] } : undefined;
		const answer = await w.call(method, path, body);
		assert.equal(answer.status, 400, `${method} ${path}: ${answer.text}`);
	}
	assert.match((await w.call("DELETE", "/cache/kept?prefx=k")).json.error, /"prefx".*all, drop, prefix, pretty/);
	assert.equal((await w.stats("kept")).entry_count, 3);
	assert.equal((await w.call("GET", "/cache/kept/k0?whatever=1&whatever=2")).status, 200);
	assert.equal((await w.call("DELETE", "/cache/kept?prefix=k1")).status, 204);
	assert.equal((await w.call("DELETE", "/cache/kept?all=true&pretty")).status, 204);
	assert.equal((await w.stats("kept")).entry_count, 0);
});

test("another scheme is asked for a token, and on /api refused as ever", async () => {
	const status = async (path, scheme) => {
		const answer = await w.call("POST", path, {}, { Authorization: scheme });
		return [answer.status, answer.headers.get("WWW-Authenticate")];
	};
	for (const path of ["/batch/a/get", "/cache/api/get"]) {
		assert.deepEqual(await status(path, "Digest a"), [401, 'Bearer realm=""']);
		assert.deepEqual(await status(path, "Basic YTpi"), [401, 'Bearer error="invalid_token"']);
	}
	assert.deepEqual(await status("/api/get", "Basic YTpi"), [400, 'Bearer error="invalid_request"']);
	for (const path of ["/api/get", "/batch/a/get"])
		assert.deepEqual(await status(path, "Bearer"), [400, 'Bearer error="invalid_request"']);
});

test("bodies of other programs", async () => {
	assert.equal((await w.call("POST", "/api/set", '\uFEFF{"cache_name":"bom","key":"k","value":"v"}')).status, 200);
	const numbers = '{"cache_name":"bom","key":"k","value":"w","x":123456789012345678901234567890,"y":1e999,"__proto__":{"key":1}}';
	assert.equal((await w.call("POST", "/api/set", numbers)).status, 200);
	const half = '{"items":[{"key":"a","value":"v"},{"key":"b","value":"v"},{"key":"c","value":"x\\ud800"}]}';
	const answer = await w.call("POST", "/batch/bom/set", half);
	assert.equal(answer.status, 400);
	assert.match(answer.json.error, /items\[2\]\.value/);
	assert.equal((await w.call("POST", "/api/get", '{"cache_name":"bom","key":"k","other":"\\udc00"}')).json.value, "w");
});

test("types", async () => {
	const typeOf = async (key) => (await w.call("HEAD", `/cache/types/${key}`)).headers.get("Content-Type");
	for (const type of ["application/x-www-form-urlencoded", "Application/X-WWW-Form-URLencoded; charset=utf-8"]) {
		await w.call("PUT", "/cache/types/form", "v", { "Content-Type": type });
		assert.equal(await typeOf("form"), "application/octet-stream");
	}
	await w.call("PUT", "/cache/types/other", "v", { "Content-Type": "application/x-www-form-urlencoded2" });
	assert.equal(await typeOf("other"), "application/x-www-form-urlencoded2");
	assert.equal((await w.call("PUT", "/cache/types/k", "v", { "Content-Type": "text/\u00e9" })).status, 400);
	const item = { key: "k", value: "v", content_type: "text/é" };
	assert.equal((await w.call("POST", "/batch/types/set", { items: [item] })).status, 400);
	/* A type that an earlier version accepted, or a front brought from elsewhere, is still
	 * served. */
	for (const content_type of ["text/\u00e9", "text/\u65e5\u672c", "a\r\nb: c", ""]) {
		const [set] = await w.ops([{ op: "set", ns: "types", items: [{ key: "old", value: "v", content_type }] }]);
		assert.equal(set.status, "ok");
		assert.equal((await w.call("GET", "/cache/types/old")).status, 200, content_type);
		const [get] = await w.ops([{ op: "get", ns: "types", items: [{ key: "old" }] }]);
		assert.equal(get.items[0].content_type, content_type);
	}
});

test("what caches are told", async () => {
	const control = async (method, path, body, headers) => (await w.call(method, path, body, headers)).headers.get("Cache-Control");
	await w.call("PUT", "/cache/fresh/k?ttl=60", "v");
	await w.call("PUT", "/cache/fresh/stays", "v");
	const { etag } = Object.fromEntries((await w.call("GET", "/cache/fresh/k")).headers);
	for (const headers of [{}, { "If-None-Match": etag }, { Range: "bytes=0-0" }])
		assert.equal(await control("GET", "/cache/fresh/k", undefined, headers), "max-age=60, no-transform");
	assert.equal(await control("GET", "/cache/fresh/stays"), "no-cache, no-transform");
	assert.equal(await control("GET", "/cache/fresh/k", undefined, { "If-Match": '"0"' }), "no-store");
	assert.equal(await control("GET", "/cache/fresh/k", undefined, { Range: "bytes=9-" }), "no-store");
	for (const path of ["/cache/fresh/none", "/cache", "/cache/fresh", "/stats", "/stats/fresh", "/healthz", "/readyz", "/nothing"])
		assert.equal(await control("GET", path), "no-store", path);
	assert.equal(await control("GET", "/cache/fresh/k", undefined, { Authorization: "Bearer wrong" }), "no-store");
	assert.equal(await control("POST", "/batch/fresh/get", { keys: ["k"] }), "no-store");
});

test("dates hold the whole second", async () => {
	await w.call("PUT", "/cache/dates/k", "old");
	const date = (await w.call("GET", "/cache/dates/k")).headers.get("Last-Modified");
	await w.call("PUT", "/cache/dates/k", "new");
	assert.equal((await w.call("GET", "/cache/dates/k", undefined, { "If-Modified-Since": date })).text, "new");
	const part = await w.call("GET", "/cache/dates/k", undefined, { "If-Range": date, Range: "bytes=1-" });
	assert.deepEqual([part.status, part.text], [200, "new"]);
	const later = new Date(Date.now() + 2000).toUTCString();
	assert.equal((await w.call("GET", "/cache/dates/k", undefined, { "If-Modified-Since": later })).status, 304);
});
