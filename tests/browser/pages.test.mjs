import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { openPage, openSocket, shoot, startBrowser, startServer, textOf } from './support.mjs';

const KEY = 'a-secret/key=+1';
// Chromium writes every 401 to the console; no page can prevent that.
const UNAUTHORIZED = /status of 401/;
let browser, open, locked;

before(async () => {
	[browser, open, locked] = await Promise.all([startBrowser(), startServer(), startServer(KEY)]);
});
after(() => Promise.all([browser?.close(), open?.stop(), locked?.stop()]));

async function onUi(work, { server = open, options, mayBeSaid, prepare } = {}) {
	const { page, offences, close } = await openPage(browser, server, options, mayBeSaid);

	await prepare?.(page);
	await page.goto(`${server.url}/ui`);
	await work(page, offences);
	assert.deepEqual(offences, []);
	await close();
}

const put = (key, body, headers) => open.call('PUT', `/cache/${key}`, body, headers);
const live = (page) => textOf(page, '#state', /^live$/);

async function openNamespace(page, name) {
	await live(page);
	await page.getByRole('button', { name, exact: true }).click();
}

test('pages and assets carry the headers they promise', async () => {
	for (const name of ['ui', 'docs']) {
		const response = await fetch(`${open.url}/${name}`);
		const html = await response.text();
		const policy = response.headers.get('content-security-policy');

		assert.equal(response.status, 200);
		assert.match(policy, /default-src 'none'/);
		assert.doesNotMatch(policy, /unsafe/);
		assert.match(policy, /frame-ancestors 'none'/);
		assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
		assert.equal(response.headers.get('referrer-policy'), 'no-referrer');
		assert.equal(response.headers.get('cache-control'), 'no-cache');
		const again = await fetch(response.url, { headers: { 'If-None-Match': response.headers.get('etag') } });
		assert.equal(again.status, 304);
		const assets = html.match(/\/assets\/[\w.-]+/g);
		assert.ok(assets.length >= 3);
		for (const asset of new Set(assets)) {
			const packed = await fetch(open.url + asset);
			const plain = await fetch(open.url + asset, { headers: { 'Accept-Encoding': 'gzip;q=0' } });
			const head = await fetch(open.url + asset, { method: 'HEAD', headers: { 'Accept-Encoding': 'gzip' } });

			assert.equal(packed.headers.get('content-encoding'), 'gzip');
			assert.equal(plain.headers.get('content-encoding'), null);
			assert.equal(await packed.text(), await plain.text());
			assert.match(packed.headers.get('cache-control'), /immutable/);
			assert.equal(head.headers.get('content-length'), packed.headers.get('content-length'));
		}
	}
	assert.equal((await fetch(`${open.url}/assets/ui.html`)).status, 404);
	assert.equal((await fetch(`${open.url}/assets/../ui`)).status, 200, 'the client itself makes /ui of it');
	assert.equal((await fetch(`${open.url}/ui`, { method: 'POST' })).status, 405);
});

test('/docs shows the description and tries a request with a token', async () => {
	const { page, offences, close } = await openPage(browser, locked);

	await page.goto(`${locked.url}/docs`);
	await page.locator('[data-path="/cache/{ns}/{key}"]').first().waitFor();
	await page.locator('[data-path="/metrics"]').waitFor();
	await shoot(page, 'docs-light');
	await page.locator('button.authorize').click();
	await page.locator('.auth-container input').first().fill(KEY);
	await page.locator('.auth-container button[type=submit]').first().click();
	await page.locator('.btn-done').first().click();
	const operation = page.locator('.opblock-get', { has: page.locator('[data-path="/stats"]') }).first();
	await operation.locator('.opblock-summary-control').click();
	await operation.locator('button.execute').click();
	await operation.locator('.live-responses-table .response-col_status', { hasText: '200' }).waitFor();
	await shoot(page, 'docs-tried');
	assert.deepEqual(offences, []);
	await close();
});

