// Serves the Worker on workerd with a fresh local D1 until SIGTERM or SIGINT:
//   node test/serve.mjs [--port N] [--api-key KEY] [--emptier]
// Prints "listening http://127.0.0.1:PORT" when it is ready. With --emptier it first prints
// "emptier http://127.0.0.1:PORT": a POST there empties the database (emptier.mjs). Port 0 picks a
// free one.
import { parseArgs } from "node:util";
import { start } from "./runtime.mjs";

const { values } = parseArgs({
	options: {
		port: { type: "string", default: "0" },
		"api-key": { type: "string", default: process.env.API_KEY ?? "test-key" },
		emptier: { type: "boolean", default: false },
	},
});

const worker = await start({ apiKey: values["api-key"], port: Number(values.port), emptier: values.emptier });
let stopping = false;
async function stop() {
	if (stopping) return;
	stopping = true;
	await worker.close();
	process.exit(0);
}
process.on("SIGTERM", stop);
process.on("SIGINT", stop);
if (worker.emptierUrl) console.log(`emptier ${worker.emptierUrl}`);
console.log(`listening ${worker.url}`);
