// Numbers and times for people, independent of the browser's language: the page is English.
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export const NONE = '–';

export const count = (number) => whole.format(number);

export function rate(number) {
	if (number === null) return NONE;
	return number < 10 && number > 0 ? tenths.format(number) : whole.format(number);
}

export const axis = (number) => short.format(number);

export function bytes(number) {
	const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
	let step = 0;

	while (number >= 1024 && step < units.length - 1) {
		number /= 1024;
		step++;
	}
	return `${step > 0 && number < 100 ? tenths.format(number) : whole.format(number)} ${units[step]}`;
}

export const percent = (share) => (share === null ? NONE : `${tenths.format(share * 100)} %`);

export function latency(us) {
	if (us === null) return NONE;
	if (us < 1000) return `${whole.format(us)} µs`;
	if (us < 1e6) return `${tenths.format(us / 1000)} ms`;
	return `${tenths.format(us / 1e6)} s`;
}

export function duration(seconds) {
	const parts = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
	const at = parts.findIndex(([size]) => seconds >= size);

	if (at < 0) return '0 s';
	return parts.slice(at, at + 2).map(([size], i) => {
		const number = Math.floor((i ? seconds % parts[at][0] : seconds) / size);
		return i && !number ? '' : `${number} ${parts[at + i][1]}`;
	}).join(' ').trim();
}

// A time of the API: RFC 3339 text, seconds since 1970, or null.
export function asDate(time) {
	if (time === null || time === undefined) return null;
	const date = new Date(typeof time === 'number' ? time * 1000 : time);
	return Number.isNaN(date.getTime()) ? null : date;
}

export function since(time) {
	const date = asDate(time);

	if (!date) return NONE;
	const seconds = Math.round((Date.now() - date.getTime()) / 1000);
	if (Math.abs(seconds) < 1) return 'now';
	return seconds > 0 ? `${duration(seconds)} ago` : `in ${duration(-seconds)}`;
}

export function moment(time) {
	const date = asDate(time);

	return date ? date.toISOString().replace('T', ' ').replace(/\.\d+Z/, ' UTC') : 'never';
}
