// The dialog that shows one entry.
import { deleteEntry, readEntry, showPickle } from './api.js';
import * as format from './format.js';
import { announce, byId, confirmed, make, setText } from './dom.js';
import { guessPickle, present, presentJson } from './value.js';

const SHOWN_BYTES = 65536;
const PICKLE_BYTES = 2 ** 21; // what is read and sent as a whole to be shown
const dialog = byId('entry-dialog');
let current = null;
let onDeleted = () => {};
let wantsStored = false; // the user's choice, for the entries that follow too

export const keyText = (entry) => entry.key ?? `(base64) ${entry.key_base64}`;

function showFacts(ns, entry, type) {
	const facts = [
		['Namespace', ns], ['Size', `${format.count(entry.size)} B`], ['Content type', type || format.NONE],
		['Uses', format.count(entry.frequency)], ['Created', format.moment(entry.created_at)],
		['Last use', format.moment(entry.last_access)], ['Expires', format.moment(entry.expires_at)],
		['ETag', entry.etag],
	];

	byId('entry-facts').replaceChildren(...facts.map(([name, value]) =>
		make('div', {}, make('dt', {}, name), make('dd', {}, value))));
}

function noteOf(value, shown) {
	const cut = shown.shown < value.size ?
		` The first ${format.count(shown.shown)} of ${format.count(value.size)} bytes are shown.` : '';

	if (value.size === 0) return 'The value is empty.';
	if (shown.kind === 'bytes') return `Not text: shown in hexadecimal.${cut}`;
	return cut.trim();
}

// What a pickle is, as {type, text, note}; null for what is none, {note} if it cannot be told.
async function readPickle(ns, entry, start) {
	const guess = guessPickle(start);

	if (guess === 'no') return null;
	if (start.size > PICKLE_BYTES)
		return { note: 'Too long to be shown readable here: “steadycache get --pickle” shows it.' };
	try {
		const value = start.bytes.length < start.size ? await readEntry(ns, entry, PICKLE_BYTES) : start;
		const shown = await showPickle(value.bytes);
		const left = shown.cut ? ' Not all of it is shown.' : '';

		return { type: shown.type, text: shown.text, note: `A pickle of ${format.count(shown.bytes)} bytes.${left}` };
	} catch (error) {
		return guess === 'surely' ? { note: `Not shown readable: ${error.message}` } : null;
	}
}

async function readReadable(ns, entry, value) {
	const json = presentJson(value);

	return json === null ? readPickle(ns, entry, value) : { type: 'JSON', text: json, note: 'Indented for reading.' };
}

function showView() {
	const { stored, readable } = current;
	const isReadable = readable?.text !== undefined;
	const view = isReadable && !wantsStored ? readable : stored;

	byId('entry-views').hidden = !isReadable;
	setText(byId('entry-type'), readable?.type ?? '');
	byId(wantsStored ? 'entry-stored' : 'entry-readable').checked = true;
	setText(byId('entry-value'), view.text);
	byId('entry-value').scrollTop = 0;
	setText(byId('entry-note'), isReadable ? view.note || 'The bytes as they are.' : `${readable?.note ?? ''} ${stored.note}`.trim());
}

export async function openEntry(ns, entry) {
	const mine = { ns, entry };

	current = mine;
	setText(byId('entry-key'), keyText(entry) || '(the empty key)');
	setText(byId('entry-value'), '');
	setText(byId('entry-note'), 'Loading…');
	byId('entry-views').hidden = true;
	showFacts(ns, entry, '');
	dialog.showModal();
	try {
		const value = await readEntry(ns, entry, SHOWN_BYTES);

		if (current !== mine) return; // another dialog was opened meanwhile
		showFacts(ns, { ...entry, size: value.size }, value.type);
		const shown = present(value);
		const readable = await readReadable(ns, entry, value);
		if (current !== mine) return;
		Object.assign(mine, { readable, stored: { text: shown.text, note: noteOf(value, shown) } });
		showView();
	} catch (error) {
		if (current !== mine) return;
		setText(byId('entry-note'), error.status === 404 ? 'The entry is gone.' : error.message);
	}
}

async function askAndDelete() {
	const { ns, entry } = current;

	if (!(await confirmed('Delete this entry?', `“${keyText(entry)}” in ${ns}.`, 'Delete'))) return;
	try {
		await deleteEntry(ns, entry);
	} catch (error) {
		if (error.status !== 404) {
			setText(byId('entry-note'), error.message);
			return;
		}
	}
	dialog.close();
	announce('The entry is deleted.');
	onDeleted();
}

export function startEntry(callback) {
	onDeleted = callback;
	byId('entry-close').addEventListener('click', () => dialog.close());
	byId('entry-delete').addEventListener('click', askAndDelete);
	byId('entry-views').addEventListener('change', () => {
		wantsStored = byId('entry-stored').checked;
		showView();
	});
	dialog.addEventListener('close', () => { current = null; });
}
