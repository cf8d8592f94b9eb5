// Charts of the last minutes (uPlot draws, the style sheet has the colours).
import uPlot from 'uplot';
import * as format from './format.js';
import { byId, make } from './dom.js';

const HEIGHT_PX = 170;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Steps that an axis may use.
const wholeSteps = Array.from({ length: 10 }, (_, i) => [1, 2, 5].map((step) => step * 10 ** i)).flat();
const binarySteps = Array.from({ length: 50 }, (_, i) => 2 ** i);

const CHARTS = [
	{ title: 'Operations per second', series: [['operations', 'all', '--line-1'], ['sets', 'sets', '--line-2']],
		show: format.axis, floor: 4, steps: wholeSteps },
	{ title: 'Hit rate', series: [['hitRate', 'hits', '--line-1']], range: [0, 1],
		show: (share) => `${Math.round(share * 100)} %` },
	{ title: 'Latency', series: [['p50', 'p50', '--line-1'], ['p99', 'p99', '--line-2']],
		show: format.latency, floor: 100 },
	{ title: 'Bytes used', series: [['bytes', 'bytes', '--line-1']], show: format.bytes, floor: 1024, steps: binarySteps },
];

export const CHART_SERIES = CHARTS.flatMap(({ series }) => series.map(([name]) => name));

function axisOf(extra) {
	return {
		stroke: () => colour('--muted'),
		grid: { stroke: () => colour('--grid'), width: 1 },
		ticks: { show: false },
		font: '11px system-ui, sans-serif',
		...extra,
	};
}

function options(chart, width, seconds) {
	const now = () => Date.now() / 1000;

	return {
		width,
		height: HEIGHT_PX,
		padding: [8, 8, 0, 0],
		legend: { show: false },
		cursor: { show: false },
		scales: {
			x: { range: () => [now() - seconds, now()] },
			y: { range: (_, low, high) => chart.range ?? [0, Math.max(chart.floor, (high ?? 0) * 1.15)] },
		},
		axes: [
			axisOf({ size: 26, space: 70, values: (_, at) => at.map((time) =>
				new Date(time * 1000).toLocaleTimeString('en-GB').slice(0, 5)), incrs: [60, 120] }),
			axisOf({ size: 66, space: 34, ...(chart.steps ? { incrs: chart.steps } : {}), values: (_, at) => at.map(chart.show) }),
		],
		series: [{}, ...chart.series.map(([, label, line]) => ({
			label,
			stroke: () => colour(line),
			width: 1.75,
			points: { show: (plot, at) => (plot.data[at].filter((value) => value !== null).length < 2) },
		}))],
	};
}

export class Charts {
	constructor(history) {
		this.history = history;
		this.plots = CHARTS.map((chart) => {
			const box = make('div', { class: 'plot', 'aria-hidden': 'true' });
			const legend = chart.series.length > 1 ? chart.series.map(([, label], i) =>
				make('span', { class: `legend line-${i + 1}` }, label)) : [];

			byId('charts').append(make('figure', { class: 'panel' },
				make('figcaption', {}, make('h2', {}, chart.title), ...legend), box));
			const plot = new uPlot(options(chart, this.widthOf(box), history.seconds), this.dataOf(chart), box);
			return { chart, box, plot };
		});
		new ResizeObserver(() => this.resize()).observe(byId('charts'));
	}

	widthOf(box) {
		return Math.max(200, Math.floor(box.getBoundingClientRect().width));
	}

	dataOf(chart) {
		return [this.history.times, ...chart.series.map(([name]) => this.history.series[name])];
	}

	resize() {
		for (const { box, plot } of this.plots) plot.setSize({ width: this.widthOf(box), height: HEIGHT_PX });
	}

	draw() {
		for (const { chart, plot } of this.plots) plot.setData(this.dataOf(chart));
	}
}
