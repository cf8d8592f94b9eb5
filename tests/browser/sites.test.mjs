// What pages of other sites can do to a server without a token: nothing. And a stored value is not
// a page of the server, whatever its type.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { startBrowser, startServer, textOf } from './support.mjs';

const REBOUND = 'rebound.example';
// Reports that it runs, and does what a script of this server could do.
const SCRIPT = `document.title = 'ran'; parent.postMessage('ran', '*'); opener?.postMessage('ran', '*');
	fetch('/cache/kept/page', { method: 'DELETE' });`;
const HTML = `<!doctype html><title>stored</title><p>stored</p><script>${SCRIPT}</script>
	<img src="x" onerror="${SCRIPT.replaceAll('"', '&quot;')}">`;
const SVG = `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>${SCRIPT}</script></svg>`;
let browser, server, elsewhere, content;

before(async () => {
	elsewhere = createServer((request, response) => {
		response.setHeader('Content-Type', 'text/html');
		response.end(request.url === '/page' ? content : '');
	}).listen(0, '127.0.0.1');
	[browser, server] = await Promise.all([
		startBrowser([`--host-resolver-rules=MAP ${REBOUND} 127.0.0.1`]), startServer(), once(elsewhere, 'listening')]);
	for (const [key, body, type] of [['page', HTML, 'text/html'], ['image', SVG, 'image/svg+xml'],
		['script', SCRIPT, 'text/javascript'], ['style', 'p { color: red }', 'text/css']])
		await server.call('PUT', `/cache/kept/${key}`, body, { 'Content-Type': type });
});
after(async () => {
	await browser?.close();
	await server?.stop();
	elsewhere?.close();
});

async function onPage(url, work) {
	const context = await browser.newContext();
	const page = await context.newPage();

	await page.goto(url);
	await work(page);
	await context.close();
}

// A page at `host`, which is not this server's.
function onForeignPage(host, html, work) {
	content = `<!doctype html><title>foreign</title>${html}
		<script>addEventListener('message', () => { document.title = 'ran'; });</script>`;
	return onPage(`http://${host}:${elsewhere.address().port}/page`, work);
}

// Expects that nothing the attacks below ask for has happened.
async function expectUntouched() {
	const keys = (await (await server.call('GET', '/cache/kept')).json()).keys.map((entry) => entry.key);

	assert.deepEqual(keys, ['image', 'page', 'script', 'style']);
	assert.equal((await (await server.call('GET', '/cache')).json()).namespaces.length, 1);
	const miss = await server.call('GET', '/cache/kept/wanted?lease=60');
	const lease = miss.headers.get('lease');
	assert.ok(lease, 'a page of another site has taken the lease');
	await server.call('DELETE', '/cache/kept/wanted', undefined, { Lease: lease });
}

// Everything that a page can make a browser send without asking for permission first, and some
// things that it cannot; the page waits for the results.
const attack = (page, url) => page.evaluate(async (target) => {
	const send = (path, options) => fetch(target + path, options).then((response) => (response.ok ? 'loaded' : response.type),
		() => 'refused');
	const load = (name, attributes) => new Promise((resolve) => {
		const element = Object.assign(document.createElement(name), attributes);

		element.onload = () => resolve('loaded');
		element.onerror = () => resolve('refused');
		document.body.append(element);
	});
	const form = (path, method) => new Promise((resolve) => {
		const frame = document.createElement('iframe');
		const it = document.createElement('form');

		frame.name = `f${Math.random()}`;
		frame.onload = () => resolve();
		document.body.append(frame, it);
		Object.assign(it, { action: target + path, method, target: frame.name, enctype: 'text/plain' });
		it.append(Object.assign(document.createElement('input'),
			{ name: '{"cache_name":"kept","items":[{"key":"new","value":"', value: '"}],"keys":["page"]}' }));
		it.submit();
	});
	const text = (body) => ({ method: 'POST', mode: 'no-cors', headers: { 'Content-Type': 'text/plain' }, body });
	const results = await Promise.all([
		load('img', { src: `${target}/cache/kept/wanted?lease=60` }),
		load('img', { src: `${target}/cache/kept/image` }),
		load('script', { src: `${target}/cache/kept/script` }),
		load('link', { rel: 'stylesheet', href: `${target}/cache/kept/style` }),
		send('/cache/kept/page'),
		send('/cache/kept/page', { mode: 'no-cors' }),
		send('/cache/kept/page', { method: 'DELETE' }),
		send('/cache/kept?all', { method: 'DELETE' }),
		send('/cache/kept/new', { method: 'PUT', body: 'x' }),
		send('/cache/kept/wanted?lease=60', { mode: 'no-cors' }),
		send('/batch/kept/set', text('{"items":[{"key":"new","value":"x"}]}')),
		send('/batch/kept/delete', text('{"keys":["page"]}')),
		send('/import', text('{"namespace":"new","key":"k","value":"x"}\n{"complete":1}\n')),
		send('/api/clear', text('{"cache_name":"kept"}')),
		send('/api/init', text('{"cache_name":"new"}')),
		send('/api/get', text('{"cache_name":"kept","key":"wanted","lease":60}')),
		form('/batch/kept/set', 'post'), form('/batch/kept/delete', 'post'), form('/api/clear', 'post'),
		form('/cache/kept/wanted?lease=60', 'get'), form('/ui', 'post'),
	]);
	navigator.sendBeacon(`${target}/api/clear`, '{"cache_name":"kept"}');
	return results.filter((result) => result === 'loaded');
}, url);

