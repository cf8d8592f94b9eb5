// What the dashboard shows of SteadyText's values: pickles, in base64 as its D1 client stores them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openPage, shoot, startBrowser, startServer, textOf } from './support.mjs';

// What Chromium itself writes to the console of an answer that the page shows.
const EXPECTED = /status of 422|ERR_FAILED/;
const HAIKU = 'Crisp leaves spiral down,\nthe maple lets go of light.';
let browser, server, wide;

// The pickle of a text, as bytes.
function pickled(text) {
	const bytes = Buffer.from(text);
	const head = Buffer.from([0x80, 4, 0x58, 0, 0, 0, 0]);

	head.writeUInt32LE(bytes.length, 3);
	return Buffer.concat([head, bytes, Buffer.from('.')]);
}
const stored = (bytes) => bytes.toString('base64');

const entries = {
	haiku: stored(pickled(HAIKU)),
	other: stored(pickled('another')),
	plain: 'no pickle',
	evil: stored(pickled('<img src=x onerror="window.ran=1"> \u202egnp.exe \x1b[31m')),
	bytes: pickled('raw'),
	zero: stored(Buffer.from('(lp0\nVword\np1\naI7\na.')), // of protocol 0
	json: '{"n":12345678901234567890}',
	long: stored(pickled('word '.repeat(40000))),
	longer: stored(pickled('x'.repeat(2000000))),
	broken: stored(pickled('abc').subarray(0, 8)),
};

async function openEntries(options) {
	const opened = await openPage(browser, server, options, EXPECTED);

	await opened.page.goto(`${server.url}/ui`);
	await opened.page.getByRole('button', { name: 'gen', exact: true }).click();
	return opened;
}

before(async () => {
	[browser, server] = await Promise.all([startBrowser(), startServer()]);
	for (const [key, value] of Object.entries(entries))
		await server.call('PUT', `/cache/gen/${key}`, value, { 'Content-Type': 'text/plain' });
	wide = await openEntries();
});
after(() => Promise.all([browser?.close(), server?.stop()]));

async function openEntry(page, key, expected) {
	await page.getByRole('button', { name: key, exact: true }).click();
	await textOf(page, '#entry-value', expected);
}
const close = (page) => page.keyboard.press('Escape');
const noteOf = (page) => page.locator('#entry-note').textContent();
const hasSwitch = (page) => page.getByRole('group', { name: 'How the value is shown' }).isVisible();

test('a generated text is shown as itself, and as stored at a key press', async () => {
	const { page } = wide;

	await openEntry(page, 'haiku', /^Crisp/);
	assert.equal(await page.locator('#entry-value').textContent(), HAIKU);
	assert.equal(await page.locator('#entry-type').textContent(), 'str');
	assert.match(await noteOf(page), /A pickle of 61 bytes/);
	await shoot(page, 'ui-pickle');
	await page.getByRole('radio', { name: 'Readable' }).focus();
	await page.keyboard.press('ArrowRight');
	await textOf(page, '#entry-value', /^gARY/);
	assert.equal(await page.locator('#entry-value').textContent(), entries.haiku);
	await close(page);

	// The choice holds for the entries that follow.
	await openEntry(page, 'other', /^gARY/);
	await page.getByText('Readable', { exact: true }).click();
	await textOf(page, '#entry-value', /^another$/);
	await close(page);
	await openEntry(page, 'plain', /^no pickle$/);
	assert.equal(await hasSwitch(page), false);
	await close(page);
});

test('values of all kinds, and nothing that a value does to the page or to its reader', async () => {
	const { page } = wide;

	for (const [key, text, type] of [['bytes', /^raw$/, 'str'], ['zero', /^\['word', 7\]$/, 'list'],
		['json', /^{\n {2}"n": 12345678901234567890\n}$/, 'JSON'], ['long', /^(word ){40000}$/, 'str'],
		['evil', /^<img src=x onerror="window.ran=1"> \\u202egnp.exe \\x1b\[31m$/, 'str']]) {
		await openEntry(page, key, text);
		assert.equal(await page.locator('#entry-type').textContent(), type);
		assert.equal(await page.locator('#entry-value').evaluate((pre) => pre.children.length), 0);
		await close(page);
	}
	assert.equal(await page.evaluate(() => window.ran), undefined);
});

test('what cannot be shown readable is shown as stored, with the reason', async () => {
	const { page, offences } = wide;

	for (const [key, reason] of [['longer', /steadycache get --pickle.*first 65,536 of 2,666,680 bytes/],
		['broken', /Not shown readable: .*at byte \d+ of the pickle/], ['other', /Not shown readable: The server cannot/]]) {
		if (key === 'other') await page.route('**/pickle', (route) => route.abort());
		await openEntry(page, key, /^gARY/);
		assert.match(await noteOf(page), reason);
		assert.equal(await hasSwitch(page), false);
		await close(page);
	}
	assert.deepEqual(offences, []);
});

test('it fits a narrow screen in the dark, and the switch can be touched', async () => {
	const { page, offences } = await openEntries({ viewport: { width: 390, height: 844 }, colorScheme: 'dark',
		hasTouch: true, isMobile: true });

	await openEntry(page, 'haiku', /^Crisp/);
	await shoot(page, 'ui-pickle-narrow');
	const box = await page.locator('#entry-dialog').boundingBox();
	assert.ok(box.x >= 0 && box.x + box.width <= 390, JSON.stringify(box));
	const label = await page.getByText('As stored', { exact: true }).boundingBox();
	assert.ok(label.height >= 36, JSON.stringify(label));
	await page.getByText('As stored', { exact: true }).tap();
	await textOf(page, '#entry-value', /^gARY/);
	assert.deepEqual(offences, []);
});
