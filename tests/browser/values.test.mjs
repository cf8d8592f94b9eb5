// What the dashboard shows of SteadyText's values: pickles, in base64 as its D1 client stores them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openPage, shoot, startBrowser, startServer, textOf } from './support.mjs';

let browser, server;

before(async () => {
	[browser, server] = await Promise.all([startBrowser(), startServer()]);
});
after(() => Promise.all([browser?.close(), server?.stop()]));

// The pickle of a text, as bytes.
function pickled(text) {
	const bytes = Buffer.from(text);
	const head = Buffer.from([0x80, 4, 0x58, 0, 0, 0, 0]);

	head.writeUInt32LE(bytes.length, 3);
	return Buffer.concat([head, bytes, Buffer.from('.')]);
}
const stored = (bytes) => bytes.toString('base64');

const put = (key, value) => server.call('PUT', `/cache/gen/${key}`, value, { 'Content-Type': 'text/plain' });

async function onEntries(work, { options, mayBeSaid, prepare } = {}) {
	const { page, offences, close } = await openPage(browser, server, options, mayBeSaid);

	await prepare?.(page);
	await page.goto(`${server.url}/ui`);
	await page.getByRole('button', { name: 'gen', exact: true }).click();
	await work(page);
	assert.deepEqual(offences, []);
	await close();
}

async function openEntry(page, key, expected) {
	await page.getByRole('button', { name: key, exact: true }).click();
	await textOf(page, '#entry-value', expected);
}
const noteOf = (page) => page.locator('#entry-note').textContent();
const switchOf = (page) => page.getByRole('group', { name: 'How the value is shown' });

test('a generated text is shown as itself, and as stored at a key press', async () => {
	const text = 'Crisp leaves spiral down,\nthe maple lets go of light.';

	await put('haiku', stored(pickled(text)));
	await put('other', stored(pickled('another')));
	await put('plain', 'no pickle');
	await onEntries(async (page) => {
		await openEntry(page, 'haiku', /^Crisp/);
		assert.equal(await page.locator('#entry-value').textContent(), text);
		assert.equal(await page.locator('#entry-type').textContent(), 'str');
		assert.match(await noteOf(page), /A pickle of 61 bytes/);
		await shoot(page, 'ui-pickle');
		await page.getByRole('radio', { name: 'Readable' }).focus();
		await page.keyboard.press('ArrowRight');
		await textOf(page, '#entry-value', /^gARY/);
		assert.equal(await page.locator('#entry-value').textContent(), stored(pickled(text)));
		await page.keyboard.press('Escape');

		// The choice holds for the entries that follow.
		await openEntry(page, 'other', /^gARY/);
		await page.getByText('Readable', { exact: true }).click();
		await textOf(page, '#entry-value', /^another$/);
		await page.keyboard.press('Escape');
		await openEntry(page, 'plain', /^no pickle$/);
		assert.equal(await switchOf(page).isVisible(), false);
	});
});

test('values of all kinds, and nothing that a value does to the page or to its reader', async () => {
	await put('evil', stored(pickled('<img src=x onerror="window.ran=1"> \u202egnp.exe \x1b[31m')));
	await put('bytes', pickled('raw'));
	await put('zero', stored(Buffer.from('(lp0\nVword\np1\naI7\na.')));
	await put('json', '{"n":12345678901234567890}');
	await put('long', stored(pickled('word '.repeat(40000))));
	await put('longer', stored(pickled('x'.repeat(2000000))));
	await onEntries(async (page) => {
		for (const [key, text, type] of [['bytes', /^raw$/, 'str'], ['zero', /^\['word', 7\]$/, 'list'],
			['json', /^{\n {2}"n": 12345678901234567890\n}$/, 'JSON'], ['long', /^(word ){40000}$/, 'str'],
			['evil', /^<img src=x onerror="window.ran=1"> \\u202egnp.exe \\x1b\[31m$/, 'str']]) {
			await openEntry(page, key, text);
			assert.equal(await page.locator('#entry-type').textContent(), type);
			assert.equal(await page.locator('#entry-value').evaluate((pre) => pre.children.length), 0);
			await page.keyboard.press('Escape');
		}
		assert.equal(await page.evaluate(() => window.ran), undefined);
		// A long one is read as a whole, a very long one is not.
		await openEntry(page, 'longer', /^gARY/);
		assert.match(await noteOf(page), /steadycache get --pickle.*first 65,536 of 2,666,680 bytes/);
		assert.equal(await switchOf(page).isVisible(), false);
	});
});

test('what cannot be shown readable is shown as stored, with the reason', async () => {
	await put('broken', stored(pickled('abc').subarray(0, 8)));
	await onEntries(async (page) => {
		await openEntry(page, 'broken', /^gARY/);
		assert.match(await noteOf(page), /Not shown readable: .*at byte \d+ of the pickle/);
		assert.equal(await switchOf(page).isVisible(), false);
	}, { mayBeSaid: /status of 422/ });
	await onEntries(async (page) => {
		await openEntry(page, 'other', /^gARY/);
		assert.match(await noteOf(page), /Not shown readable: The server cannot be reached/);
	}, { mayBeSaid: /ERR_FAILED/, prepare: (page) => page.route('**/pickle', (route) => route.abort()) });
});

test('it fits a narrow screen in the dark, and the switch can be touched', () => onEntries(async (page) => {
	await openEntry(page, 'haiku', /^Crisp/);
	await shoot(page, 'ui-pickle-narrow');
	const box = await page.locator('#entry-dialog').boundingBox();
	assert.ok(box.x >= 0 && box.x + box.width <= 390, JSON.stringify(box));
	const label = await page.getByText('As stored', { exact: true }).boundingBox();
	assert.ok(label.height >= 36, JSON.stringify(label));
	await page.getByText('As stored', { exact: true }).tap();
	await textOf(page, '#entry-value', /^gARY/);
}, { options: { viewport: { width: 390, height: 844 }, colorScheme: 'dark', hasTouch: true, isMobile: true } }));
