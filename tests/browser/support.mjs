// A server on a free port with its own folder, a browser with a new profile, and pages that record
// what must not happen.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const BROWSER_FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
	'--disable-background-networking', '--disable-component-update', '--disable-sync'];
const WAIT_MS = 30000;

// Returns {url, call(method, path, body, headers), stop()}; `key` may be null. With `port` the
// server restarts at the same address.
export async function startServer(key = null, port = 0) {
	const folder = await mkdtemp(path.join(tmpdir(), 'steadycache-browser-'));
	const env = { PATH: process.env.PATH, STEADYCACHE_LISTEN: `127.0.0.1:${port}`,
		STEADYCACHE_BACKEND: 'memory', STEADYCACHE_DATA_DIR: folder };
	if (key) env.STEADYCACHE_API_KEY = key;
	const child = spawn(process.env.STEADYCACHE_TEST_BINARY, ['serve'], { env, stdio: ['ignore', 'ignore', 'pipe'] });
	const ended = once(child, 'exit');
	const url = await new Promise((resolve, reject) => {
		let log = '';

		createInterface({ input: child.stderr }).on('line', (line) => {
			const found = /127\.0\.0\.1:[1-9]\d*/.exec(line);

			log += `${line}\n`;
			if (found) resolve(`http://${found[0]}`);
		}).on('close', () => reject(new Error(`the server ended:\n${log}`)));
	});

	async function call(method, target, body, headers = {}) {
		const response = await fetch(url + target, { method, body,
			headers: { ...(key ? { Authorization: `Bearer ${key}` } : {}), ...headers } });

		assert.ok(response.ok || response.status === 404, `${method} ${target}: ${response.status}`);
		return response;
	}
	async function stop() {
		child.kill();
		await ended;
		await rm(folder, { recursive: true, force: true });
	}
	return { url, call, stop };
}

// A separate connection to a server; resolves once it is connected.
export async function openSocket(server) {
	const { hostname, port } = new URL(server.url);
	const socket = connect(Number(port), hostname);

	await once(socket, 'connect');
	return socket;
}

// With additional flags.
export function startBrowser(flags = []) {
	return chromium.launch({ executablePath: process.env.STEADYCACHE_BROWSER, args: [...BROWSER_FLAGS, ...flags] });
}

// Opens a page in its own profile. `offences` is everything that it should not have said or asked
// for: messages on the console, exceptions, dialogs, requests elsewhere. Messages that `mayBeSaid`
// matches do not count.
export async function openPage(browser, server, options = {}, mayBeSaid = /^$/) {
	const context = await browser.newContext(options);
	const page = await context.newPage();
	const offences = [];

	page.setDefaultTimeout(WAIT_MS);
	page.on('console', (message) => {
		if (['error', 'warning'].includes(message.type()) && !mayBeSaid.test(message.text()))
			offences.push(`console: ${message.text()}`);
	});
	page.on('pageerror', (error) => offences.push(`exception: ${error.message}`));
	page.on('dialog', (dialog) => {
		offences.push(`dialog: ${dialog.message()}`);
		dialog.dismiss();
	});
	page.on('request', (request) => {
		if (!/^(data|blob):/.test(request.url()) && new URL(request.url()).origin !== server.url)
			offences.push(`request: ${request.url()}`);
	});
	return { page, offences, close: () => context.close() };
}

export function textOf(page, selector, expected) {
	return page.waitForFunction(([where, pattern]) =>
		new RegExp(pattern).test(document.querySelector(where)?.textContent ?? ''), [selector, expected.source]);
}

// Screenshots for people; only if STEADYCACHE_SHOTS names a folder.
export async function shoot(page, name) {
	if (process.env.STEADYCACHE_SHOTS)
		await page.screenshot({ path: path.join(process.env.STEADYCACHE_SHOTS, `${name}.png`), fullPage: true });
}
