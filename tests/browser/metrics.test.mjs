// The dashboard's arithmetic, without a browser.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { difference, History, percentile } from '../../pages/src/ui/metrics.js';

const TOTALS = { hits: 0, misses: 0, sets: 0, deletes: 0, evictions: 0, expirations: 0 };
const UPPER = [100, 200, 400, null];

function stats(uptime, totals, count) {
	return { server: { uptime }, totals: { ...TOTALS, ...totals },
		...(count ? { requests: { histogram: { upper_us: UPPER, count } } } : {}) };
}

test('a percentile lies within its step', () => {
	assert.equal(percentile(UPPER, [0, 0, 0, 0], 0.5), null);
	assert.equal(percentile(UPPER, [10, 0, 0, 0], 0.5), 50);
	assert.equal(percentile(UPPER, [50, 50, 0, 0], 0.5), 100);
	assert.equal(percentile(UPPER, [0, 98, 2, 0], 0.99), 300);
	assert.equal(percentile(UPPER, [0, 0, 0, 5], 0.99), 400, 'the last step is told as its beginning');
});

test('the difference is of the interval alone', () => {
	const before = stats(10, { hits: 100, misses: 100 }, [1000, 0, 0, 0]);
	const now = stats(12, { hits: 130, misses: 110, sets: 4, evictions: 2 }, [1000, 0, 10, 0]);
	const sample = difference(before, now, 2);

	assert.equal(sample.operations, 22);
	assert.equal(sample.hitRate, 0.75);
	assert.equal(sample.evictions, 1);
	assert.equal(sample.p50, 300, 'what lies before the interval does not count');
});

test('what does not compare is left out', () => {
	assert.equal(difference(null, stats(1, {}), 1), null);
	assert.equal(difference(stats(10, {}), stats(1, {}), 1), null, 'the server began anew');
	assert.equal(difference(stats(1, { hits: 5 }), stats(2, { hits: 4 }), 1), null);
	const quiet = difference(stats(1, {}), stats(2, {}), 1);
	assert.deepEqual([quiet.hitRate, quiet.p50, quiet.p99], [null, null, null]);
});

test('the history forgets', () => {
	const history = new History(10, ['a']);

	for (let time = 0; time <= 20; time++) history.add(time, { a: time });
	history.add(21, null);
	assert.equal(history.times[0], 11);
	assert.equal(history.series.a.length, history.times.length);
	assert.equal(history.last('a'), null);
});
