// What operations cost in rows: the same with 1,000 entries as with 10,000.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { open } from "./support.mjs";

let w;
before(async () => (w = await open()));
after(() => w.close());

async function costs(count) {
	const ns = `full${count}`;
	await w.fill(ns, count, 50);
	assert.equal((await w.call("PUT", `/cache/${ns}`, { capacity: count })).status, 204);
	const cost = {};
	const measure = async (name, answer) => {
		const { status, cost: rows } = await answer;
		assert.ok(status < 300, `${name}: ${status}`);
		cost[name] = [rows.queries, rows.read, rows.written];
	};
	const keys = Array.from({ length: 50 }, (_, i) => `k${100 + i}`);
	await measure("set, evicting one", w.api("set", ns, { key: "new", value: "v" }));
	await measure("set, replacing", w.api("set", ns, { key: "new", value: "w" }));
	await measure("get, hit", w.api("get", ns, { key: "new" }));
	await measure("get, miss", w.api("get", ns, { key: "none" }));
	await measure("exists", w.api("exists", ns, { key: "new" }));
	await measure("delete", w.api("delete", ns, { key: "new" }));
	await measure("set, with room", w.api("set", ns, { key: "new", value: "v" }));
	await measure("batch get 50", w.api("batch/get", ns, { keys }));
	await measure("batch set 50, replacing", w.api("batch/set", ns, { items: keys.map((key) => ({ key, value: "w" })) }));
	await measure("batch set 50, evicting 50", w.api("batch/set", ns, { items: keys.map((key) => ({ key: `n${key}`, value: "w" })) }));
	await measure("batch delete 50", w.api("batch/delete", ns, { keys }));
	await measure("stats", w.api("stats", ns));
	return cost;
}

test("rows do not grow with the cache", async () => {
	const small = await costs(1000);
	const large = await costs(10000);
	console.table(large);
	for (const [name, [queries, read, written]] of Object.entries(large)) {
		assert.equal(queries, small[name][0], name);
		assert.ok(Math.abs(read - small[name][1]) <= 5, `${name}: ${small[name][1]} rows, then ${read}`);
		assert.equal(written, small[name][2], name);
	}
	assert.ok(large["get, hit"][1] <= 20 && large["get, hit"][2] <= 3);
	assert.ok(large["set, with room"][1] <= 45 && large["set, with room"][2] <= 5);
	assert.ok(large["set, evicting one"][1] <= 150);
	assert.ok(large.exists[2] === 0 && large.exists[1] <= 3);
});
