// The dialog that shows one entry.
import { deleteEntry, readEntry } from './api.js';
import * as format from './format.js';
import { announce, byId, confirmed, make, setText } from './dom.js';
import { present } from './value.js';

const SHOWN_BYTES = 65536;
const dialog = byId('entry-dialog');
let current = null;
let onDeleted = () => {};

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
	return `${shown.kind === 'JSON' ? 'JSON, indented for reading.' : ''}${cut}`.trim();
}

export async function openEntry(ns, entry) {
	const mine = { ns, entry };

	current = mine;
	setText(byId('entry-key'), keyText(entry) || '(the empty key)');
	setText(byId('entry-value'), '');
	setText(byId('entry-note'), 'Loading…');
	showFacts(ns, entry, '');
	dialog.showModal();
	try {
		const value = await readEntry(ns, entry, SHOWN_BYTES);

		if (current !== mine) return; // another dialog was opened meanwhile
		const shown = present(value);
		showFacts(ns, { ...entry, size: value.size }, value.type);
		setText(byId('entry-value'), shown.text);
		setText(byId('entry-note'), noteOf(value, shown));
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
	dialog.addEventListener('close', () => { current = null; });
}
