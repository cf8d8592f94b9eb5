// /ui: what the server does now, and what it holds. All data come from the public API.
import 'uplot/dist/uPlot.min.css';
import './ui.css';
import { getStats, hasToken, whenUnauthorized } from './api.js';
import { hasView, openNamespace, search, startBrowser } from './browser.js';
import { CHART_SERIES, Charts } from './charts.js';
import { byId, setText, showAlert } from './dom.js';
import { difference, History } from './metrics.js';
import { showNamespaces, startNamespaces } from './namespaces.js';
import { startTheme } from './theme.js';
import { showServer, showTiles, startTiles } from './tiles.js';
import { askForToken, startToken } from './token.js';

const POLL_MS = 1000;
const HISTORY_S = 300;

const history = new History(HISTORY_S, CHART_SERIES);
let charts = null;
let before = null; // {stats, at}
let timer = 0;
let polling = false;
let isDown = false;

function showState(state, text) {
	byId('state').dataset.state = state;
	setText(byId('state'), text);
}

function show(stats, at) {
	const sample = before ? difference(before.stats, stats, (at - before.at) / 1000) : null;

	before = { stats, at };
	history.add(Date.now() / 1000, { ...sample, bytes: stats.totals.used_bytes });
	showState('live', 'live');
	showServer(stats);
	showTiles(stats, sample);
	showNamespaces(stats.namespaces);
	byId('sign-out').hidden = !hasToken();
	charts.draw();
	if (!hasView()) search();
}

function showFailure(error) {
	isDown = error.status !== 401;
	if (error.status === 401) {
		showState('waiting', 'token wanted');
		showAlert('');
		return;
	}
	showState('down', error.status === 0 ? 'unreachable' : `error ${error.status}`);
	showAlert(`${error.message} Trying again each second.`);
	history.add(Date.now() / 1000, null);
	charts.draw();
}

async function poll() {
	if (polling || document.hidden || byId('token-dialog').open) return;
	polling = true;
	clearTimeout(timer);
	try {
		const stats = await getStats();

		show(stats, performance.now());
		if (isDown) showAlert('');
		isDown = false;
	} catch (error) {
		showFailure(error);
	}
	polling = false;
	// A hidden page polls nothing; it starts again when it becomes visible.
	if (!document.hidden) timer = setTimeout(poll, POLL_MS);
}

startTheme(() => charts?.draw());
startTiles();
startNamespaces(openNamespace);
startBrowser();
charts = new Charts(history);
whenUnauthorized(askForToken);
startToken(() => {
	search();
	poll();
}, () => location.reload());
document.addEventListener('visibilitychange', () => {
	before = null; // changes while hidden are not a current rate
	clearTimeout(timer);
	poll();
});
poll();
