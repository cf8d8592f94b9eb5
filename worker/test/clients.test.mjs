// What clients other than ours need: headers that are kept, encodings, Basic, the caches of build tools. Over
// node:http, because fetch has an Accept-Encoding of its own and decodes.
import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { KEY, open } from "./support.mjs";

let w;
before(async () => (w = await open()));
after(() => w.close());

/** { status, headers, bytes, json } */
function ask(method, path, headers = {}, body, worker = w) {
	return new Promise((resolve, reject) => {
		const all = { Authorization: `Bearer ${KEY}`, Connection: "close", ...headers };
		for (const name of Object.keys(all)) if (all[name] === undefined) delete all[name];
		const asked = request(worker.url + path, { method, headers: all }, (answer) => {
			const chunks = [];
			answer.on("error", reject);
			answer.on("data", (chunk) => chunks.push(chunk));
			answer.on("end", () => {
				const bytes = Buffer.concat(chunks);
				resolve({
					status: answer.statusCode, headers: answer.headers, bytes,
					get json() {
						return JSON.parse(bytes.toString());
					},
				});
			});
		});
		asked.on("error", reject);
		asked.end(body);
	});
}

const HEADERS = {
	"Cache-Control": "public, max-age=7",
	"Content-Disposition": 'attachment; filename="a.txt"',
	"Content-Language": "en",
	"X-Artifact-Duration": "846",
	"X-Artifact-Tag": "tag==",
	"X-Meta-origin": "build 7",
};

test("headers are kept with a value, in order and by every way", async () => {
	const put = await ask("PUT", "/cache/kept/k", { ...HEADERS, "X-Other": "no", "Content-Encoding": "identity", "Content-Type": "text/plain" }, "v");
	assert.equal(put.status, 201);
	const get = await ask("GET", "/cache/kept/k");
	for (const [name, value] of Object.entries(HEADERS))
		assert.equal(get.headers[name.toLowerCase()], value);
	assert.deepEqual([get.headers["x-other"], get.headers["content-encoding"], get.headers.vary], [undefined, undefined, undefined]);
	const lines = Object.entries({ ...HEADERS, "X-Meta-origin": "build 7" }).map(([name, value]) => `\n${name}: ${value}`);
	const [{ items }] = await w.ops([{ op: "get", ns: "kept", items: [{ key: "k" }] }]);
	assert.equal(items[0].content_type, `text/plain${lines.join("")}`);
	const batch = (await w.call("POST", "/batch/kept/get", { keys: ["k"] })).json.results.k;
	assert.deepEqual([batch.content_type, Object.entries(batch.headers)], ["text/plain", Object.entries(HEADERS)]);
	const set = { key: "b", value: "v", content_type: "x/y", headers: { "x-meta-b": "2", "content-language": "de", "X-Meta-A": "1" } };
	assert.equal((await w.call("POST", "/batch/kept/set", { items: [set] })).status, 200);
	const [{ items: [b] }] = await w.ops([{ op: "get", ns: "kept", items: [{ key: "b" }] }]);
	assert.equal(b.content_type, "x/y\nContent-Language: de\nX-Meta-a: 1\nX-Meta-b: 2");
	/* A PUT without them has none. */
	await ask("PUT", "/cache/kept/k", {}, "v");
	assert.equal((await ask("GET", "/cache/kept/k")).headers["x-artifact-tag"], undefined);
});

