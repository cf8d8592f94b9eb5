// S3 for tests: s3rver with the keys of STEADYCACHE_BED_KEYS (dynamodb.mjs) and one bucket.
//
//     node s3.mjs --port PORT --path FOLDER --bucket NAME
//
// Prints "listening PORT".
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { parseArgs } from "node:util";

const require = createRequire(import.meta.url);
// s3rver makes its tokens of listings with DES, which OpenSSL 3 has as triple DES with one key only.
const crypto = require("node:crypto");
for (const name of ["createCipheriv", "createDecipheriv"]) {
	const original = crypto[name];
	crypto[name] = (kind, key, iv) =>
		kind === "des"
			? original("des-ede3-cbc", Buffer.concat([key, key, key]), iv)
			: original(kind, key, iv);
}
const S3rver = require("s3rver");
const { DUMMY_ACCOUNT } = require("s3rver/lib/models/account");

const { values: options } = parseArgs({
	options: { port: { type: "string" }, path: { type: "string" }, bucket: { type: "string" } },
});
for (const [access, { secret }] of Object.entries(JSON.parse(process.env.STEADYCACHE_BED_KEYS)))
	DUMMY_ACCOUNT.createKeyPair(access, secret);
mkdirSync(options.path, { recursive: true });
const server = new S3rver({
	address: "127.0.0.1",
	port: Number(options.port),
	directory: options.path,
	silent: true,
	vhostBuckets: false,
	configureBuckets: [{ name: options.bucket }],
});
const { port } = await server.run();
console.log(`listening ${port}`);
process.on("SIGTERM", () => process.exit(0));
