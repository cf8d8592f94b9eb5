// The public API as the page uses it: with the token, which is kept in sessionStorage and nowhere
// else.
const TOKEN_ITEM = 'steadycache-token';
const TIMEOUT_MS = 10000;

let token = sessionStorage.getItem(TOKEN_ITEM);
let onUnauthorized = () => {};

export class ApiError extends Error {
	constructor(status, message) {
		super(message);
		this.status = status; // 0: no answer
	}
}

export function hasToken() {
	return token !== null;
}

export function setToken(text) {
	token = text;
	if (text === null) sessionStorage.removeItem(TOKEN_ITEM);
	else sessionStorage.setItem(TOKEN_ITEM, text);
}

// Sets the function to be called for every answer of 401, or of 400 to the token itself.
export function whenUnauthorized(callback) {
	onUnauthorized = callback;
}

async function errorOf(response) {
	const text = await response.text().catch(() => '');

	try {
		return JSON.parse(text).error || text;
	} catch {
		return text || response.statusText;
	}
}

// Resolves to the Response of a success; throws ApiError otherwise.
export async function request(path, options = {}) {
	const headers = new Headers(options.headers);
	let response;

	if (token !== null) headers.set('Authorization', `Bearer ${token}`);
	try {
		response = await fetch(path, {
			...options,
			headers,
			cache: 'no-store',
			redirect: 'error',
			credentials: 'omit',
			signal: options.signal ?? AbortSignal.timeout(TIMEOUT_MS),
		});
	} catch (error) {
		throw new ApiError(0, error.name === 'TimeoutError' ?
			`The server has not answered for ${TIMEOUT_MS / 1000} s.` : 'The server cannot be reached.');
	}
	if (response.ok) return response;
	const message = await errorOf(response);
	if (response.status === 401 || response.headers.has('WWW-Authenticate')) onUnauthorized();
	throw new ApiError(response.status, message);
}

export async function getStats() {
	return (await request('/stats')).json();
}

// Resolves to the Response, whose body has no end of its own.
export async function watchNamespace(ns, prefix, lastId, signal) {
	const query = prefix ? `?prefix=${encodeURIComponent(prefix)}` : '';

	return request(`/watch/${encodeURIComponent(ns)}${query}`, { headers: lastId ? { 'Last-Event-ID': lastId } : {}, signal });
}

const encodeByte = (byte) => `%${byte.toString(16).padStart(2, '0')}`;

// The bytes of a key as in a listing: text, or base64.
export function keyBytes(entry) {
	if (entry.key !== undefined) return new TextEncoder().encode(entry.key);
	return Uint8Array.from(atob(entry.key_base64), (char) => char.charCodeAt(0));
}

function encodeKey(entry) {
	if (entry.key !== undefined) return encodeURIComponent(entry.key);
	return Array.from(atob(entry.key_base64), (char) => encodeByte(char.charCodeAt(0))).join('');
}

// Keys that cannot end a URL: browsers treat them as steps between folders. Nor can an empty key.
const isUnspeakable = (entry) => ['', '.', '..'].includes(entry.key);

const entryPath = (ns, entry) => `/cache/${encodeURIComponent(ns)}/${encodeKey(entry)}`;

function batch(ns, verb, body) {
	return request(`/batch/${encodeURIComponent(ns)}/${verb}`, {
		method: 'POST',
		headers: { 'Content-Type': 'application/json' },
		body: JSON.stringify(body),
	});
}

export async function listEntries(ns, prefix, cursor, limit) {
	const query = new URLSearchParams({ limit });

	if (cursor) query.set('cursor', cursor);
	// Not encoded as a form would: there "+" is a space.
	const rest = prefix ? `&prefix=${encodeURIComponent(prefix)}` : '';
	return (await request(`/cache/${encodeURIComponent(ns)}?${query}${rest}`)).json();
}

async function readByBatch(ns, entry, maxBytes) {
	const { results } = await (await batch(ns, 'get', { keys: [entry.key] })).json();
	const found = results[entry.key];

	if (!found?.found) throw new ApiError(404, 'The entry is gone.');
	const bytes = found.encoding === 'base64' ?
		Uint8Array.from(atob(found.value), (char) => char.charCodeAt(0)) :
		new TextEncoder().encode(found.value);
	return { bytes: bytes.subarray(0, maxBytes), size: bytes.length, type: found.content_type ?? '' };
}

// Reads at most the value's first bytes: {bytes, size, type}. The server counts it as a use.
export async function readEntry(ns, entry, maxBytes) {
	if (isUnspeakable(entry)) return readByBatch(ns, entry, maxBytes);
	const headers = entry.size > maxBytes ? { Range: `bytes=0-${maxBytes - 1}` } : {};
	const response = await request(entryPath(ns, entry), { headers });
	const bytes = new Uint8Array(await response.arrayBuffer());
	const whole = /\/(\d+)$/.exec(response.headers.get('Content-Range') ?? '');

	return {
		bytes: bytes.subarray(0, maxBytes),
		size: whole ? Number(whole[1]) : bytes.length,
		type: response.headers.get('Content-Type') ?? '',
	};
}

// What a pickle is, in readable form: {type, text, cut, bytes}.
export async function showPickle(bytes) {
	const response = await request('/pickle', {
		method: 'POST',
		headers: { 'Content-Type': 'application/octet-stream' },
		body: bytes,
	});

	return response.json();
}

export async function deleteEntry(ns, entry) {
	if (isUnspeakable(entry)) await batch(ns, 'delete', { keys: [entry.key] });
	else await request(entryPath(ns, entry), { method: 'DELETE' });
}

export async function clearNamespace(ns, prefix) {
	const query = prefix ? `?prefix=${encodeURIComponent(prefix)}` : '?all';

	await request(`/cache/${encodeURIComponent(ns)}${query}`, { method: 'DELETE' });
}
