// The table of namespaces, and the choice of one. Rows are kept and refilled, so that nothing jumps
// and the focus stays.
import * as format from './format.js';
import { byId, make, setText } from './dom.js';

const COLUMNS = [
	{ title: 'Namespace', value: (ns) => ns.name },
	{ title: 'Entries', value: (ns) => ns.entry_count, text: (ns) => format.count(ns.entry_count) },
	{ title: 'Bytes', value: (ns) => ns.used_bytes },
	{ title: 'Hit rate', value: (ns) => (ns.hits + ns.misses > 0 ? ns.hit_rate : -1),
		text: (ns) => format.percent(ns.hits + ns.misses > 0 ? ns.hit_rate : null) },
	{ title: 'Evictions', value: (ns) => ns.evictions, text: (ns) => format.count(ns.evictions) },
];

const rows = new Map();
let order = { column: 0, down: false };
let last = [];
let open = () => {};

function sortBy(column) {
	order = { column, down: order.column === column ? !order.down : column > 0 };
	draw();
}

function makeHead() {
	byId('namespaces').tHead.append(make('tr', {}, ...COLUMNS.map(({ title }, i) =>
		make('th', { scope: 'col', class: i > 0 && i !== 2 ? 'num' : '' },
			make('button', { type: 'button', class: 'sort', onclick: () => sortBy(i) }, title)))));
}

function makeRow(name) {
	const size = make('span', { class: 'amount' });
	const bar = make('progress', { max: '1', value: '0' });
	const choose = make('button', { type: 'button', class: 'link', title: 'Show its entries',
		onclick: () => open(name) }, name);
	const cells = COLUMNS.map((_, i) => make('td', { class: i > 0 && i !== 2 ? 'num' : '' }));

	cells[0].append(choose);
	cells[2].append(make('div', { class: 'fill' }, bar, size));
	const row = { element: make('tr', {}, ...cells), cells, size, bar };
	rows.set(name, row);
	return row;
}

function fillRow(ns) {
	const row = rows.get(ns.name) ?? makeRow(ns.name);
	const share = ns.max_size_bytes ? ns.used_bytes / ns.max_size_bytes : 0;

	COLUMNS.forEach(({ text }, i) => text && setText(row.cells[i], text(ns)));
	setText(row.size, ns.max_size_bytes ?
		`${format.bytes(ns.used_bytes)} of ${format.bytes(ns.max_size_bytes)}` : format.bytes(ns.used_bytes));
	row.bar.value = Math.min(1, share);
	row.bar.setAttribute('aria-label', `${format.percent(share)} of the limit`);
	row.bar.classList.toggle('full', share > 0.9);
	return row.element;
}

function compare(a, b) {
	const { value } = COLUMNS[order.column];
	const [x, y] = [value(a), value(b)];
	const sign = x < y ? -1 : x > y ? 1 : 0;

	return (order.down ? -sign : sign) || (a.name < b.name ? -1 : 1);
}

function draw() {
	const body = byId('namespaces').tBodies[0];

	[...byId('namespaces').tHead.rows[0].cells].forEach((cell, i) => cell.setAttribute('aria-sort',
		i !== order.column ? 'none' : order.down ? 'descending' : 'ascending'));
	[...last].sort(compare).map(fillRow).forEach((element, i) => {
		if (body.rows[i] !== element) body.insertBefore(element, body.rows[i] ?? null);
	});
	for (const [name, row] of rows)
		if (!last.some((ns) => ns.name === name)) {
			row.element.remove();
			rows.delete(name);
		}
}

function fillChoice(names) {
	const select = byId('ns');

	if (select.options.length > 0 && names.join('\n') === [...select.options].map((option) => option.value).join('\n')) return;
	const chosen = select.value;
	select.replaceChildren(...names.map((name) => make('option', { value: name }, name)));
	if (names.includes(chosen)) select.value = chosen;
	for (const control of byId('search').elements) control.disabled = names.length === 0;
}

// `onOpen(name)`: the user wants to see its entries.
export function startNamespaces(onOpen) {
	open = onOpen;
	makeHead();
}

export function showNamespaces(namespaces) {
	last = Object.entries(namespaces).map(([name, stats]) => ({ name, ...stats }));
	draw();
	fillChoice(last.map(({ name }) => name).sort());
	byId('namespaces').hidden = last.length === 0;
	byId('namespaces-empty').hidden = last.length > 0;
	setText(byId('namespaces-empty'), 'There is no namespace yet: the first entry makes one.');
}