test("headers that cannot be kept are refused, and what /ops brings is no header of ours", async () => {
	const put = async (headers) => (await ask("PUT", "/cache/kept/no", headers, "v")).status;
	assert.equal(await put({ "X-Meta-Fill": "f".repeat(2048 - 14) }), 201);
	assert.equal(await put({ "X-Meta-Fill": "f".repeat(2048 - 13) }), 431);
	assert.equal(await put({ [`X-Meta-${"n".repeat(58)}`]: "v" }), 431);
	assert.equal(await put({ "X-Meta-A": "\u00e9" }), 400);
	const headers = async (given) => {
		const answer = await w.call("POST", "/batch/kept/set", { items: [{ key: "no", value: "v", headers: given }] });
		return answer.status;
	};
	for (const wrong of [{ "X-Other": "v" }, { "X-Meta-A": "1", "x-meta-a": "2" }, { "X-Meta-A": "a\nb" }, { "X-Meta-A": 5 }, { "X-Meta-": "v" }, []])
		assert.equal(await headers(wrong), 400, JSON.stringify(wrong));
	await w.ops([{ op: "set", ns: "kept", items: [{ key: "no", value: "v", content_type: "a/b\nSet-Cookie: a=b\nX-Meta-a: 1\nVary: *" }] }]);
	const get = await ask("GET", "/cache/kept/no");
	assert.deepEqual(
		[get.headers["content-type"], get.headers["set-cookie"], get.headers["x-meta-a"], get.headers.vary],
		["a/b", undefined, "1", undefined],
	);
});

