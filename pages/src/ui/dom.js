// Elements. Text from the server becomes text nodes only.
export const byId = (id) => document.getElementById(id);

// make('td', {class: 'num'}, 'text', element...)
export function make(tag, attributes = {}, ...children) {
	const element = document.createElement(tag);

	for (const [name, value] of Object.entries(attributes)) {
		if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
		else if (value !== undefined) element.setAttribute(name, value);
	}
	element.append(...children);
	return element;
}

export function setText(element, text) {
	if (element.textContent !== text) element.textContent = text;
}

// An error stays until it is resolved; the same words are not repeated.
export function showAlert(text) {
	setText(byId('alert'), text);
	byId('alert').hidden = text === '';
}

// For screen readers only.
export function announce(text) {
	setText(byId('status'), text);
}

// Resolves to whether the user agreed.
export function confirmed(title, text, verb) {
	const dialog = byId('confirm-dialog');

	setText(byId('confirm-title'), title);
	setText(byId('confirm-text'), text);
	setText(byId('confirm-yes'), verb);
	dialog.returnValue = 'no';
	dialog.showModal();
	return new Promise((resolve) => {
		dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
	});
}
