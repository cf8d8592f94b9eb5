// The row of numbers at the top.
import * as format from './format.js';
import { byId, make, setText } from './dom.js';

const TILES = [
	['hit-rate', 'Hit rate'], ['operations', 'Operations/s'], ['p50', 'Latency p50'],
	['p99', 'Latency p99'], ['bytes', 'Bytes used'], ['evictions', 'Evictions'],
];
const shown = new Map();

export function startTiles() {
	for (const [name, title] of TILES) {
		const value = make('strong', { id: `tile-${name}` }, format.NONE);
		const note = make('span', { id: `tile-${name}-note`, class: 'note' }, '\u00a0');

		shown.set(name, { value, note });
		byId('tiles').append(make('div', { class: 'tile' }, make('span', { class: 'label' }, title), value, note));
	}
}

function set(name, value, note) {
	setText(shown.get(name).value, value);
	setText(shown.get(name).note, note || '\u00a0');
}

// `sample` (metrics.js) may be null: then only totals are known.
export function showTiles(stats, sample) {
	const { totals } = stats;
	const limit = Object.values(stats.namespaces).reduce((sum, ns) => sum + ns.max_size_bytes, 0);
	const reads = totals.hits + totals.misses;
	const since = (text) => (stats.requests ? `since the start ${text}` : 'not measured');
	const total = stats.requests?.latency_us;

	set('hit-rate', format.percent(sample?.hitRate ?? (reads > 0 ? totals.hit_rate : null)),
		reads > 0 ? `since the start ${format.percent(totals.hit_rate)}` : 'no reads yet');
	set('operations', format.rate(sample?.operations ?? null),
		`${format.count(reads + totals.sets + totals.deletes)} in all`);
	set('p50', format.latency(sample?.p50 ?? total?.p50 ?? null), since(format.latency(total?.p50 ?? null)));
	set('p99', format.latency(sample?.p99 ?? total?.p99 ?? null), since(format.latency(total?.p99 ?? null)));
	set('bytes', format.bytes(totals.used_bytes),
		limit ? `of ${format.bytes(limit)} in all limits` : `${format.count(totals.entry_count)} entries`);
	set('evictions', format.count(totals.evictions),
		sample ? `${format.rate(sample.evictions)} a second` : '');
}

export function showServer(stats) {
	const { version, uptime, backend, connections } = stats.server;
	const facts = [`version ${version}`, `${backend}`, `up ${format.duration(uptime)}`];

	if (connections !== undefined)
		facts.push(`${format.count(connections)} connection${connections === 1 ? '' : 's'}`);
	setText(byId('server-facts'), facts.join(' · '));
}
