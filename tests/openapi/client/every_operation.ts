// Uses every operation through a client generated from openapi.json: data must arrive unchanged,
// with the types that the description promises. Compiled by tsc (run.mjs).
import { client } from './generated/client.gen.js';
import * as sdk from './generated/sdk.gen.js';

const used = new Set<string>();
// The functions, recording which were called.
const api = new Proxy(sdk, {
	get(functions, name) {
		used.add(String(name));
		return Reflect.get(functions, name);
	},
});

function check(condition: unknown, what: string): asserts condition {
	if (!condition) throw new Error(what);
}

type Outcome<Data> = { data?: Data; error?: unknown; response?: Response };

// The data of an answer, which must have this status.
async function expect<Data>(status: number, what: string, outcome: Promise<Outcome<Data>>): Promise<Data> {
	const { data, error, response } = await outcome;

	check(response?.status === status, `${what}: ${response?.status} ${JSON.stringify(error)}`);
	return data as Data;
}

const same = (a: ArrayBuffer, b: Uint8Array) =>
	a.byteLength === b.length && new Uint8Array(a).every((byte, i) => byte === b[i]);

async function entries() {
	const path = { ns: 'demo', key: 'greetings' };
	const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);

	await expect(201, 'putEntry', api.putEntry({ path, body: new Blob([bytes]), query: { ttl: 60 } }));
	const value = await expect(200, 'getEntry', api.getEntry({ path, parseAs: 'blob' }));
	check(same(await value.arrayBuffer(), bytes), 'the bytes are others than were sent');
	const unasked = await expect(200, 'getEntry', api.getEntry({ path }));
	check(unasked instanceof Blob && unasked.size === 256, 'a value of bytes is no Blob');
	const { response } = await api.headEntry({ path });
	const etag = response?.headers.get('etag');
	check(response?.status === 200 && etag, 'headEntry');
	await expect(304, 'getEntry', api.getEntry({ path, headers: { 'If-None-Match': etag } }));
	await expect(412, 'putEntry', api.putEntry({ path, body: new Blob(['x']), headers: { 'If-None-Match': '*' } }));
	const page = await expect(200, 'listKeys', api.listKeys({ path: { ns: 'demo' } }));
	check(page.complete && page.keys.length === 1 && page.keys[0]?.etag === etag, 'listKeys');
	await expect(204, 'expireEntry', api.expireEntry({ path, query: { ttl: 90 } }));
	await expect(204, 'deleteEntry', api.deleteEntry({ path }));
	await expect(404, 'getEntry', api.getEntry({ path }));
	const missed = await api.getEntry({ path, query: { lease: 30 } });
	const lease = missed.response?.headers.get('lease')?.split(';')[0];
	check(lease, 'no lease');
	await expect(201, 'putEntry', api.putEntry({ path, body: new Blob(['computed']), headers: { Lease: lease } }));
}

async function namespaces() {
	const path = { ns: 'demo' };

	await expect(204, 'configureNamespace',
		api.configureNamespace({ path, body: { max_size_mb: 10, capacity: null, eviction: 'lru' } }));
	const all = await expect(200, 'listNamespaces', api.listNamespaces());
	check(all.namespaces.some((one) => one.name === 'demo' && one.eviction === 'lru'), 'listNamespaces');
	await expect(200, 'batchSet', api.batchSet({ path, body: { items: [{ key: 'a', value: '1' }, { key: 'b', value: '2' }] } }));
	const got = await expect(200, 'batchGet', api.batchGet({ path, body: { keys: ['a', 'c'] } }));
	check('a' in got.results, 'batchGet');
	const there = await expect(200, 'batchExists', api.batchExists({ path, body: { keys: ['a', 'c'] } }));
	check(there.results['a']?.exists && !there.results['c']?.exists, 'batchExists');
	const expired = await expect(200, 'batchExpire', api.batchExpire({ path, body: { keys: ['a', 'c'], ttl: 90 } }));
	check(expired.results['a']?.exists && !expired.results['c']?.exists, 'batchExpire');
	await expect(200, 'batchDelete', api.batchDelete({ path, body: { keys: ['b'] } }));
	const stats = await expect(200, 'getStats', api.getStats());
	check(stats.namespaces['demo']?.entry_count === 2, 'getStats');
	const own = await expect(200, 'getNamespaceStats', api.getNamespaceStats({ path }));
	check(own.entry_count === 2, 'getNamespaceStats');
}

async function watching() {
	const stop = new AbortController();
	const { stream } = await api.watchNamespace({ path: { ns: 'demo' }, query: { prefix: 'b' }, signal: stop.signal,
		sseMaxRetryAttempts: 0 });
	const events = stream[Symbol.asyncIterator]();
	const ready = await events.next();

	check(JSON.stringify(ready.value) === '{"namespace":"demo","prefix":"b","resumed":false}', 'watchNamespace');
	await expect(201, 'putEntry', api.putEntry({ path: { ns: 'demo', key: 'bb' }, body: new Blob(['x']) }));
	check(JSON.stringify((await events.next()).value) === '{"key":"bb"}', 'watchNamespace tells nothing');
	stop.abort();
	await expect(204, 'deleteEntry', api.deleteEntry({ path: { ns: 'demo', key: 'bb' } }));
}

