/** The routes, and what happens before and after every handler. */
import { Hono } from "hono";
import { ConfigurationError } from "./env";
import { StoreError } from "./db";
import { api } from "./handlers/api";
import { batchDelete, batchExists, batchGet, batchSet } from "./handlers/batch";
import { statusError } from "./handlers/context";
import type { Bindings, Call } from "./handlers/context";
import { deleteEntry, getEntry, putEntry } from "./handlers/entry";
import { healthz, readyz, sync } from "./handlers/health";
import { clearNamespace, configureNamespace, listKeys, listNamespaces } from "./handlers/namespace";
import { ops } from "./handlers/ops";
import { namespaceStats, serverStats } from "./handlers/stats";
import { upgradeTables } from "./handlers/upgrade";
import { checkToken } from "./http/auth";
import { drain } from "./http/body";
import { pretty } from "./http/json";
import { errorResponse, HttpError } from "./http/problem";
import { checkParameters, queryValue, targetOf } from "./http/target";

type Method = "GET" | "PUT" | "POST" | "DELETE";
type Handler = (c: Call) => Response | Promise<Response>;

const routes: [string, Partial<Record<Method, Handler>>][] = [
	["/cache/:ns/:key{[^]+}", { GET: getEntry, PUT: putEntry, DELETE: deleteEntry }],
	...Object.entries(api).map(([path, post]): [string, { POST: Handler }] => [path, { POST: post }]),
	["/ops", { POST: ops }],
	["/batch/:ns/get", { POST: batchGet }],
	["/batch/:ns/set", { POST: batchSet }],
	["/batch/:ns/delete", { POST: batchDelete }],
	["/batch/:ns/exists", { POST: batchExists }],
	["/cache", { GET: listNamespaces }],
	["/cache/:ns", { GET: listKeys, PUT: configureNamespace, DELETE: clearNamespace }],
	["/stats", { GET: serverStats }],
	["/stats/:ns", { GET: namespaceStats }],
	["/upgrade", { POST: upgradeTables }],
	["/healthz", { GET: healthz }],
	["/readyz", { GET: readyz }],
	["/sync", { POST: sync }],
];
/** Query parameters that requests other than GET and HEAD accept besides `pretty`. */
const parameters: Record<string, string[]> = {
	"PUT /cache/:ns/:key{[^]+}": ["ttl"],
	"DELETE /cache/:ns": ["all", "prefix"],
};
const PUBLIC = new Set(["/healthz", "/readyz"]);

const app = new Hono<Bindings>({ getPath: (request) => targetOf(request.url).path });

app.use("*", async (c, next) => {
	const usage = { rows_read: 0, rows_written: 0, queries: 0 };
	c.set("usage", usage);
	await next();
	await drain(c.req.raw);
	if (c.env.SHOW_COST === "1")
		c.res.headers.set(
			"Server-Timing",
			`d1;desc="queries=${usage.queries} read=${usage.rows_read} written=${usage.rows_written}"`,
		);
	/* Without it, caches would keep much of this, including misses, for a time of their own
	 * choosing (RFC 9111, 4.2.2). */
	if (!c.res.headers.has("Cache-Control")) c.res.headers.set("Cache-Control", "no-store");
	/* Cloudflare's edge adds it anyway; workerd alone does not. */
	c.res.headers.set("Date", new Date().toUTCString());
});

app.use("*", async (c, next) => {
	const { path, query } = targetOf(c.req.raw.url);
	const isPublic = PUBLIC.has(path) && /^(GET|HEAD)$/.test(c.req.raw.method);
	if (!isPublic) {
		const refused = await checkToken(c.env.API_KEY, c.req.raw.headers.get("Authorization"), /^\/api(\/|$)/.test(path));
		if (refused) return refused;
	}
	await next();
	const type = c.res.headers.get("Content-Type") ?? "";
	if (queryValue(query, "pretty") !== null && /^application\/(problem\+)?json/.test(type))
		if (!c.res.headers.has("ETag"))
			c.res = new Response(pretty(await c.res.text()), { status: c.res.status, headers: c.res.headers });
	return undefined;
});

for (const [path, handlers] of routes) {
	for (const [method, handler] of Object.entries(handlers))
		app.on(method, path, (c) => {
			if (method !== "GET")
				checkParameters(targetOf(c.req.raw.url).query, [...(parameters[`${method} ${path}`] ?? []), "pretty"]);
			return handler(c);
		});
	const allowed = Object.keys(handlers).map((method) => (method === "GET" ? "GET, HEAD" : method));
	app.all(path, () => {
		throw new HttpError(405, "this path does not take that method; Allow names those that it takes", {
			Allow: allowed.join(", "),
		});
	});
}

app.notFound(() => {
	throw new HttpError(404, "there is nothing at this path");
});

app.onError((error, c) => {
	const { path } = targetOf(c.req.raw.url);
	if (error instanceof HttpError) return errorResponse(path, error);
	if (error instanceof StoreError) return errorResponse(path, statusError(error.status, error.message));
	if (error instanceof ConfigurationError) return errorResponse(path, new HttpError(500, error.message));
	// Identifies the request for whoever searches the log; an object, so that the log escapes
	// the values.
	console.error(error, {
		request_id: c.req.header("X-Request-Id"),
		traceparent: c.req.header("traceparent"),
	});
	return errorResponse(path, statusError("internal"));
});

export default app;
