/** /healthz, /readyz, /sync */
import { runOp } from "../ops";
import { opsContext } from "./context";
import type { Call } from "./context";

const TEXT = { "Content-Type": "text/plain; charset=utf-8" };

export function healthz(): Response {
	return new Response("ok\n", { headers: TEXT });
}

export async function readyz(c: Call): Promise<Response> {
	const key = c.env.API_KEY
		? ["ok api key"]
		: ["failed api key: there is none; set one: npx wrangler secret put API_KEY"];
	const result = await runOp(opsContext(c), { op: "check" });
	const ok = result.status === "ok";
	const lines = [...key, ok ? "ok database" : `failed database: ${result.detail ?? result.status}`];
	const ready = ok && c.env.API_KEY !== undefined;
	return new Response(lines.join("\n") + "\n", {
		status: ready ? 200 : 503,
		headers: ready ? TEXT : { ...TEXT, "Retry-After": "1" },
	});
}

/** D1 answers a write once it is durable: there is nothing left to do. */
export function sync(): Response {
	return new Response(null, { status: 204 });
}
