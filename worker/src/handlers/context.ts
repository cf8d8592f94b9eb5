/** What every handler needs of a request. */
import type { Context } from "hono";
import { fromBytes } from "../content";
import type { Key } from "../content";
import { defaultSettings, MAX_KEY_BYTES, maxNamespaces } from "../env";
import type { Env, Settings } from "../env";
import { decodedPath, isNamespace, queryValue, targetOf } from "../http/target";
import { HttpError } from "../http/problem";
import { textOf } from "../bytes";
import type { Usage } from "../db";
import { runOp } from "../ops";
import type { OpsContext } from "../ops/step";
import type { Op, OpResult, Status } from "../op_types";

export interface Bindings {
	Bindings: Env;
	Variables: { usage: Usage };
}
export type Call = Context<Bindings>;

export function opsContext(c: Call, now = nowUs()): OpsContext {
	return { db: c.env.DB, now_us: now, max_namespaces: maxNamespaces(c.env), usage: c.get("usage") };
}

export function settingsOf(c: Call): Settings {
	return defaultSettings(c.env);
}

let lastUs = 0;

/** Strictly increasing, so that uses within one tick of the Worker's clock keep their order. */
export function nowUs(): number {
	lastUs = Math.max(Date.now() * 1000, lastUs + 1);
	return lastUs;
}

const SENTENCES: Record<Status, [number, string]> = {
	ok: [200, "ok"],
	not_found: [404, "no such entry"],
	precondition_failed: [412, "the entry is not in the state that the request asks for"],
	too_large: [413, "the value is larger than the limit of its namespace"],
	no_space: [507, "no space left to store the value; free some space"],
	too_many_namespaces: [507, "too many namespaces; raise the variable MAX_NAMESPACES"],
	unsupported: [501, "this cache cannot do that"],
	unavailable: [503, "the storage backend cannot be reached; try again"],
	internal: [500, "internal error; npx wrangler tail tells more"],
};

export function statusError(status: Status, detail?: string): HttpError {
	const [code, sentence] = SENTENCES[status];
	return new HttpError(code, detail ?? sentence, code === 503 ? { "Retry-After": "1" } : {});
}

/** Runs one operation; throws if it fails as a whole. */
export async function perform(c: Call, op: Op): Promise<OpResult> {
	const result = await runOp(opsContext(c), op);
	if (result.status !== "ok") throw statusError(result.status, result.detail);
	return result;
}

/** The namespace of the path, `/{resource}/{ns}...`. */
export function namespaceOf(c: Call): string {
	return namespaceNamed(targetOf(c.req.raw.url).path.split("/")[2] ?? "");
}

function namespaceNamed(raw: string): string {
	const name = textOf(decodedPath(raw));
	if (name === null || !isNamespace(name))
		throw new HttpError(
			400,
			"a namespace has 1 to 64 letters, digits, '_', '.' or '-', and does not begin with '.' or '-'",
		);
	return name;
}

/** At the root, the path of a facade is the key, and the namespace is that of the team or of the tool. */
function rootNamespace(c: Call, path: string): string {
	return path.startsWith("/v8/") ? (query(c, "slug") ?? query(c, "teamId") ?? "turbo") : "nx";
}

/** The entry of the path: /cache/{ns}/{key}, or one of a facade. */
export function entryOf(c: Call): { ns: string; key: Key } {
	const { path } = targetOf(c.req.raw.url);
	const isRoot = !path.startsWith("/cache/");
	const ns = isRoot ? namespaceNamed(rootNamespace(c, path)) : namespaceOf(c);
	const key = fromBytes(decodedPath(isRoot ? path.slice(1) : path.slice(path.indexOf("/", "/cache/".length) + 1)));
	if (key.bytes.length > MAX_KEY_BYTES)
		throw new HttpError(
			414,
			`the key has ${key.bytes.length} bytes; the Worker takes up to ${MAX_KEY_BYTES}`,
		);
	return { ns, key };
}

export function query(c: Call, name: string): string | null {
	return queryValue(targetOf(c.req.raw.url).query, name);
}