// The request that Swagger UI fills in must work.
test('the first Execute on /docs works', async () => {
	const { page, offences, close } = await openPage(browser, open);
	const requests = [
		['put', '/cache/{ns}/{key}', '201'], ['get', '/cache/{ns}/{key}', '200'], ['get', '/cache/{ns}', '200'],
		['get', '/export', '200'], ['delete', '/cache/{ns}/{key}', '204'], ['post', '/import', '200'],
	];

	await page.goto(`${open.url}/docs`);
	for (const [method, path, status] of requests) {
		const operation = page.locator(`.opblock-${method}`, { has: page.locator(`[data-path="${path}"]`) }).first();
		const answered = operation.locator('.live-responses-table .response .response-col_status').first();

		await operation.locator('.opblock-summary-control').click();
		await operation.locator('button.execute').click();
		await answered.waitFor();
		assert.equal((await answered.innerText()).match(/\d+/)[0], status, `${method} ${path}`);
		await operation.locator('.opblock-summary-control').click();
	}
	assert.equal(await (await fetch(`${open.url}/cache/ns/a`)).text(), 'v', 'what was imported');
	assert.deepEqual(offences, []);
	await close();
});

test('an empty server says that there is nothing', async () => {
	const empty = await startServer();

	await onUi(async (page) => {
		await live(page);
		await textOf(page, '#namespaces-empty', /no namespace yet/);
		await shoot(page, 'ui-empty');
	}, { server: empty });
	await empty.stop();
});

test('the dashboard shows a change within two seconds', () => onUi(async (page) => {
	await live(page);
	await put('fresh/one', 'x');
	const began = Date.now();
	await page.getByRole('button', { name: 'fresh', exact: true }).waitFor();
	assert.ok(Date.now() - began < 2000);
	await open.call('GET', '/cache/fresh/one');
	await textOf(page, '#tile-hit-rate', /^\d+\.\d %$/);
}));

test('latency is that of the last interval', () => onUi(async (page) => {
	const count = [100000, 0, 0, 0];

	await page.route('**/stats', async (route) => {
		const response = await route.fetch();
		const json = await response.json();

		count[2] += 10;
		json.requests = { total: 1, server_errors: 0, latency_us: { p50: 50, p90: 90, p99: 99, p999: 100 },
			histogram: { upper_us: [100, 200, 400, null], count } };
		json.server.connections = 1234;
		await route.fulfill({ response, json });
	});
	await textOf(page, '#tile-p50', /^300 µs$/);
	await textOf(page, '#tile-p50-note', /since the start 50 µs/);
	await textOf(page, '#server-facts', /1,234 connections/);
}));

test('latency and connections are those of the server', async () => {
	const server = await startServer();

	const sockets = [];
	const many = 20; // more than a browser opens by itself

	// `are` true: at least that many are shown, else fewer.
	const shown = (page, are) => page.waitForFunction(([number, expected]) =>
		(Number(/(\d+) connection/.exec(document.querySelector('#server-facts').textContent)?.[1]) >= number) === expected,
	[many, are]);

	try {
		await onUi(async (page) => {
			await live(page);
			await textOf(page, '#tile-p50', /^\d+(\.\d)? (µs|ms)$/);
			await textOf(page, '#tile-p50-note', /^since the start \d+(\.\d)? (µs|ms)$/);
			for (let i = 0; i < many; i++) sockets.push(await openSocket(server));
			await shown(page, true);

			// A slow body makes a slow request: the test measures the wait.
			sockets[0].write('PUT /cache/slow/k HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n');
			await wait(600);
			sockets[0].write('ok');
			await textOf(page, '#tile-p99', /^([4-9]\d\d\.\d ms|\d+\.\d s)$/);
			await page.getByRole('button', { name: 'slow', exact: true }).waitFor();
			for (const socket of sockets) socket.destroy();
			await shown(page, false);
		}, { server });
	} finally {
		for (const socket of sockets) socket.destroy();
		await server.stop();
	}
});

