/** Shared by the operations: steps, parameters, conditions. */
import { placeOf } from "../content";
import type { Key, Place } from "../content";
import type { Bound, Row, Usage } from "../db";
import type { Settings } from "../env";
import type { Condition, OpResult, Status } from "../op_types";

export interface OpsContext {
	db: D1Database;
	now_us: number;
	max_namespaces: number;
	usage: Usage;
}

export interface Step {
	statements: Bound[];
	read(rows: Row[][]): OpResult | Step;
}

/** Most expired entries that a batch removes in passing. */
export const SWEEP_MAX = 200;

export type Member = string | number | null | string[];

export function bind(name: string, ...params: string[]): Bound {
	return { name, params };
}

export function request(context: OpsContext, ns: string | null, members: Record<string, Member> = {}): string {
	return JSON.stringify({ ns, now: context.now_us, ...members });
}

export function defaultsOf(settings: Settings): Record<string, Member> {
	return {
		max_size: settings.max_size_bytes,
		capacity: settings.capacity,
		default_ttl: settings.default_ttl_s,
		policy: settings.policy,
	};
}

export function conditionOf(condition: Condition | undefined): Record<string, Member> {
	return { kind: condition?.kind ?? null, etags: condition?.etags ?? [] };
}

export function places(ns: string, items: { key: Key }[]): Promise<Place[]> {
	return Promise.all(items.map((item) => placeOf(ns, item.key)));
}

export function placeArray(list: Place[]): string {
	return `[${list.map(({ id, tag }) => `[${id},"${tag}"]`).join(",")}]`;
}

export const number = (value: string | number | null | undefined): number => Number(value ?? 0);

export function failure(status: Status, detail?: string): OpResult {
	return detail === undefined ? { status } : { status, detail };
}

export function conditionHolds(condition: Condition | undefined, live: boolean, etag: string): boolean {
	switch (condition?.kind) {
		case undefined:
			return true;
		case "absent":
			return !live;
		case "present":
			return live;
		case "match":
			return live && condition.etags.includes(etag);
		case "none_match":
			return !(live && condition.etags.includes(etag));
	}
}
