// A value as readable text.
const HEX_BYTES = 1024;

// Re-indents JSON without touching its tokens: numbers keep all their digits.
function indentJson(text) {
	let depth = 0;
	const line = () => `\n${'  '.repeat(depth)}`;

	return text.replace(/("(?:[^"\\]|\\.)*")|([{[])\s*([}\]])?|([}\]])|(,)|(:)|\s+/g,
		(whole, string, opens, closesAtOnce, closes, comma, colon) => {
			if (string) return string;
			if (opens && closesAtOnce) return opens + closesAtOnce;
			if (opens) return opens + (depth++, line());
			if (closes) return (depth--, line()) + closes;
			if (comma) return comma + line();
			return colon ? ': ' : '';
		});
}

function hexDump(bytes) {
	const lines = [];

	for (let at = 0; at < Math.min(bytes.length, HEX_BYTES); at += 16) {
		const part = [...bytes.subarray(at, Math.min(at + 16, HEX_BYTES))];
		const hex = part.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
		const text = part.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('');

		lines.push(`${at.toString(16).padStart(6, '0')}  ${hex.padEnd(47)}  ${text}`);
	}
	return lines.join('\n');
}

function decode(bytes, isCut) {
	try {
		// A truncated value may end inside a character.
		const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: isCut });
		// eslint-disable-next-line no-control-regex
		return /[\0-\x08\x0e-\x1a\x1c-\x1f]/.test(text) ? null : text;
	} catch {
		return null;
	}
}

// {text, kind, shown} of the first bytes of a value of `size` bytes, as they are stored.
export function present({ bytes, size }) {
	const text = decode(bytes, bytes.length < size);

	if (text === null)
		return { kind: 'bytes', text: hexDump(bytes), shown: Math.min(bytes.length, HEX_BYTES) };
	return { kind: 'text', text, shown: bytes.length };
}

// The text of a whole value of JSON, indented; null if it is none.
export function presentJson({ bytes, size, type }) {
	const text = bytes.length < size ? null : decode(bytes, false);

	if (text === null || !(/json/i.test(type) || /^\s*[[{]/.test(text))) return null;
	try {
		JSON.parse(text);
		return indentJson(text);
	} catch {
		return null;
	}
}

const isProtocol = (first, second) => first === 0x80 && second >= 2 && second <= 5;

// Whether a value may be one of SteadyText's, a pickle or base64 of one: 'surely', 'perhaps' or
// 'no'. Pickles of the protocols 0 and 1 are known only by the full stop at their end.
export function guessPickle({ bytes, size }) {
	const isWhole = bytes.length === size;

	if (isProtocol(bytes[0], bytes[1])) return 'surely';
	const text = new TextDecoder('latin1').decode(bytes).trimEnd();
	if (text.length < 4 || !/^[A-Za-z0-9+/]+={0,2}$/.test(text) || (isWhole && text.length % 4 > 0)) return 'no';
	const start = atob(text.slice(0, 4));
	if (isProtocol(start.charCodeAt(0), start.charCodeAt(1))) return 'surely';
	return isWhole && atob(text.slice(-4)).endsWith('.') ? 'perhaps' : 'no';
}
