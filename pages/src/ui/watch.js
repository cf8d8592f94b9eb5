// Follows what happens to the entries of a namespace: GET /watch/{ns}, Server-Sent Events. An
// EventSource could not send the token.
import { watchNamespace } from './api.js';

const RETRY_MIN_MS = 1000;
const RETRY_MAX_MS = 30000;
// The server gives a sign of life every 15 seconds.
const SILENCE_MS = 40000;

// Yields {type, id, data} of each event, and {type: ''} of a mere id.
async function* eventsOf(body) {
	const reader = body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = '';

	for (;;) {
		const { value, done } = await reader.read();

		if (done) return;
		const blocks = (rest + value).split('\n\n');
		rest = blocks.pop();
		for (const block of blocks) {
			const fields = Object.fromEntries(block.split('\n').map((line) => {
				const at = line.indexOf(': ');

				return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 2)];
			}));

			yield { type: fields.event ?? '', id: fields.id ?? '', data: fields.data ?? '' };
		}
	}
}

function pause(ms, signal) {
	return new Promise((resolve) => {
		const timer = setTimeout(resolve, ms);

		signal.addEventListener('abort', () => {
			clearTimeout(timer);
			resolve();
		}, { once: true });
	});
}

export class Watch {
	#abort = new AbortController();
	#onEvent;
	#onState;

	// `onEvent` gets {type, data}, data as text, and 'reset' whenever something may have been missed;
	// `onState` whether it follows now.
	constructor(onEvent, onState) {
		this.#onEvent = onEvent;
		this.#onState = onState;
	}

	start(ns, prefix) {
		this.stop();
		this.#abort = new AbortController();
		this.#follow(ns, prefix, this.#abort.signal);
	}

	stop() {
		this.#abort.abort();
		this.#onState(false);
	}

	async #follow(ns, prefix, signal) {
		let wait = RETRY_MIN_MS;
		let lastId = '';

		while (!signal.aborted) {
			const once = new AbortController();
			const end = () => once.abort();
			let silence = setTimeout(end, SILENCE_MS);

			signal.addEventListener('abort', end);
			try {
				const response = await watchNamespace(ns, prefix, lastId, once.signal);

				for await (const event of eventsOf(response.body)) {
					if (signal.aborted) return;
					clearTimeout(silence);
					silence = setTimeout(end, SILENCE_MS);
					if (event.id) lastId = event.id;
					if (event.type === 'ready') {
						wait = RETRY_MIN_MS;
						this.#onState(true);
						if (JSON.parse(event.data).resumed) continue;
						this.#onEvent({ type: 'reset', data: '' });
					} else if (event.type) {
						this.#onEvent(event);
					}
				}
			} catch {
				/* It tries again; until then the list is as it was loaded. */
			} finally {
				clearTimeout(silence);
				signal.removeEventListener('abort', end);
			}
			if (signal.aborted) return;
			this.#onState(false);
			await pause(wait, signal);
			wait = Math.min(2 * wait, RETRY_MAX_MS);
		}
	}
}
