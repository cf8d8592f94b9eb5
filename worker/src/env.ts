/** What wrangler.jsonc binds, and the settings read from it. */

export const POLICIES = ["frecency", "lru", "fifo", "none"] as const;
export type Policy = (typeof POLICIES)[number];
/** At their numbers in the database. */
export const COMPRESSIONS = ["none", "zstd"] as const;
export type Compression = (typeof COMPRESSIONS)[number];

export interface Env {
	DB: D1Database;
	API_KEY?: string;
	DEFAULT_MAX_SIZE_MB?: string;
	DEFAULT_CAPACITY?: string;
	DEFAULT_TTL?: string;
	DEFAULT_EVICTION?: string;
	MAX_NAMESPACES?: string;
	/** turborepo, nx with commas; all (the default), or none. */
	FACADES?: string;
	/** "1": every answer reports its cost in rows in Server-Timing. */
	SHOW_COST?: string;
}

/** The settings of a namespace: max_size_bytes 0 and capacity -1 mean no limit. */
export interface Settings {
	max_size_bytes: number;
	capacity: number;
	default_ttl_s: number;
	policy: Policy;
	/** These are set only by configuration. How long an expired entry may still be served. */
	stale_ttl_s: number;
	/** How long an entry is kept without a use; 0: however long. */
	max_idle_s: number;
	/** How fronts keep values; the Worker compresses nothing. */
	compression: Compression;
	/** The status of a PUT that stored something; 0: 201 or 204. */
	put_status: number;
}

export const MIB = 1048576;
/** Whole bytes; only 0, which means no limit, becomes 0. */
export function bytesOfMegabytes(megabytes: number): number {
	return megabytes > 0 ? Math.max(1, Math.floor(megabytes * MIB)) : 0;
}
/** 100 years, as in the C server. */
export const TTL_MAX_S = 3153600000;
export const MAX_KEY_BYTES = MIB;
export const MAX_BATCH_ITEMS = 10000;

export class ConfigurationError extends Error {}

function number(name: string, text: string | undefined, otherwise: number, whole: boolean): number {
	if (text === undefined || text === "") return otherwise;
	const value = Number(text);
	if (!Number.isFinite(value) || value < 0 || (whole && !Number.isSafeInteger(value)))
		throw new ConfigurationError(
			`the variable ${name} must be a ${whole ? "whole " : ""}number that is not negative; ` +
				"mend it in wrangler.jsonc and deploy again",
		);
	return value;
}

export function isPolicy(text: unknown): text is Policy {
	return POLICIES.some((policy) => policy === text);
}

export function isCompression(text: unknown): text is Compression {
	return COMPRESSIONS.some((compression) => compression === text);
}

export function defaultSettings(env: Env): Settings {
	const policy = env.DEFAULT_EVICTION || "frecency";
	if (!isPolicy(policy))
		throw new ConfigurationError(
			"the variable DEFAULT_EVICTION must be frecency, lru, fifo or none; " +
				"mend it in wrangler.jsonc and deploy again",
		);
	return {
		max_size_bytes: Math.floor(
			number("DEFAULT_MAX_SIZE_MB", env.DEFAULT_MAX_SIZE_MB, 100, false) * MIB,
		),
		capacity: number("DEFAULT_CAPACITY", env.DEFAULT_CAPACITY, -1, true),
		default_ttl_s: number("DEFAULT_TTL", env.DEFAULT_TTL, 0, true),
		policy,
		stale_ttl_s: 0,
		max_idle_s: 0,
		compression: "none",
		put_status: 0,
	};
}

export function maxNamespaces(env: Env): number {
	return number("MAX_NAMESPACES", env.MAX_NAMESPACES, 10000, true);
}