for (const [what, host] of [['another port', '127.0.0.1'], ['another site', 'localhost']]) {
	test(`a page of ${what} reads and changes nothing`, () => onForeignPage(host, '', async (page) => {
		assert.deepEqual(await attack(page, server.url), []);
		await expectUntouched();
		assert.equal(await page.title(), 'foreign');
	}));

	test(`in a frame of ${what} nothing that is stored runs or shows`, () => onForeignPage(host,
		['page', 'image', 'script'].map((key) => `<iframe src="${server.url}/cache/kept/${key}"></iframe>`).join('')
			+ `<iframe src="${server.url}/ui"></iframe><object data="${server.url}/cache/kept/page"></object>`
			+ `<embed src="${server.url}/cache/kept/image">`, async (page) => {
			await page.waitForLoadState('networkidle');
			for (const frame of page.frames().slice(1))
				assert.doesNotMatch(await frame.content(), /<p>stored|= 'ran'|tile-hit-rate/);
			await expectUntouched();
			assert.equal(await page.title(), 'foreign');
		}));
}

test('links of another site lead to the pages and to nothing else', () => onForeignPage('localhost',
	['/ui', '/docs', '/cache/kept/page', '/cache/kept/wanted?lease=60', '/stats'].map((path) =>
		`<a href="${server.url}${path}">${path}</a> <a target="_blank" href="${server.url}${path}">new ${path}</a>`).join(''),
	async (page) => {
		for (const name of ['/cache/kept/page', '/cache/kept/wanted?lease=60', '/stats']) {
			await page.getByText(name, { exact: true }).click();
			await textOf(page, 'body', /set STEADYCACHE_API_KEY/);
			await page.goBack();
		}
		await expectUntouched();
		const [tab] = await Promise.all([page.waitForEvent('popup'), page.getByText('new /ui').click()]);
		await textOf(tab, '#state', /^live$/);
		await page.getByText('/docs', { exact: true }).click();
		await page.locator('[data-path="/metrics"]').waitFor();
		await page.goBack();
		await page.getByText('/ui', { exact: true }).click();
		await textOf(page, '#state', /^live$/);
		await page.reload();
		await textOf(page, '#state', /^live$/);
		await page.getByRole('button', { name: 'kept', exact: true }).click();
		await page.getByRole('button', { name: 'page', exact: true }).click();
		await textOf(page, '#entry-value', /<p>stored/);
	}));

test('addresses that browsers do not trust, and names that lead here, reach nothing', async () => {
	const { port } = new URL(server.url);

	for (const host of ['0.0.0.0', '[::ffff:127.0.0.1]', REBOUND])
		await onForeignPage('localhost', '', async (page) => {
			assert.deepEqual(await attack(page, `http://${host}:${port}`), [], host);
			await expectUntouched();
		});
	await onPage(`http://${REBOUND}:${port}/docs`, async (page) => {
		assert.deepEqual(await attack(page, ''), []);
		await expectUntouched();
		await page.goto(`http://${REBOUND}:${port}/stats`);
		await textOf(page, 'body', /answers only to localhost/);
	});
});

test('what is stored shows and does not run where the user opens it', async () => {
	for (const key of ['page', 'image'])
		await onPage(`${server.url}/cache/kept/${key}`, async (page) => {
			await page.waitForLoadState('networkidle');
			assert.match(await page.content(), /<script>/, 'it is shown');
			assert.notEqual(await page.title(), 'ran');
			await page.goto('about:blank');
			await expectUntouched();
		});
});

test('the name and the addresses of this machine lead to the dashboard', async () => {
	const { port } = new URL(server.url);

	for (const host of ['localhost', 'cache.localhost', '127.0.0.1'])
		await onPage(`http://${host}:${port}/ui`, (page) => textOf(page, '#state', /^live$/));
});
