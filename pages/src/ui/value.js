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

// {text, kind} of the first bytes of a value of `size` bytes.
export function present({ bytes, size, type }) {
	const isCut = bytes.length < size;
	const text = decode(bytes, isCut);

	if (text === null)
		return { kind: 'bytes', text: hexDump(bytes), shown: Math.min(bytes.length, HEX_BYTES) };
	if (!isCut && (/json/i.test(type) || /^\s*[[{]/.test(text)))
		try {
			JSON.parse(text);
			return { kind: 'JSON', text: indentJson(text), shown: size };
		} catch { /* then it is shown as text */ }
	return { kind: 'text', text, shown: bytes.length };
}
