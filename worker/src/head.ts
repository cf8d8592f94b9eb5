/**
 * The head of a value, as in the C server (base/value_head.h): the content type, then the headers
 * that are kept with it, a line each, by name. The column contents.type holds it.
 */
import { DEFAULT_TYPE } from "./content";
import { HttpError } from "./http/problem";

const KEPT = [
	"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "X-Artifact-Duration", "X-Artifact-Tag",
];
const META = "X-Meta-";
/** Of one value together, each with its name, ": " and its line feed. */
const HEADERS_MAX_LENGTH = 2048;
const NAME_MAX_LENGTH = 64;

const COMPLAINTS = {
	not_kept:
		"is none of the headers that are kept: Cache-Control, Content-Disposition, Content-Encoding, " +
		"Content-Language, X-Artifact-Duration, X-Artifact-Tag and X-Meta-*",
	bad_value: "may have printable characters of ASCII only, and at least one",
	twice: "may be there only once",
	too_long: "is too long: a name may have 64 bytes, and all headers that are kept 2048 together, with their names",
};

export class HeadError extends Error {
	constructor(
		readonly header: string,
		readonly kind: keyof typeof COMPLAINTS,
	) {
		super(COMPLAINTS[kind]);
	}
}

export type HeaderLine = [name: string, value: string];

const isText = (text: string): boolean => /^[\t -~]+$/.test(text);

/** How a header that is kept is written; null: it is not kept, or its name is none. */
function keptName(name: string): string | null {
	const small = name.toLowerCase();
	const known = KEPT.find((kept) => kept.toLowerCase() === small);
	if (known) return known;
	const isMeta = small.startsWith(META.toLowerCase()) && /^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(small);
	return isMeta && small.length > META.length && small.length <= NAME_MAX_LENGTH
		? META + small.slice(META.length)
		: null;
}

function makeHead(type: string, headers: HeaderLine[]): string {
	const lines = new Map<string, string>();
	let length = 0;
	for (const [name, value] of headers) {
		const written = keptName(name);
		if (written === null)
			throw new HeadError(name, name.length > NAME_MAX_LENGTH && /^x-meta-/i.test(name) ? "too_long" : "not_kept");
		if (!isText(value)) throw new HeadError(name, "bad_value");
		if (lines.has(written)) throw new HeadError(name, "twice");
		length += written.length + value.length + 3;
		if (length > HEADERS_MAX_LENGTH) throw new HeadError(name, "too_long");
		lines.set(written, value);
	}
	const order = (name: string): string => (name.startsWith(META) ? "1" : "0") + name;
	const names = [...lines.keys()].sort((a, b) => (order(a) < order(b) ? -1 : 1));
	return [type, ...names.map((name) => `${name}: ${lines.get(name)}`)].join("\n");
}

/** The head of what a request with these headers stores. */
export function headOfRequest(type: string, headers: Headers): string {
	const lines: HeaderLine[] = [];
	for (const [name, value] of headers) {
		const isOurs = keptName(name) !== null || name.startsWith("x-meta-");
		const isNothing = value === "" || (name === "content-encoding" && value.toLowerCase() === "identity");
		if (isOurs && !isNothing) lines.push([name, value]);
	}
	try {
		return makeHead(type, lines);
	} catch (error) {
		if (!(error instanceof HeadError)) throw error;
		const name = keptName(error.header) ?? error.header.slice(0, 100);
		throw new HttpError(error.kind === "too_long" ? 431 : 400, `${name} ${error.message}`);
	}
}

/** The head of an item of a batch; `path` names its member "headers". */
export function headOfItem(type: string, headers: unknown, path: string): string {
	if (headers === undefined) return type;
	if (typeof headers !== "object" || headers === null || Array.isArray(headers))
		throw new HttpError(400, `"${path}" must be an object of strings`);
	const lines = Object.entries(headers).map(([name, value]): HeaderLine => {
		if (typeof value !== "string") throw new HttpError(400, `"${path}.${name.slice(0, 100)}" must be a string`);
		return [name, value];
	});
	try {
		return makeHead(type, lines);
	} catch (error) {
		if (!(error instanceof HeadError)) throw error;
		throw new HttpError(400, `"${path}.${error.header.slice(0, 100)}" ${error.message}`);
	}
}

export interface Head {
	type: string;
	headers: HeaderLine[];
}

/** /ops takes any text: what cannot stand in a header is left out. */
export function splitHead(head: string): Head {
	const [type = "", ...lines] = head.split("\n");
	const headers = lines.flatMap((line): HeaderLine[] => {
		const at = line.indexOf(": ");
		const name = line.slice(0, Math.max(at, 0));
		return at > 0 && keptName(name) === name && isText(line.slice(at + 2)) ? [[name, line.slice(at + 2)]] : [];
	});
	return { type: type === "" || /[\x00-\x08\x0a-\x1f\x7f]/.test(type) ? DEFAULT_TYPE : type, headers };
}

export function headerOf(head: Head, name: string): string | undefined {
	return head.headers.find(([found]) => found === name)?.[1];
}
