/** Reads JSON, with errors that name the member, and writes JSON in a fixed order. */
import { isWellFormed, textOf } from "../bytes";
import { JSON_MAX_BYTES, readBody } from "./body";
import { HttpError } from "./problem";

export type Json = string | number | boolean | null | Json[] | JsonObject;
export interface JsonObject {
	[name: string]: Json;
}

export function isObject(json: Json | undefined): json is JsonObject {
	return typeof json === "object" && json !== null && !Array.isArray(json);
}

export async function readObject(request: Request): Promise<JsonObject> {
	const bytes = await readBody(request, JSON_MAX_BYTES, "the most that the Worker takes at once; send less");
	if (bytes.length === 0) throw new HttpError(400, "the request needs a JSON object as its body");
	const text = textOf(bytes);
	let json: Json;
	try {
		if (text === null) throw new SyntaxError("it is not UTF-8");
		json = JSON.parse(text.replace(/^\uFEFF/, "")) as Json;
	} catch (error) {
		const why = error instanceof Error ? error.message : "";
		throw new HttpError(400, `the body is not valid JSON: ${why}`);
	}
	if (!isObject(json)) throw new HttpError(400, "the body must be a JSON object");
	return json;
}

export function member(object: JsonObject, name: string): Json | undefined {
	return Object.hasOwn(object, name) ? object[name] : undefined;
}

function refuse(given: Json | undefined, name: string, what: string): HttpError {
	return new HttpError(
		400,
		given === undefined ? `"${name}" is missing; it must be ${what}` : `"${name}" must be ${what}`,
	);
}

export function readString(object: JsonObject, name: string, path = ""): string {
	const value = member(object, name);
	if (typeof value !== "string") throw refuse(value, path + name, "a string");
	return wellFormed(value, path + name);
}

export function wellFormed(text: string, name: string): string {
	if (!isWellFormed(text))
		throw new HttpError(400, `"${name}" has half of a surrogate pair, which is no Unicode text`);
	return text;
}

/** A number of 0 or more. */
export function readNumber(object: JsonObject, name: string): number {
	const value = member(object, name);
	if (typeof value !== "number" || !(value >= 0))
		throw refuse(value, name, "a number that is not negative");
	return value;
}

/** A whole number from 0 to max; undefined if the member is missing. */
export function readWhole(object: JsonObject, name: string, max: number, path = ""): number | undefined {
	const value = member(object, name);
	if (value === undefined) return undefined;
	if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > max)
		throw new HttpError(400, `"${path}${name}" must be a whole number from 0 to ${max}`);
	return value;
}

export function readArray(object: JsonObject, name: string): Json[] {
	const value = member(object, name);
	if (!Array.isArray(value)) throw refuse(value, name, "an array");
	return value;
}

export const JSON_TYPE = "application/json; charset=UTF-8";

export function jsonResponse(text: string, status = 200): Response {
	return new Response(text, { status, headers: { "Content-Type": JSON_TYPE } });
}

/** Microseconds as seconds. */
export function seconds(us: number): string {
	return `${Math.floor(us / 1000000)}.${String(us % 1000000).padStart(6, "0")}`;
}

/** Indents our compact JSON by two spaces; parsing it would reorder numeric keys. */
export function pretty(text: string): string {
	let depth = 0;
	const line = (): string => "\n" + "  ".repeat(depth);
	return text.replace(/"(?:[^"\\]|\\.)*"|\{\}|\[\]|[{[}\],:]/g, (token) => {
		switch (token) {
			case "{":
			case "[":
				depth++;
				return token + line();
			case "}":
			case "]":
				depth--;
				return line() + token;
			case ",":
				return token + line();
			case ":":
				return ": ";
			default:
				return token;
		}
	});
}
