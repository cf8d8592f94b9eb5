/** The request target as it was received: URL's own decoding would lose bytes. */
import { utf8 } from "../bytes";
import { HttpError } from "./problem";

export interface Target {
	path: string;
	query: string;
}

export function targetOf(url: string): Target {
	const start = url.indexOf("/", url.indexOf("://") + 3);
	const whole = start < 0 ? "/" : url.slice(start);
	const mark = whole.indexOf("?");
	return mark < 0
		? { path: whole, query: "" }
		: { path: whole.slice(0, mark), query: whole.slice(mark + 1) };
}

/** The raw value of a query parameter; null if it is missing, "" if it has no value. */
export function queryValue(query: string, name: string): string | null {
	for (const part of query.split("&")) {
		const equals = part.indexOf("=");
		if ((equals < 0 ? part : part.slice(0, equals)) === name)
			return equals < 0 ? "" : part.slice(equals + 1);
	}
	return null;
}

/**
 * Refuses unknown or repeated parameters of a request that changes something: a misspelt one would
 * change more than was meant.
 */
export function checkParameters(query: string, known: string[]): void {
	const seen = new Set<string>();
	for (const part of query.split("&")) {
		const name = part.split("=", 1)[0] ?? "";
		if (part === "") continue;
		if (!known.includes(name))
			throw new HttpError(
				400,
				`"${name.slice(0, 100)}" is no parameter of this request; it knows ${known.join(", ")}`,
			);
		if (seen.has(name)) throw new HttpError(400, `"${name}" is given twice; send it once`);
		seen.add(name);
	}
}

/** Decodes %XX once; null if a % is not followed by two hex digits. */
export function percentDecode(raw: string): Uint8Array | null {
	const bytes = utf8(raw);
	if (!raw.includes("%")) return bytes;
	let length = 0;
	for (let i = 0; i < bytes.length; i++) {
		let byte = bytes[i] ?? 0;
		if (byte === 0x25) {
			const digits = String.fromCharCode(bytes[i + 1] ?? 0, bytes[i + 2] ?? 0);
			if (!/^[0-9A-Fa-f]{2}$/.test(digits)) return null;
			byte = parseInt(digits, 16);
			i += 2;
		}
		bytes[length++] = byte;
	}
	return bytes.slice(0, length);
}

export function decodedPath(raw: string): Uint8Array {
	const bytes = percentDecode(raw);
	if (!bytes)
		throw new HttpError(
			400,
			"the path has a % that two hex digits do not follow; write it as %25",
		);
	return bytes;
}

const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;

export function isNamespace(name: string): boolean {
	return NAME.test(name) && !name.endsWith("\n");
}
