// Asks for the token once the server does, until the server accepts one.
import { getStats, hasToken, setToken } from './api.js';
import { byId, setText } from './dom.js';

const dialog = byId('token-dialog');

export function askForToken() {
	if (dialog.open) return;
	setText(byId('token-error'), hasToken() ? 'The server does not take the token of before.' : '');
	byId('token').value = '';
	dialog.showModal();
}

async function tryToken(event) {
	const text = byId('token').value.trim();

	event.preventDefault();
	if (!/^[\x21-\x7e]+$/.test(text)) {
		setText(byId('token-error'), 'A token is of letters, digits and signs, without spaces.');
		return;
	}
	setToken(text);
	try {
		await getStats();
	} catch (error) {
		if (error.status === 0) {
			setText(byId('token-error'), error.message);
		} else {
			setToken(null);
			setText(byId('token-error'), error.status === 401 ? 'The server does not take this token.' : error.message);
		}
		byId('token').select();
		return;
	}
	dialog.close();
}

export function startToken(onClosed, onForgotten) {
	byId('token-form').addEventListener('submit', tryToken);
	// There is nothing to go back to without a token. If a browser closes the dialog all the
	// same, the server's next answer opens it again.
	dialog.addEventListener('cancel', (event) => event.preventDefault());
	dialog.addEventListener('close', onClosed);
	byId('sign-out').addEventListener('click', () => {
		setToken(null);
		onForgotten();
	});
}
