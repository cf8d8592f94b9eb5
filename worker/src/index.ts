/** The routes, and what happens before and after every handler. */
import { Hono } from "hono";
import { ConfigurationError } from "./env";
import { StoreError } from "./db";
import { statusError } from "./handlers/context";
import type { Bindings } from "./handlers/context";
import { checkToken } from "./http/auth";
import { drain } from "./http/body";
import { pretty } from "./http/json";
import { errorResponse, HttpError } from "./http/problem";
import { checkParameters, queryValue, targetOf } from "./http/target";
import { allow, answerOptions, isOn, routes } from "./routes";

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
	if (c.req.raw.method === "OPTIONS") return answerOptions(c.env, path);
	const isPublic = PUBLIC.has(path) && /^(GET|HEAD)$/.test(c.req.raw.method);
	if (!isPublic) {
		const refused = await checkToken(c.env.API_KEY, c.req.raw, path);
		if (refused) return refused;
	}
	await next();
	const type = c.res.headers.get("Content-Type") ?? "";
	if (queryValue(query, "pretty") !== null && /^application\/(problem\+)?json/.test(type))
		if (!c.res.headers.has("ETag"))
			c.res = new Response(pretty(await c.res.text()), { status: c.res.status, headers: c.res.headers });
	return undefined;
});

for (const route of routes) {
	const { path, handlers, isBeside } = route;
	for (const [method, [handler, ...parameters]] of Object.entries(handlers))
		app.on(method, path, (c, next) => {
			if (!isOn(c.env, route)) return next();
			if (method !== "GET") checkParameters(targetOf(c.req.raw.url).query, [...parameters, "pretty"]);
			return handler(c);
		});
	if (!isBeside)
		app.all(path, (c, next) => {
			if (!isOn(c.env, route)) return next();
			throw new HttpError(405, "this path does not take that method; Allow names those that it takes", {
				Allow: allow([handlers]),
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
