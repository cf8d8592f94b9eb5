// Serves the Worker on workerd with a fresh local D1 until SIGTERM or SIGINT:
//   node test/serve.mjs [--port N] [--api-key KEY] [--rest-port N [--rest-token TOKEN]]
// Prints "listening http://127.0.0.1:PORT" when it is ready, and with --rest-port "rest
// http://127.0.0.1:PORT": a shim of Cloudflare's D1 REST API on the same database. Port 0 picks one.
import { parseArgs } from "node:util";
import { start } from "./runtime.mjs";

const { values } = parseArgs({
	options: {
		port: { type: "string", default: "0" },
		"api-key": { type: "string", default: process.env.API_KEY ?? "test-key" },
		"rest-port": { type: "string" },
		"rest-token": { type: "string", default: "test-token" },
	},
});

const worker = await start({
	apiKey: values["api-key"],
	port: Number(values.port),
	rest:
		values["rest-port"] === undefined
			? undefined
			: { port: Number(values["rest-port"]), token: values["rest-token"] },
});
let stopping = false;
async function stop() {
	if (stopping) return;
	stopping = true;
	await worker.close();
	process.exit(0);
}
process.on("SIGTERM", stop);
process.on("SIGINT", stop);
if (worker.restUrl) console.log(`rest ${worker.restUrl}`);
console.log(`listening ${worker.url}`);
