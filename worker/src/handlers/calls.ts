/** Shared by /api and /batch: reads keys and items from a JSON body, and writes results into one. */
import { MAX_BATCH_ITEMS, MAX_KEY_BYTES, TTL_MAX_S } from "../env";
import { base64, unbase64 } from "../bytes";
import { CONTENT_TYPE_RULE, DEFAULT_TYPE, fromBytes, fromText, isContentType, TEXT_TYPE } from "../content";
import type { Key, Value } from "../content";
import { headOfItem, splitHead } from "../head";
import { isObject, jsonResponse, member, readArray, readString, readWhole, wellFormed } from "../http/json";
import type { JsonObject } from "../http/json";
import { HttpError } from "../http/problem";
import { isNamespace } from "../http/target";
import type { ItemResult, KeyItem, SetItem } from "../op_types";

export function readCacheName(body: JsonObject): string {
	const name = readString(body, "cache_name");
	if (!isNamespace(name))
		throw new HttpError(
			400,
			`"cache_name" must be 1 to 64 letters, digits, '_', '.' or '-', and not begin with '.' or '-'`,
		);
	return name;
}

function checkedKey(text: string): Key {
	const key = fromText(text);
	if (key.bytes.length > MAX_KEY_BYTES)
		throw new HttpError(
			413,
			`the key has ${key.bytes.length} bytes; the Worker takes up to ${MAX_KEY_BYTES}`,
		);
	return key;
}

export function readKey(body: JsonObject, path = ""): Key {
	return checkedKey(readString(body, "key", path));
}

/** A value with its members; /batch knows more members than /api. */
export function readItem(object: JsonObject, isBatch: boolean, path = ""): SetItem {
	const key = readKey(object, path);
	const text = readString(object, "value", path);
	const size = readWhole(object, "size", 2 ** 53, path) ?? 0;
	let type = TEXT_TYPE;
	let ttl: number | undefined;
	let value: Value = fromText(text);
	if (isBatch) {
		ttl = readWhole(object, "ttl", TTL_MAX_S, path);
		const encoding = member(object, "encoding");
		if (encoding !== undefined && encoding !== "base64")
			throw new HttpError(400, `"${path}encoding" must be "base64" where it is given`);
		if (encoding === "base64") {
			const bytes = unbase64(text);
			if (!bytes) throw new HttpError(400, `"${path}value" is not base64`);
			value = fromBytes(bytes);
			type = DEFAULT_TYPE;
		}
		const given = member(object, "content_type");
		if (given !== undefined) {
			if (!isContentType(given)) throw new HttpError(400, `"${path}content_type" ${CONTENT_TYPE_RULE}`);
			type = given;
		}
		type = headOfItem(type, member(object, "headers"), `${path}headers`);
	}
	const item: SetItem = { key, value, content_type: type, size: Math.max(size, value.bytes.length) };
	if (ttl !== undefined) item.ttl_s = ttl;
	return item;
}

function checkCount(count: number): void {
	if (count > MAX_BATCH_ITEMS)
		throw new HttpError(
			413,
			`the batch has ${count} items; the Worker takes up to ${MAX_BATCH_ITEMS}`,
		);
}

/** Distinct keys, in the order of their first appearance. */
export function readKeys(body: JsonObject): KeyItem[] {
	const keys = readArray(body, "keys");
	checkCount(keys.length);
	const seen = new Set<string>();
	for (const [i, key] of keys.entries()) {
		if (typeof key !== "string") throw new HttpError(400, `"keys[${i}]" must be a string`);
		seen.add(wellFormed(key, `keys[${i}]`));
	}
	return [...seen].map((text) => ({ key: checkedKey(text) }));
}

/** Of several items with one key, the last. */
export function readItems(body: JsonObject, isBatch: boolean): SetItem[] {
	const items = readArray(body, "items");
	checkCount(items.length);
	const last = new Map<string, SetItem>();
	for (const [i, object] of items.entries()) {
		if (!isObject(object)) throw new HttpError(400, `"items[${i}]" must be an object`);
		const item = readItem(object, isBatch, `items[${i}].`);
		const text = item.key.text ?? "";
		last.delete(text);
		last.set(text, item);
	}
	return [...last.values()];
}

/** `"value":...` and, if the bytes are not text, the encoding. */
export function valueMembers(value: Value): string {
	return value.text !== null
		? `"value":${JSON.stringify(value.text)}`
		: `"value":"${base64(value.bytes)}","encoding":"base64"`;
}

/** Written by hand: a JavaScript object would reorder keys like "1". */
export function resultsResponse(
	keys: KeyItem[],
	items: ItemResult[],
	write: (item: ItemResult) => string,
): Response {
	const parts = keys.map(({ key }, i) => {
		const item = items[i] ?? { status: "not_found" as const };
		return `${JSON.stringify(key.text)}:${write(item)}`;
	});
	return jsonResponse(`{"results":{${parts.join(",")}}}`);
}

function headMembers(text: string): string {
	const { type, headers } = splitHead(text);
	const lines = headers.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
	return `,"content_type":${JSON.stringify(type)}` + (lines.length > 0 ? `,"headers":{${lines.join(",")}}` : "");
}

export function writeFound(withHead: boolean): (item: ItemResult) => string {
	return (item) =>
		item.status === "ok" && item.value
			? `{"found":true,${valueMembers(item.value)}` +
				(withHead ? headMembers(item.content_type ?? "") : "") +
				(item.stale ? ',"stale":true}' : "}")
			: '{"found":false}';
}
