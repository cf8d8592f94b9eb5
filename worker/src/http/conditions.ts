/** If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, Range (RFC 9110), as the C server reads them. */
import type { Condition } from "../op_types";
import { HttpError } from "./problem";

const MAX_ETAGS = 64;
/** The forms in which a value may be sent have tags of their own (RFC 9110, 8.8.3): as it is, decoded from
 * its own Content-Encoding, compressed as it is kept. */
export type EtagForm = "" | "-identity" | "-zstd";
const OURS = /^"([0-9a-f]{32})(-identity|-zstd)?"$/;

interface EtagList {
	any: boolean;
	/** Hex, and of `tags` the form; tags that cannot be ours are left out. */
	etags: string[];
	tags: string[];
}

/** Null if the header is not a list of entity tags. Weak tags never match if `strong`. */
function parseList(header: string, strong: boolean): EtagList | null {
	const etags: string[] = [];
	const tags: string[] = [];
	let any = false;
	let elements = 0;
	/* Empty elements do not count (RFC 9110, 5.6.1.2), and the runtime joins several lines
	 * to one list. */
	for (let rest = header.trim(); rest !== ""; ) {
		const match = /^(?:(\*)|(W\/)?("[^"]*"))?[ \t]*(?:,[ \t]*|$)/.exec(rest);
		if (!match) return null;
		const [whole, star, weak, tag] = match;
		const ours = OURS.exec(tag ?? "");
		if (star) any = true;
		if (star || tag) elements++;
		if (ours && !(weak && strong)) {
			etags.push(ours[1] ?? "");
			tags.push(`${ours[1]}${ours[2] ?? ""}`);
		}
		if (etags.length > MAX_ETAGS) return null;
		rest = rest.slice(whole.length);
	}
	/* At least one is required, and * stands alone. */
	return elements === 0 || (any && elements > 1) ? null : { any, etags, tags };
}

export function writeCondition(headers: Headers): Condition | undefined {
	const match = headers.get("If-Match");
	const noneMatch = headers.get("If-None-Match");
	if (match === null && headers.has("If-Unmodified-Since"))
		throw new HttpError(
			400,
			"If-Unmodified-Since cannot be told exactly enough for a write; send If-Match",
		);
	if (match === null && noneMatch === null) return undefined;
	if (match !== null && noneMatch !== null)
		throw new HttpError(400, "send If-Match or If-None-Match, not both in one request");
	const list = parseList(match ?? noneMatch ?? "", match !== null);
	if (!list)
		throw new HttpError(
			400,
			`${match !== null ? "If-Match" : "If-None-Match"} must be * or a list of at most ` +
				`${MAX_ETAGS} entity tags in double quotes`,
		);
	if (match !== null) return { kind: list.any ? "present" : "match", etags: list.etags };
	return { kind: list.any ? "absent" : "none_match", etags: list.etags };
}

const DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** Seconds since 1970; null if the text is not HTTP's preferred form of a date. */
function parseDate(text: string): number | null {
	const ms = DATE.test(text) ? Date.parse(text) : NaN;
	return Number.isNaN(ms) || new Date(ms).toUTCString() !== text ? null : ms / 1000;
}

/** Conditions treat a modification as of the end of its second, as the C server does
 * (handlers/respond/conditions.c). */
function modifiedBy(modifiedUs: number): number {
	return Math.ceil(modifiedUs / 1000000);
}

/** How long a write of the same second may still be in progress. */
const LATE_WRITES_US = 2000000;

/** Last-Modified, in seconds. Never later than now. */
export function lastModified(modifiedUs: number, nowUs: number): number {
	const by = modifiedBy(modifiedUs);
	return by * 1000000 + LATE_WRITES_US <= nowUs ? by : Math.min(by - 1, Math.floor(nowUs / 1000000));
}

/** 200, 304 or 412, for a value that is sent with this tag (hex, and its form). */
export function readCondition(headers: Headers, tag: string, modifiedUs: number): 200 | 304 | 412 {
	const match = headers.get("If-Match");
	const noneMatch = headers.get("If-None-Match");
	const holds = (header: string, strong: boolean): boolean | null => {
		const list = parseList(header, strong);
		return list && (list.any || list.tags.includes(tag));
	};
	if (match !== null && holds(match, true) === false) return 412;
	const unmodified = parseDate((match === null && headers.get("If-Unmodified-Since")) || "");
	if (unmodified !== null && modifiedBy(modifiedUs) > unmodified) return 412;
	if (noneMatch !== null) return holds(noneMatch, false) === true ? 304 : 200;
	const since = headers.get("If-Modified-Since");
	const date = since === null ? null : parseDate(since);
	return date !== null && modifiedBy(modifiedUs) <= date ? 304 : 200;
}

export type Range = { offset: number; length: number } | "whole" | "unsatisfiable";

export function readRange(headers: Headers, etag: string, modifiedUs: number, size: number): Range {
	const match = /^bytes=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*$/.exec(headers.get("Range") ?? "");
	const ifRange = headers.get("If-Range");
	if (!match) return "whole";
	if (ifRange !== null) {
		const tag = OURS.exec(ifRange);
		const same = tag
			? tag[1] === etag && !tag[2]
			: parseDate(ifRange) === modifiedBy(modifiedUs);
		if (!same) return "whole";
	}
	const [, from = "", to = ""] = match;
	if (from === "" && to === "") return "whole";
	if (from !== "" && to !== "" && Number(to) < Number(from)) return "whole";
	if (from === "" && Number(to) === 0) return "unsatisfiable";
	const first = from === "" ? Math.max(0, size - Number(to)) : Number(from);
	if (first >= size) return "unsatisfiable";
	const last = from === "" || to === "" ? size - 1 : Math.min(Number(to), size - 1);
	return { offset: first, length: last - first + 1 };
}