test("an encoding goes to who takes it; gzip is decoded for the others", async () => {
	const plain = "text ".repeat(20000);
	const bytes = gzipSync(plain);
	assert.equal((await ask("PUT", "/cache/coded/k", { "Content-Encoding": "gzip" }, bytes)).status, 201);
	const etag = (await ask("HEAD", "/cache/coded/k", { "Accept-Encoding": "gzip" })).headers.etag;
	for (const accept of ["gzip", "br, gzip;q=0.1", "*", "x-gzip"]) {
		const get = await ask("GET", "/cache/coded/k", { "Accept-Encoding": accept });
		assert.deepEqual([get.status, get.headers["content-encoding"], get.headers.vary], [200, "gzip", "Accept-Encoding"]);
		assert.ok(get.bytes.equals(bytes));
	}
	const part = await ask("GET", "/cache/coded/k", { "Accept-Encoding": "gzip", Range: "bytes=1-3" });
	assert.deepEqual([part.status, part.bytes.equals(bytes.subarray(1, 4))], [206, true]);
	for (const accept of [undefined, "br", "gzip;q=0", "identity"]) {
		const get = await ask("GET", "/cache/coded/k", { "Accept-Encoding": accept, Range: "bytes=0-3" });
		assert.deepEqual([get.status, get.headers["content-encoding"], get.headers["content-length"], get.headers["accept-ranges"]], [200, undefined, undefined, undefined]);
		assert.deepEqual([get.headers.etag, get.bytes.toString() === plain], [etag.replace(/"$/, '-identity"'), true]);
	}
	const match = async (tag, headers = {}) => (await ask("GET", "/cache/coded/k", { "If-None-Match": tag, ...headers })).status;
	const decoded = etag.replace(/"$/, '-identity"');
	assert.deepEqual([await match(decoded), await match(etag), await match(etag, { "Accept-Encoding": "gzip" })], [304, 200, 304]);
	assert.equal((await ask("GET", "/cache/coded/k", { "Accept-Encoding": "br, identity;q=0" })).status, 406);
	assert.equal((await ask("PUT", "/cache/coded/k", { "If-Match": decoded, "Content-Encoding": "gzip" }, "no gzip")).status, 204);
	assert.equal((await ask("GET", "/cache/coded/k", { "Accept-Encoding": "br" })).status, 406);
	assert.equal((await ask("GET", "/cache/coded/k")).bytes.toString(), "no gzip");
	assert.equal((await ask("GET", "/cache/coded/k", { "Accept-Encoding": "gzip" })).bytes.toString(), "no gzip");
	await ask("PUT", "/cache/coded/br", { "Content-Encoding": "br" }, "as it is");
	assert.equal((await ask("GET", "/cache/coded/br")).bytes.toString(), "as it is");
	const refused = await ask("GET", "/cache/coded/br", { "Accept-Encoding": "gzip" });
	assert.deepEqual([refused.status, refused.headers.vary, /br/.test(refused.json.error)], [406, "Accept-Encoding", true]);
});

test("what is compressed at rest is sent as it is to who takes it, else decoded", async () => {
	const zstd_b64 = "KLUv/SQFKQAAdmFsdWXBqU7p"; // of "value"
	await ask("PUT", "/cache/rest/plain", {}, "value");
	const etag = (await ask("HEAD", "/cache/rest/plain")).headers.etag;
	const set = (key, more) =>
		({ key, value: { zstd_b64, etag, flags: 1, ...more }, content_type: "text/plain\nX-Meta-a: 1" });
	await w.ops([{ op: "set", ns: "rest", items: [set("k"), set("other", { etag: `"${"1".repeat(32)}"` }), set("damaged", { zstd_b64: "KLUv/QRYKQAAdmFs" })] }]);
	const get = await ask("GET", "/cache/rest/k", { "Accept-Encoding": "gzip, zstd" });
	assert.deepEqual([get.status, get.bytes.toString("base64"), get.headers["content-encoding"]], [200, zstd_b64, "zstd"]);
	assert.deepEqual([get.headers.etag, get.headers.vary, get.headers["x-meta-a"]], [etag.replace(/"$/, '-zstd"'), "Accept-Encoding", "1"]);
	for (const accept of [undefined, "gzip", "zstd;q=0", "identity, *;q=0.5"]) {
		const plain = await ask("GET", "/cache/rest/k", { "Accept-Encoding": accept });
		assert.deepEqual([plain.status, plain.bytes.toString(), plain.headers["content-encoding"]], [200, "value", undefined]);
		assert.deepEqual([plain.headers.etag, plain.headers.vary, plain.headers["content-length"]], [etag, "Accept-Encoding", "5"]);
	}
	assert.equal((await ask("GET", "/cache/rest/k", { Range: "bytes=1-2" })).bytes.toString(), "al");
	assert.equal((await ask("GET", "/cache/rest/k", { "Accept-Encoding": "gzip, identity;q=0" })).status, 406);
	assert.equal((await w.call("POST", "/batch/rest/get", { keys: ["k"] })).json.results.k.value, "value");
	/* Other bytes than those that were stored are a failure. */
	for (const key of ["other", "damaged"]) {
		const answers = [await ask("GET", `/cache/rest/${key}`), await w.api("get", "rest", { key })];
		assert.deepEqual(answers.map(({ status, json }) => [status, /compressed/.test(json.error)]), [[500, true], [500, true]]);
	}
	assert.equal((await ask("PUT", "/cache/rest/k", { "If-Match": get.headers.etag }, "new")).status, 204);
});

test("Basic is asked of programs, and taken", async () => {
	const basic = (text) => ({ Authorization: `Basic ${Buffer.from(text).toString("base64")}` });
	assert.equal((await ask("PUT", "/cache/basic/k", basic(`:${KEY}`), "v")).status, 201);
	assert.equal((await ask("POST", "/api/get", basic(`u:${KEY}`), '{"cache_name":"basic","key":"k"}')).status, 200);
	const challenges = async (headers) =>
		(await ask("GET", "/cache/basic/k", headers)).headers["www-authenticate"].match(/(Bearer|Basic) /g).map((scheme) => scheme.trim());
	assert.deepEqual(await challenges({ Authorization: undefined }), ["Bearer", "Basic"]);
	assert.deepEqual(await challenges({ ...basic("u:wrong") }), ["Bearer", "Basic"]);
	assert.deepEqual(await challenges({ Authorization: undefined, "Sec-Fetch-Mode": "cors" }), ["Bearer"]);
	assert.equal((await ask("GET", "/cache/basic/k", { ...basic(`u:${KEY}`), Origin: "https://example.com" })).status, 403);
});

test("the caches of build tools", async () => {
	const turbo = await ask("PUT", "/v8/artifacts/abc?slug=team", { "X-Artifact-Tag": "signed" }, "artifact");
	assert.ok([201, 200].includes(turbo.status));
	const get = await ask("GET", "/cache/team/v8/artifacts/abc?slug=other");
	assert.deepEqual([get.bytes.toString(), get.headers["x-artifact-tag"]], ["artifact", "signed"]);
	assert.deepEqual((await ask("GET", "/v8/artifacts/status?teamId=t")).json, { status: "enabled" });
	assert.equal((await ask("POST", "/v8/artifacts/events?slug=team", {}, "[]")).status, 200);
	const missing = await ask("GET", "/v8/artifacts/none");
	assert.deepEqual([missing.status, missing.json.error.code], [404, "not_found"]);
	assert.equal((await ask("GET", "/v8/artifacts/abc?slug=a%20b")).status, 400);
	const preflight = await ask("OPTIONS", "/v8/artifacts/abc", { Authorization: undefined });
	assert.deepEqual([preflight.status, preflight.headers.allow], [204, "GET, HEAD, PUT, OPTIONS"]);
	assert.match(preflight.headers["access-control-allow-headers"], /Authorization/);
	for (const path of ["/v1/cache/h", "/cache/mine/v1/cache/h"]) {
		assert.equal((await ask("PUT", path, {}, "first")).status, 200);
		assert.equal((await ask("PUT", path, {}, "second")).status, 409);
		assert.equal((await ask("GET", path)).bytes.toString(), "first");
	}
	assert.equal((await ask("DELETE", "/cache/mine/v1/cache/h")).status, 204);
	const allow = async (path) => (await ask("OPTIONS", path, { Authorization: undefined })).headers.allow;
	assert.equal(await allow("/cache/a/k"), "GET, HEAD, PUT, DELETE, PATCH, OPTIONS");
	assert.equal(await allow("/ops"), "POST, OPTIONS");
	assert.equal((await ask("OPTIONS", "/nothing")).status, 404);
	const off = await open({ vars: { FACADES: "none" } });
	try {
		assert.equal((await ask("GET", "/v1/cache/h", {}, undefined, off)).status, 404);
		assert.equal((await ask("PUT", "/cache/mine/v1/cache/h", {}, "v", off)).status, 201);
		assert.equal((await ask("OPTIONS", "/v8/artifacts/abc", {}, undefined, off)).status, 404);
	} finally {
		await off.close();
	}
});

test("times to live, settings and dropping over REST", async () => {
	const left = async (key) => (await w.call("GET", "/cache/times")).json.keys.find((entry) => entry.key === key).expires_at;
	assert.equal((await ask("PUT", "/cache/times/k", { "X-TTL": "100" }, "v")).status, 201);
	assert.ok((await left("k")) > 0);
	assert.equal((await ask("PUT", "/cache/times/k?ttl=5", { "X-TTL": "6" }, "v")).status, 400);
	assert.equal((await ask("PATCH", "/cache/times/k?ttl=0")).status, 204);
	assert.equal(await left("k"), null);
	const statuses = ["/cache/times/none?ttl=5", "/cache/times/k"].map(async (path) => (await ask("PATCH", path)).status);
	assert.deepEqual(await Promise.all(statuses), [404, 400]);
	assert.equal((await ask("PATCH", "/cache/times/k?ttl=5", {}, "body")).status, 415);
	assert.equal((await ask("PATCH", "/cache/times/k?ttl=5", { "If-Match": '"0"' })).status, 412);
	const expired = (await w.call("POST", "/batch/times/expire", { keys: ["k", "none"], ttl: 60 })).json.results;
	assert.deepEqual(expired, { k: { exists: true }, none: { exists: false } });
	const settings = { max_idle: 60, compression: "zstd", put_status: 200 };
	assert.equal((await w.call("PUT", "/cache/times", settings)).status, 204);
	const { max_idle, compression, put_status } = await w.stats("times");
	assert.deepEqual({ max_idle, compression, put_status }, settings);
	assert.equal((await ask("PUT", "/cache/times/new", {}, "v")).status, 200);
	assert.equal((await ask("PUT", "/cache/times/new", {}, "v")).status, 200);
	for (const wrong of [{ put_status: 201 }, { compression: "gzip" }, { max_idle: -1 }])
		assert.equal((await w.call("PUT", "/cache/times", wrong)).status, 400);
	assert.equal((await w.call("DELETE", "/cache/times?drop&all")).status, 400);
	assert.equal((await w.call("DELETE", "/cache/times?drop")).status, 204);
	assert.equal((await w.call("DELETE", "/cache/times?drop")).status, 404);
	assert.equal((await w.stats("times")).put_status, null);
});
