// The list of a namespace's entries: by prefix, page by page.
import { clearNamespace, keyBytes, listEntries } from './api.js';
import * as format from './format.js';
import { announce, byId, confirmed, make, setText, showAlert } from './dom.js';
import { keyText, openEntry, startEntry } from './entry.js';
import { Watch } from './watch.js';

const PAGE_ENTRIES = 50;
// `cursors` leads to the current page, whose cursor is the last.
let view = null;
let asked = 0;
// Changes of what is shown lead to another load, up to four a second, and only while loads take a
// small part of the time.
const REFRESH_MS = 250;
const REFRESH_SHARE = 4;
const watch = new Watch(noteChange, showLive);
let refreshTimer = 0;
let earliestRefresh = 0;

function rowOf(ns, entry) {
	const open = make('button', { type: 'button', class: 'link key', onclick: () => openEntry(ns, entry) },
		keyText(entry) || '(the empty key)');

	return make('tr', {}, make('td', { class: 'key-cell' }, open),
		make('td', { class: 'num' }, format.bytes(entry.size)),
		make('td', { class: 'num' }, format.count(entry.frequency)),
		make('td', { title: format.moment(entry.last_access) }, format.since(entry.last_access)),
		make('td', { title: format.moment(entry.expires_at) },
			entry.expires_at === null ? 'never' : format.since(entry.expires_at)));
}

function showMessage(text) {
	setText(byId('entries-empty'), text);
	byId('entries-empty').hidden = text === '';
	byId('entries').hidden = text !== '';
}

// Where the focus is in the list, it stays on its key, or on its place if that is gone.
function showRows(ns, keys) {
	const body = byId('entries').tBodies[0];
	const focused = [...body.rows].findIndex((row) => row.contains(document.activeElement));
	const key = focused < 0 ? '' : JSON.stringify(keyBytes(view.keys[focused]));

	view.keys = keys;
	body.replaceChildren(...keys.map((entry) => rowOf(ns, entry)));
	if (focused < 0 || keys.length === 0) return;
	const at = keys.findIndex((entry) => JSON.stringify(keyBytes(entry)) === key);
	body.rows[at < 0 ? Math.min(focused, keys.length - 1) : at].querySelector('button').focus();
}

function showPage(page) {
	const { ns, prefix, cursors } = view;
	const first = (cursors.length - 1) * PAGE_ENTRIES;

	view.next = page.complete ? null : page.cursor;
	showRows(ns, page.keys);
	showMessage(page.keys.length > 0 ? '' :
		prefix ? `No key in ${ns} begins with “${prefix}”.` : `${ns} has no entries.`);
	byId('previous').disabled = cursors.length === 1;
	byId('next').disabled = view.next === null;
	const text = page.keys.length > 0 ?
		`${format.count(first + 1)} to ${format.count(first + page.keys.length)}` : '';
	setText(byId('page'), text);
	announce(text ? `Entries ${text}` : 'No entries');
}

// `isRefresh`: nobody asked for it, and what is shown stays usable.
async function load(isRefresh = false) {
	const number = ++asked;
	const began = performance.now();

	clearTimeout(refreshTimer);
	refreshTimer = 0;
	if (!isRefresh) {
		byId('previous').disabled = byId('next').disabled = true;
		byId('entries').setAttribute('aria-busy', 'true');
	}
	try {
		const page = await listEntries(view.ns, view.prefix, view.cursors.at(-1), PAGE_ENTRIES);

		if (number === asked) showPage(page);
	} catch (error) {
		if (number !== asked) return;
		setText(byId('page'), '');
		showMessage(error.status === 401 ? 'The token is missing.' : `Not loaded: ${error.message}`);
	} finally {
		const now = performance.now();

		earliestRefresh = now + Math.max(REFRESH_MS, REFRESH_SHARE * (now - began));
		if (number === asked) byId('entries').removeAttribute('aria-busy');
	}
}

// ---- What happens meanwhile ----

function showLive(isLive) {
	byId('entries-live').dataset.state = isLive ? 'live' : 'waiting';
	setText(byId('entries-live'), isLive ? 'live' : view ? 'not live' : '');
}

function compareBytes(a, b) {
	for (let i = 0; i < a.length && i < b.length; i++)
		if (a[i] !== b[i]) return a[i] - b[i];
	return a.length - b.length;
}

// Whether the key is, or belongs, on the page that is shown.
function isOnPage(entry) {
	const { keys, cursors, next } = view;
	const key = keyBytes(entry);

	if (keys.length === 0) return true;
	return (cursors.length === 1 || compareBytes(key, keyBytes(keys[0])) >= 0) &&
		(next === null || compareBytes(key, keyBytes(keys.at(-1))) <= 0);
}

function refresh() {
	refreshTimer = 0;
	// Where a dialog is open the list behind it stands still; its end comes here again.
	if (document.querySelector('dialog[open]')) refreshSoon();
	else if (view) load(true);
}

function refreshSoon() {
	if (refreshTimer === 0)
		refreshTimer = setTimeout(refresh, Math.max(REFRESH_MS, earliestRefresh - performance.now()));
}

function noteChange({ type, data }) {
	/* A load is due anyway. */
	if (refreshTimer !== 0 || !view) return;
	if (type === 'reset' || type === 'clear' || isOnPage(JSON.parse(data))) refreshSoon();
}

export function search() {
	const ns = byId('ns').value;
	const prefix = byId('prefix').value;

	if (!ns) return;
	view = { ns, prefix, cursors: [''], next: null, keys: [] };
	setText(byId('clear'), prefix ? 'Clear prefix…' : 'Clear namespace…');
	load();
	watch.start(ns, prefix);
}

export function hasView() {
	return view !== null;
}

export function openNamespace(name) {
	byId('ns').value = name;
	byId('prefix').value = '';
	search();
	byId('entries-title').scrollIntoView({ behavior: 'auto', block: 'start' });
	byId('prefix').focus({ preventScroll: true });
}

async function askAndClear() {
	const ns = byId('ns').value;
	const prefix = byId('prefix').value;

	if (!ns) return;
	const sure = await (prefix ?
		confirmed('Clear these entries?', `All entries of ${ns} whose keys begin with “${prefix}”.`, 'Clear prefix') :
		confirmed('Clear this namespace?', `All entries of ${ns}. Its limits stay.`, 'Clear namespace'));
	if (!sure) return;
	try {
		await clearNamespace(ns, prefix);
		showAlert('');
		announce('Cleared.');
	} catch (error) {
		showAlert(`Not cleared: ${error.message}`);
	}
	search();
}

function move(change) {
	change(view.cursors);
	load();
}

export function startBrowser() {
	byId('search').addEventListener('submit', (event) => {
		event.preventDefault();
		search();
	});
	byId('ns').addEventListener('change', search);
	byId('prefix').addEventListener('input', () =>
		setText(byId('clear'), byId('prefix').value ? 'Clear prefix…' : 'Clear namespace…'));
	byId('clear').addEventListener('click', askAndClear);
	byId('next').addEventListener('click', () => move((cursors) => cursors.push(view.next)));
	byId('previous').addEventListener('click', () => move((cursors) => cursors.pop()));
	startEntry(() => (view ? load() : undefined));
	// A hidden page follows nothing: browsers allow few connections to a server.
	document.addEventListener('visibilitychange', () => {
		if (document.hidden) watch.stop();
		else if (view) watch.start(view.ns, view.prefix);
	});
}
