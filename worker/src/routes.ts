/** Which handler answers which request. */
import { ConfigurationError } from "./env";
import type { Env } from "./env";
import { api } from "./handlers/api";
import { batchDelete, batchExists, batchExpire, batchGet, batchSet } from "./handlers/batch";
import type { Call } from "./handlers/context";
import { getEntry } from "./handlers/entry";
import { deleteEntry, expireEntry, putEntry } from "./handlers/entry_write";
import { nxPut, TURBOREPO_HEADERS, turborepoEvents, turborepoStatus } from "./handlers/facade";
import { healthz, readyz, sync } from "./handlers/health";
import { clearNamespace, configureNamespace, listKeys, listNamespaces } from "./handlers/namespace";
import { ops } from "./handlers/ops";
import { namespaceStats, serverStats } from "./handlers/stats";
import { upgradeTables } from "./handlers/upgrade";
import { HttpError } from "./http/problem";

export type Handler = (c: Call) => Response | Promise<Response>;
/** In the order of Allow. */
const METHODS = ["GET", "PUT", "DELETE", "POST", "PATCH"] as const;
export type Method = (typeof METHODS)[number];
const FACADES = ["turborepo", "nx"] as const;
type Facade = (typeof FACADES)[number];

export interface Route {
	path: string;
	/** A handler, and the query parameters that it takes besides `pretty`, unless it is a GET. */
	handlers: Partial<Record<Method, [Handler, ...string[]]>>;
	facade?: Facade;
	/** Beside an entry's: other methods are for the entry. */
	isBeside?: boolean;
}

const REST = ":key{[^]+}";
const TEAM = ["slug", "teamId"];

/** Turborepo's remote cache, at the root or below a namespace. */
function turborepo(base: string): Route[] {
	const common = { facade: "turborepo" as const, isBeside: base !== "" };
	return [
		{ ...common, path: `${base}/v8/artifacts/status`, handlers: { GET: [turborepoStatus] } },
		{ ...common, path: `${base}/v8/artifacts/events`, handlers: { POST: [turborepoEvents, ...TEAM] } },
		{
			...common,
			path: `${base}/v8/artifacts/${REST}`,
			handlers: { GET: [getEntry], PUT: [putEntry, "ttl", ...TEAM] },
		},
	];
}

export const routes: Route[] = [
	...turborepo(""),
	...turborepo("/cache/:ns"),
	{ path: `/v1/cache/${REST}`, handlers: { GET: [getEntry], PUT: [nxPut, "ttl"] }, facade: "nx" },
	{ path: `/cache/:ns/v1/cache/${REST}`, handlers: { PUT: [nxPut, "ttl"] }, facade: "nx", isBeside: true },
	{
		path: `/cache/:ns/${REST}`,
		handlers: { GET: [getEntry], PUT: [putEntry, "ttl"], DELETE: [deleteEntry], PATCH: [expireEntry, "ttl"] },
	},
	...Object.entries(api).map(([path, post]): Route => ({ path, handlers: { POST: [post] } })),
	{ path: "/ops", handlers: { POST: [ops] } },
	{ path: "/batch/:ns/get", handlers: { POST: [batchGet] } },
	{ path: "/batch/:ns/set", handlers: { POST: [batchSet] } },
	{ path: "/batch/:ns/delete", handlers: { POST: [batchDelete] } },
	{ path: "/batch/:ns/exists", handlers: { POST: [batchExists] } },
	{ path: "/batch/:ns/expire", handlers: { POST: [batchExpire] } },
	{ path: "/cache", handlers: { GET: [listNamespaces] } },
	{
		path: "/cache/:ns",
		handlers: { GET: [listKeys], PUT: [configureNamespace], DELETE: [clearNamespace, "all", "drop", "prefix"] },
	},
	{ path: "/stats", handlers: { GET: [serverStats] } },
	{ path: "/stats/:ns", handlers: { GET: [namespaceStats] } },
	{ path: "/upgrade", handlers: { POST: [upgradeTables] } },
	{ path: "/healthz", handlers: { GET: [healthz] } },
	{ path: "/readyz", handlers: { GET: [readyz] } },
	{ path: "/sync", handlers: { POST: [sync] } },
];

/** Whether the variable FACADES leaves the route in. */
export function isOn(env: Env, { facade }: Route): boolean {
	const names = (env.FACADES || "all").split(",").map((name) => name.trim());
	const wrong = names.find((name) => !["all", "none", ...FACADES].includes(name));
	if (wrong !== undefined)
		throw new ConfigurationError(
			`the variable FACADES names "${wrong}"; it takes turborepo and nx with a comma, all, or none; ` +
				"mend it in wrangler.jsonc and deploy again",
		);
	return facade === undefined || names.includes("all") || names.includes(facade);
}

export function allow(handlers: Iterable<Route["handlers"]>): string {
	const all = [...handlers];
	const taken = METHODS.filter((method) => all.some((some) => some[method]));
	return [...taken.map((method) => (method === "GET" ? "GET, HEAD" : method)), "OPTIONS"].join(", ");
}

const patterns = routes.map((route) => ({
	route,
	pattern: new RegExp(`^${route.path.replace(/:\w+(\{(.*?)\})?(?=\/|$)/g, (_, braces, inner) => (braces ? inner : "[^/]+"))}$`),
}));

/** What a path takes is no secret: this needs no token. A page of another site learns nothing by it, since
 * without Access-Control-Allow-Origin its browser sends nothing further. */
export function answerOptions(env: Env, path: string): Response {
	const matching = patterns.filter(({ route, pattern }) => pattern.test(path) && isOn(env, route)).map(({ route }) => route);
	if (matching.length === 0) throw new HttpError(404, "there is nothing at this path");
	const headers = new Headers({ Allow: allow(matching.map(({ handlers }) => handlers)) });
	if (matching.some(({ facade }) => facade === "turborepo")) headers.set("Access-Control-Allow-Headers", TURBOREPO_HEADERS);
	return new Response(null, { status: 204, headers });
}
