// What happened between one answer of /stats and the next.

// The latency below which `share` of the requests of a histogram lie, in microseconds, linear
// within its step. The last step has no end, so its beginning is returned for it.
export function percentile(upperUs, counts, share) {
	const total = counts.reduce((sum, number) => sum + number, 0);
	let left = total * share;

	if (total === 0) return null;
	for (let i = 0; i < counts.length; i++) {
		const from = i > 0 ? upperUs[i - 1] : 0;

		if (counts[i] > 0 && left <= counts[i])
			return upperUs[i] === null ? from : from + (upperUs[i] - from) * (left / counts[i]);
		left -= counts[i];
	}
	return upperUs[upperUs.length - 2] ?? null;
}

const COUNTERS = ['hits', 'misses', 'sets', 'deletes', 'evictions', 'expirations'];

// A restarted server counts from zero.
function hasRestarted(before, now) {
	return now.server.uptime < before.server.uptime ||
		COUNTERS.some((name) => now.totals[name] < before.totals[name]);
}

function latencies(before, now) {
	const old = before.requests?.histogram;
	const young = now.requests?.histogram;

	if (!old || !young || old.count.length !== young.count.length) return { p50: null, p99: null };
	const counts = young.count.map((number, i) => Math.max(0, number - old.count[i]));
	return {
		p50: percentile(young.upper_us, counts, 0.5),
		p99: percentile(young.upper_us, counts, 0.99),
	};
}

// `seconds` lie between the two. Null: they cannot be compared.
export function difference(before, now, seconds) {
	if (!before || seconds <= 0 || hasRestarted(before, now)) return null;
	const per = Object.fromEntries(COUNTERS.map((name) =>
		[name, (now.totals[name] - before.totals[name]) / seconds]));
	const reads = per.hits + per.misses;

	return {
		...per,
		operations: reads + per.sets + per.deletes,
		hitRate: reads > 0 ? per.hits / reads : null,
		...latencies(before, now),
	};
}

// The last `seconds` of a number of series, at most one sample a second.
export class History {
	constructor(seconds, names) {
		this.seconds = seconds;
		this.times = [];
		this.series = Object.fromEntries(names.map((name) => [name, []]));
	}

	add(time, sample) {
		this.times.push(time);
		for (const name in this.series) this.series[name].push(sample?.[name] ?? null);
		while (this.times[0] < time - this.seconds) {
			this.times.shift();
			for (const name in this.series) this.series[name].shift();
		}
	}

	last(name) {
		return this.series[name].at(-1) ?? null;
	}
}