test('a hidden page asks nothing', () => onUi(async (page) => {
	let asked = 0;

	await live(page);
	await page.evaluate(() => {
		Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
		document.dispatchEvent(new Event('visibilitychange'));
	});
	page.on('request', (request) => { asked += request.url().endsWith('/stats') ? 1 : 0; });
	await page.clock.runFor(10000);
	assert.ok(asked <= 1, `${asked} requests`); // one may have been in flight
	const seen = page.waitForRequest('**/stats');
	await page.evaluate(() => {
		delete document.hidden;
		document.dispatchEvent(new Event('visibilitychange'));
	});
	await seen;
}, { prepare: (page) => page.clock.install() }));

test('stored markup is text', async () => {
	const evil = '<script>window.ran=1</script><img src=x onerror="window.ran=1">';

	await put(`evil/${encodeURIComponent(evil)}`, evil, { 'Content-Type': `text/html; x="<img src=x onerror=window.ran=1>"` });
	await onUi(async (page) => {
		await openNamespace(page, 'evil');
		await page.getByRole('button', { name: evil }).click();
		await textOf(page, '#entry-value', /<script>window\.ran/);
		assert.equal(await page.locator('#entry-value').evaluate((pre) => pre.children.length), 0);
		assert.equal(await page.locator('#entry-key').textContent(), evil);
		await page.locator('#entry-close').click();
		await page.locator('#prefix').fill('<img src=x onerror="window.ran=1">');
		await page.keyboard.press('Enter');
		await textOf(page, '#entries-empty', /No key in evil begins with/);
		assert.equal(await page.evaluate(() => window.ran), undefined);
	});
});

test('values: JSON keeps its digits, bytes are hexadecimal, long ones are cut', async () => {
	await put('values/json', '{"n":12345678901234567890,"s":"a, b: {c}","e":[]}', { 'Content-Type': 'application/json' });
	await put('values/bytes', new Uint8Array([0, 255, 65]));
	await put('values/long', 'ä'.repeat(100000), { 'Content-Type': 'text/plain' });
	await open.call('POST', '/batch/values/set', JSON.stringify({ items: [{ key: '..', value: 'dots' }] }),
		{ 'Content-Type': 'application/json' });
	await onUi(async (page) => {
		const valueOf = async (key, expected) => {
			await page.getByRole('button', { name: key, exact: true }).click();
			await textOf(page, '#entry-value', expected);
			const note = await page.locator('#entry-note').textContent();
			const text = await page.locator('#entry-value').textContent();
			if (key === 'json') await shoot(page, 'ui-entry');
			await page.keyboard.press('Escape');
			return { note, text };
		};

		await openNamespace(page, 'values');
		assert.equal((await valueOf('json', /n/)).text,
			'{\n  "n": 12345678901234567890,\n  "s": "a, b: {c}",\n  "e": []\n}');
		assert.match((await valueOf('bytes', /00 ff 41/)).note, /hexadecimal/);
		const long = await valueOf('long', /ä/);
		assert.match(long.note, /first 65,536 of 200,000 bytes/);
		assert.equal(long.text.length, 32768);
		assert.equal((await valueOf('..', /dots/)).text, 'dots');
	});
});

test('the token is asked for once, kept over a reload, never in the URL', () => onUi(async (page) => {
	const dialog = page.locator('#token-dialog');

	await dialog.waitFor();
	await page.locator('#token').fill('wrong');
	await page.keyboard.press('Enter');
	await textOf(page, '#token-error', /does not take this token/);
	await shoot(page, 'ui-token');
	await page.locator('#token').fill(KEY);
	await page.keyboard.press('Enter');
	await dialog.waitFor({ state: 'hidden' });
	await live(page);
	await page.reload();
	await live(page);
	assert.equal(await dialog.isVisible(), false);
	assert.ok(!page.url().includes('secret'));
	await page.locator('#sign-out').click();
	await dialog.waitFor();
}, { server: locked, mayBeSaid: UNAUTHORIZED }));

