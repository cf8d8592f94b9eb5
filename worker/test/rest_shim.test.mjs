// The shim of D1's REST API holds its limits, and the Worker's statements run through it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { open } from "./support.mjs";

let w;
before(async () => {
	w = await open({ rest: { token: "t" } });
});
after(async () => {
	await w.close();
});

async function query(body, token = "t") {
	const response = await fetch(`${w.restUrl}/accounts/a/d1/database/d/query`, {
		method: "POST",
		headers: { Authorization: `Bearer ${token}` },
		body: JSON.stringify(body),
	});
	return { status: response.status, ...(await response.json()) };
}

test("statements and batches", async () => {
	await w.api("set", "shared", { key: "k", value: "v" });
	const stats = /-- name: stats\n([^]*?);\n\n/.exec(readFileSync(new URL("../sql/statements.sql", import.meta.url), "utf8"))[1];
	const sql = stats.split("\n").filter((line) => !line.startsWith("--")).join("\n");
	const answer = await query({ batch: [{ sql: "SELECT 1 AS one" }, { sql, params: ['{"ns":"shared"}'] }] });
	assert.equal(answer.success, true);
	assert.equal(answer.result[1].results[0].entry_count, 1);
	assert.ok(answer.result[1].meta.rows_read > 0);
});

test("a batch is one transaction", async () => {
	const insert = { sql: "INSERT INTO dropped(id) VALUES (1000000)" };
	const answer = await query({ batch: [insert, insert] });
	assert.equal(answer.success, false);
	assert.match(answer.errors[0].message, /UNIQUE/);
	const count = await query({ sql: "SELECT count(*) AS n FROM dropped" });
	assert.equal(count.result[0].results[0].n, 0);
});

test("limits", async () => {
	const many = await query({ sql: "SELECT 1", params: Array(101).fill("x") });
	assert.match(many.errors[0].message, /too many SQL variables/);
	const long = await query({ sql: `SELECT 1 -- ${"x".repeat(100000)}` });
	assert.match(long.errors[0].message, /TOOBIG/);
	const large = await query({ sql: "SELECT ?", params: ["x".repeat(2000001)] });
	assert.match(large.errors[0].message, /TOOBIG/);
	assert.equal((await query({ sql: "SELECT 1" }, "wrong")).status, 401);
});
