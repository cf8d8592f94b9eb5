/**
 * Keys and values on their way to D1 and back. Neither D1's JSON nor its REST API carries bytes, so
 * both travel as text: UTF-8 without a NUL unchanged, any other key in hex, any other value in
 * base64 (its contents row says which).
 */
import { base64, hex, sha256, textOf, unbase64, unhex, utf8 } from "./bytes";

export interface Key {
	bytes: Uint8Array;
	/** Null if the key is not UTF-8. */
	text: string | null;
}

export interface Value {
	bytes: Uint8Array;
	text: string | null;
}

/** Bytes as a statement takes them: text if is_text is 1, else hex. */
export interface Carried {
	is_text: 0 | 1;
	text: string;
}

export interface Place {
	/** A 63-bit integer in decimal: too long for a JavaScript number. */
	id: string;
	tag: string;
}

export function fromText(text: string): Key & Value {
	return { bytes: utf8(text), text };
}

export function fromBytes(bytes: Uint8Array): Key & Value {
	return { bytes, text: textOf(bytes) };
}

export function carry(key: Key): Carried {
	if (key.text !== null && !key.text.includes("\0")) return { is_text: 1, text: key.text };
	return { is_text: 0, text: hex(key.bytes) };
}

export function carriedBack(isText: number, text: string): Key {
	return isText ? fromText(text) : fromBytes(unhex(text));
}

/** What counts against a limit for each entry besides its key, content type and value, as in the C
 * server. */
export const ENTRY_OVERHEAD_BYTES = 128;

/** What an entry counts besides its size. */
export function extraBytes(key: Key, contentType: string): number {
	return key.bytes.length + utf8(contentType).length + ENTRY_OVERHEAD_BYTES;
}

export const TEXT_TYPE = "text/plain; charset=utf-8";
export const DEFAULT_TYPE = "application/octet-stream";
const TYPE_MAX_LENGTH = 255;
export const CONTENT_TYPE_RULE = `must be 1 to ${TYPE_MAX_LENGTH} printable ASCII characters`;

/** Whether a client may set this type. Earlier versions accepted more. */
export function isContentType(type: unknown): type is string {
	return typeof type === "string" && /^[\t -~]+$/.test(type) && type.length <= TYPE_MAX_LENGTH;
}

/** The encodings of a reference, and of a compressed value, to which their flags are added. */
const REFERENCE = 2;
const ZSTD = 32;
/** Flags of the bytes for which it stands: 1: UTF-8; 2: need no escapes in JSON. */
export const FORM_FLAGS_MAX = 3;

export interface Stored {
	/** 0: text, 1: base64; see REFERENCE and ZSTD. */
	encoding: number;
	text: string;
	/** Bytes that `text` takes in the row. */
	stored_bytes: number;
}

/** How what is stored stands for the value: it names bytes that are elsewhere, or is compressed. */
export interface Form {
	kind: "reference" | "zstd";
	flags: number;
}

export function store(value: Value, form?: Form): Stored {
	if (form?.kind === "reference" && value.text !== null)
		return { encoding: REFERENCE + form.flags, text: value.text, stored_bytes: value.bytes.length };
	if (form) {
		const text = base64(value.bytes);
		return { encoding: ZSTD + form.flags, text, stored_bytes: text.length };
	}
	if (value.text !== null && !value.text.includes("\0"))
		return { encoding: 0, text: value.text, stored_bytes: value.bytes.length };
	const text = base64(value.bytes);
	return { encoding: 1, text, stored_bytes: text.length };
}

/** Undefined: it is the value. */
export function formOf(encoding: number): Form | undefined {
	if (encoding >= ZSTD) return { kind: "zstd", flags: encoding - ZSTD };
	return encoding >= REFERENCE ? { kind: "reference", flags: encoding - REFERENCE } : undefined;
}

export function storedBack(encoding: number, text: string): Value {
	const isText = encoding !== 1 && encoding < ZSTD;
	return isText ? fromText(text) : fromBytes(unbase64(text) ?? new Uint8Array());
}

/** Where the entry of a key is stored: see migrations/0001_schema.sql. */
export async function placeOf(ns: string, key: Key): Promise<Place> {
	const name = utf8(ns + "\0");
	const whole = new Uint8Array(name.length + key.bytes.length);
	whole.set(name);
	whole.set(key.bytes, name.length);
	const digest = new DataView((await sha256(whole)).buffer);
	const id = digest.getBigUint64(0) >> 1n;
	return { id: id.toString(), tag: digest.getBigUint64(8).toString(16).padStart(16, "0") };
}

/** 32 hex digits; outside the Worker in double quotes. */
export async function etagOf(value: Value): Promise<string> {
	return hex((await sha256(value.bytes)).subarray(0, 16));
}