test('deleting and clearing ask first', async () => {
	for (const key of ['a/1', 'a/2', 'b/1']) await put(`doomed/${encodeURIComponent(key)}`, 'x');
	await onUi(async (page) => {
		const rows = page.locator('#entries tbody tr');
		const confirm = page.locator('#confirm-dialog');
		const status = async (key) => (await open.call('GET', `/cache/doomed/${key}`)).status;

		await openNamespace(page, 'doomed');
		await page.getByRole('button', { name: 'a/1', exact: true }).click();
		await page.locator('#entry-delete').click();
		await confirm.getByRole('button', { name: 'Cancel' }).click();
		assert.equal(await status('a/1'), 200);
		await page.locator('#entry-delete').click();
		await confirm.getByRole('button', { name: 'Delete' }).click();
		await page.waitForFunction(() => document.querySelectorAll('#entries tbody tr').length === 2);
		assert.equal(await status('a/1'), 404);

		await page.locator('#prefix').fill('a/');
		await page.locator('#clear').click();
		await textOf(page, '#confirm-text', /begin with “a\/”/);
		await confirm.getByRole('button', { name: 'Clear prefix' }).click();
		await textOf(page, '#entries-empty', /begins with/);
		assert.equal(await status('a/2'), 404);
		assert.equal(await status('b/1'), 200);

		await page.locator('#prefix').fill('');
		await page.locator('#clear').click();
		await page.keyboard.press('Escape');
		assert.equal(await status('b/1'), 200);
		await page.locator('#clear').click();
		await confirm.getByRole('button', { name: 'Clear namespace' }).click();
		await textOf(page, '#entries-empty', /doomed has no entries/);
		assert.equal(await status('b/1'), 404);
		assert.equal(await rows.count(), 0);
	});
});

test('2,500 entries: prefix and pages', async () => {
	const items = Array.from({ length: 2500 }, (_, i) => ({ key: `key+${String(i).padStart(4, '0')}`, value: 'v' }));

	await open.call('POST', '/batch/many/set', JSON.stringify({ items }), { 'Content-Type': 'application/json' });
	await onUi(async (page) => {
		const seen = new Set();
		const next = page.locator('#next');

		await openNamespace(page, 'many');
		for (let first = 1; ; first += 50) {
			await textOf(page, '#page', new RegExp(`^${first.toLocaleString('en')} to `));
			for (const key of await page.locator('#entries tbody .link').allTextContents()) seen.add(key);
			if (await next.isDisabled()) break;
			await next.click();
		}
		assert.equal(seen.size, 2500);
		await page.locator('#previous').click();
		await textOf(page, '#page', /^2,401 to 2,450$/);
		await page.locator('#prefix').fill('key+12');
		await page.getByRole('button', { name: 'Search' }).click();
		await textOf(page, '#page', /^1 to 50$/);
		await next.click();
		await textOf(page, '#page', /^51 to 100$/);
		assert.equal(await next.isDisabled(), true);
		assert.equal(await page.locator('#entries tbody .link').last().textContent(), 'key+1299');
	});
});

