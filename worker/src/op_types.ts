/** Operations and their outcomes, as in docs/ops-protocol.md, with keys and values decoded. */
import type { Form, Key, Value } from "./content";
import type { Compression, Policy, Settings } from "./env";

export type Status =
	| "ok"
	| "not_found"
	| "precondition_failed"
	| "too_large"
	| "no_space"
	| "too_many_namespaces"
	| "unsupported"
	| "unavailable"
	| "internal";

export interface Condition {
	kind: "absent" | "present" | "match" | "none_match";
	/** Hex, without quotes. */
	etags: string[];
}

export interface KeyItem {
	key: Key;
}

export interface ExpireItem extends KeyItem {
	/** Undefined: the namespace's default. 0: never expires. */
	ttl_s?: number;
}

export interface SetItem extends KeyItem {
	/** What is stored: the bytes, or what stands for them. */
	value: Value;
	/** With the ETag of the bytes: hex, without quotes. */
	form?: Form & { etag: string };
	/** A whole head (head.ts). */
	content_type: string;
	/** The larger of the declared size and the length of what is stored; with a reference as declared. */
	size: number;
	/** Undefined: the namespace's default. 0: never expires. */
	ttl_s?: number;
	/** The entry's history, instead of one that starts now. */
	history?: History;
}

export interface History {
	frequency: number;
	/** 0: now. */
	created_us: number;
	last_access_us: number;
	/** 0: never. Undefined: by ttl_s. */
	expires_us?: number;
}

export type Op =
	| { op: "get"; ns: string; touch: boolean; stale: boolean; references?: boolean; zstd?: boolean; items: KeyItem[] }
	| { op: "exists"; ns: string; items: KeyItem[] }
	| { op: "set"; ns: string; defaults: Settings; items: SetItem[]; condition?: Condition }
	| { op: "delete"; ns: string; items: KeyItem[]; condition?: Condition }
	| { op: "expire"; ns: string; defaults: Settings; items: ExpireItem[]; condition?: Condition }
	| { op: "clear"; ns: string; prefix?: Key }
	| { op: "drop"; ns: string }
	| { op: "scan"; ns: string; prefix?: Key; after?: Key; limit: number; max_key_bytes?: number }
	| { op: "stats"; ns?: string; defaults: (ns: string) => Settings }
	| { op: "configure"; ns: string; defaults: Settings; change: Partial<Settings> }
	| { op: "check" };

export interface ItemResult {
	status: Status;
	value?: Value;
	/** What `value` is, if it is not the bytes. */
	form?: Form;
	/** A whole head (head.ts). */
	content_type?: string;
	/** Hex, without quotes. */
	etag?: string;
	modified_us?: number;
	expires_us?: number;
	created?: boolean;
	/** It has expired and is in its stale time. */
	stale?: boolean;
}

export interface EntryInfo {
	key: Key;
	size: number;
	etag: string;
	frequency: number;
	last_access_us: number;
	created_us: number;
	expires_us: number;
}

export interface NamespaceStats extends Settings {
	ns: string;
	entry_count: number;
	total_size: number;
	/** What counts against the limit. */
	used_bytes: number;
	avg_frequency: number;
	max_frequency: number;
	hits: number;
	misses: number;
	stale_hits: number;
	sets: number;
	deletes: number;
	evictions: number;
	expirations: number;
}

export interface OpResult {
	/** set: histories are supported. */
	history?: boolean;
	/** set: false if the capacity is 0; else absent. */
	stored?: false;
	status: Status;
	detail?: string;
	items?: ItemResult[];
	evicted?: number;
	expired?: number;
	deleted?: number;
	/** Of a configure that changed them: shows a front that this Worker knows them. */
	stale_ttl_s?: number;
	max_idle_s?: number;
	compression?: Compression;
	put_status?: number;
	entries?: EntryInfo[];
	complete?: boolean;
	namespaces?: NamespaceStats[];
}

export type { Policy };
