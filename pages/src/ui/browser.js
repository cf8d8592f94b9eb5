// The list of a namespace's entries: by prefix, page by page.
import { clearNamespace, listEntries } from './api.js';
import * as format from './format.js';
import { announce, byId, confirmed, make, setText, showAlert } from './dom.js';
import { keyText, openEntry, startEntry } from './entry.js';

const PAGE_ENTRIES = 50;
// `cursors` leads to the current page, whose cursor is the last.
let view = null;
let asked = 0;

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

function showPage(page) {
	const { ns, prefix, cursors } = view;
	const first = (cursors.length - 1) * PAGE_ENTRIES;

	view.next = page.complete ? null : page.cursor;
	byId('entries').tBodies[0].replaceChildren(...page.keys.map((entry) => rowOf(ns, entry)));
	showMessage(page.keys.length > 0 ? '' :
		prefix ? `No key in ${ns} begins with “${prefix}”.` : `${ns} has no entries.`);
	byId('previous').disabled = cursors.length === 1;
	byId('next').disabled = view.next === null;
	const text = page.keys.length > 0 ?
		`${format.count(first + 1)} to ${format.count(first + page.keys.length)}` : '';
	setText(byId('page'), text);
	announce(text ? `Entries ${text}` : 'No entries');
}

async function load() {
	const number = ++asked;

	byId('previous').disabled = byId('next').disabled = true;
	byId('entries').setAttribute('aria-busy', 'true');
	try {
		const page = await listEntries(view.ns, view.prefix, view.cursors.at(-1), PAGE_ENTRIES);

		if (number === asked) showPage(page);
	} catch (error) {
		if (number !== asked) return;
		setText(byId('page'), '');
		showMessage(error.status === 401 ? 'The token is missing.' : `Not loaded: ${error.message}`);
	} finally {
		if (number === asked) byId('entries').removeAttribute('aria-busy');
	}
}

export function search() {
	const ns = byId('ns').value;
	const prefix = byId('prefix').value;

	if (!ns) return;
	view = { ns, prefix, cursors: [''], next: null };
	setText(byId('clear'), prefix ? 'Clear prefix…' : 'Clear namespace…');
	load();
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
}