test('the list of entries follows what happens to them', async () => {
	await put('followed/a', '1');
	await put('followed/b', '1');
	await onUi(async (page) => {
		const keys = (expected) => page.waitForFunction((wanted) =>
			[...document.querySelectorAll('#entries tbody .link')].map((key) => key.textContent).join() === wanted, expected);
		const focus = () => page.evaluate(() => document.activeElement.textContent);

		await openNamespace(page, 'followed');
		await keys('a,b');
		await textOf(page, '#entries-live', /^live$/);
		await page.getByRole('button', { name: 'b', exact: true }).focus();
		await put('followed/aa', 'longer');
		await keys('a,aa,b');
		assert.equal(await focus(), 'b', 'the focus stays on its key');
		await put('followed/aa', 'much longer');
		await textOf(page, '#entries tbody tr:nth-child(2) td:nth-child(2)', /^11 B$/);
		await open.call('DELETE', '/cache/followed/b');
		await keys('a,aa');
		assert.equal(await focus(), 'aa', 'or on its place');
		await shoot(page, 'live-light');
		await page.locator('#prefix').fill('a');
		await page.getByRole('button', { name: 'Search' }).click();
		await textOf(page, '#entries-live', /^live$/);
		await put('followed/ab', '1');
		await keys('a,aa,ab');
		await open.call('DELETE', '/cache/followed?all');
		await textOf(page, '#entries-empty', /No key in followed begins with/);
	});
	await put('followed/narrow', '1');
	await onUi(async (page) => {
		await openNamespace(page, 'followed');
		await textOf(page, '#entries-live', /^live$/);
		await shoot(page, 'live-narrow-dark');
		assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= 390);
	}, { options: { viewport: { width: 390, height: 844 }, colorScheme: 'dark' } });
});

test('the keyboard alone leads to an entry and back', async () => {
	await put('keyboard/only', 'pressed');
	await onUi(async (page) => {
		const focus = () => page.evaluate(() => document.activeElement.textContent || document.activeElement.id);
		const tabTo = async (wanted) => {
			for (let i = 0; i < 80; i++) {
				await page.keyboard.press('Tab');
				if ((await focus()) === wanted) return;
			}
			assert.fail(`Tab never reaches "${wanted}"`);
		};

		await live(page);
		await page.keyboard.press('Tab');
		assert.equal(await focus(), 'Skip to the content');
		await page.keyboard.press('Enter');
		await tabTo('keyboard');
		const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
		assert.equal(outline, 'solid');
		await page.keyboard.press('Enter');
		await page.getByRole('button', { name: 'only', exact: true }).waitFor();
		await tabTo('only');
		await page.keyboard.press('Enter');
		await textOf(page, '#entry-value', /pressed/);
		await page.keyboard.press('Escape');
		await page.locator('#entry-dialog').waitFor({ state: 'hidden' });
		assert.equal(await focus(), 'only');
	});
});

test('dark follows the system and the switch', () => onUi(async (page) => {
	const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

	await live(page);
	const dark = await background();
	assert.ok(dark.match(/\d+/g).every((part) => Number(part) < 50), dark);
	await page.locator('#theme').click();
	assert.ok((await background()).match(/\d+/g).every((part) => Number(part) > 200));
	await page.reload();
	await textOf(page, '#theme', /light/);
	await page.emulateMedia({ colorScheme: 'light' });
	await page.locator('#theme').click();
	assert.equal(await background(), dark);
}, { options: { colorScheme: 'dark' } }));

test('a phone of 360 px scrolls in one direction', () => onUi(async (page) => {
	await openNamespace(page, 'evil');
	await page.locator('#entries tbody tr').first().waitFor();
	assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
	await shoot(page, 'ui-phone');
}, { options: { viewport: { width: 360, height: 740 } } }));

test('so does the reference', async () => {
	const { page, offences, close } = await openPage(browser, open, { viewport: { width: 360, height: 740 } });

	await page.goto(`${open.url}/docs`);
	await page.locator('[data-path="/metrics"]').waitFor();
	assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
	await shoot(page, 'docs-phone');
	assert.deepEqual(offences, []);
	await close();
});

test('a server that goes away and comes back', async () => {
	const first = await startServer();
	const port = Number(new URL(first.url).port);
	let second;

	await onUi(async (page) => {
		await live(page);
		await first.stop();
		await textOf(page, '#alert', /cannot be reached/);
		await textOf(page, '#state', /unreachable/);
		await shoot(page, 'ui-down');
		second = await startServer(null, port);
		await live(page);
		await page.locator('#alert').waitFor({ state: 'hidden' });
	}, { server: first, mayBeSaid: /ERR_CONNECTION_|ERR_EMPTY_RESPONSE/ });
	await second.stop();
});