async function transfer() {
	const lines = await expect(200, 'exportEntries', api.exportEntries({ query: { namespace: 'demo' }, parseAs: 'text' }));

	check(lines.trimEnd().endsWith('"entries":2}'), `exportEntries: ${lines}`);
	const report = await expect(200, 'importEntries',
		api.importEntries({ body: new Blob([lines]), query: { namespace: 'copy' } }));
	check(report.imported === 2 && report.failed === 0 && report.complete, `importEntries: ${JSON.stringify(report)}`);
	await expect(204, 'clearNamespace', api.clearNamespace({ path: { ns: 'copy' }, query: { all: '' } }));
	await expect(204, 'sync', api.sync());
}

async function server() {
	check((await expect(200, 'getLogLevel', api.getLogLevel())).level === 'info', 'getLogLevel');
	await expect(200, 'setLogLevel', api.setLogLevel({ body: { level: 'warn' } }));
	const shown = await expect(200, 'showPickle', api.showPickle({ body: new Blob(['I42\n.']) }));
	check(typeof shown === 'object' && shown.type === 'int' && shown.text === '42', 'showPickle');
	check(await expect(200, 'healthz', api.healthz()) === 'ok\n', 'healthz');
	await expect(200, 'readyz', api.readyz());
	await expect(200, 'getOpenapiYaml', api.getOpenapiYaml());
	await expect(200, 'getOpenapiJson', api.getOpenapiJson());
	check((await expect(200, 'getMetrics', api.getMetrics())).includes('steadycache_entries{'), 'getMetrics');
	const page = await expect(200, 'getUi', api.getUi({ parseAs: 'text' }));
	await expect(200, 'getDocs', api.getDocs({ parseAs: 'text' }));
	const key = /assets\/([\w.-]+)/.exec(String(page))?.[1];
	check(key, 'getUi names no file');
	await expect(200, 'getAsset', api.getAsset({ path: { key } }));
}

async function facades() {
	const path = { key: '12ab' };
	const query = { slug: 'team' };

	check((await expect(200, 'turborepoStatus', api.turborepoStatus({ query }))).status === 'enabled', 'turborepoStatus');
	await expect(201, 'turborepoPut', api.turborepoPut({ path, query, body: new Blob(['artifact']) }));
	const artifact = await expect(200, 'turborepoGet', api.turborepoGet({ path, query, parseAs: 'blob' }));
	check(await artifact.text() === 'artifact', 'turborepoGet');
	await expect(200, 'turborepoEvents', api.turborepoEvents({ query, body: new Blob(['[]']) }));
	await expect(200, 'nxPut', api.nxPut({ path, body: new Blob(['artifact']) }));
	await expect(409, 'nxPut', api.nxPut({ path, body: new Blob(['another']) }));
	check(await (await expect(200, 'nxGet', api.nxGet({ path, parseAs: 'blob' }))).text() === 'artifact', 'nxGet');
}

async function proxyApi() {
	const cache_name = 'generation_cache';

	await expect(200, 'apiInit', api.apiInit({ body: { cache_name, max_size_mb: 50 } }));
	await expect(200, 'apiSet', api.apiSet({ body: { cache_name, key: 'prompt', value: 'text', size: 4 } }));
	const got = await expect(200, 'apiGet', api.apiGet({ body: { cache_name, key: 'prompt' } }));
	check(got.found, 'apiGet');
	check((await expect(200, 'apiExists', api.apiExists({ body: { cache_name, key: 'prompt' } }))).exists, 'apiExists');
	await expect(200, 'apiBatchSet', api.apiBatchSet({ body: { cache_name, items: [{ key: 'b', value: 'v', size: 1 }] } }));
	await expect(200, 'apiBatchGet', api.apiBatchGet({ body: { cache_name, keys: ['prompt', 'b'] } }));
	await expect(200, 'apiBatchDelete', api.apiBatchDelete({ body: { cache_name, keys: ['b'] } }));
	await expect(200, 'apiDelete', api.apiDelete({ body: { cache_name, key: 'prompt' } }));
	const stats = await expect(200, 'apiStats', api.apiStats({ body: { cache_name } }));
	check(stats.entry_count === 0, 'apiStats');
	await expect(200, 'apiClear', api.apiClear({ body: { cache_name } }));
}

// Returns the names of the operations that were used. `token` is undefined for a server that
// requires none.
export async function useEveryOperation(baseUrl: string, token?: string): Promise<string[]> {
	client.setConfig({ baseUrl, ...(token === undefined ? {} : { auth: token }) });
	await entries();
	await namespaces();
	await watching();
	await transfer();
	await server();
	await facades();
	await proxyApi();
	return [...used];
}
