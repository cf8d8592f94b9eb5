// Light, dark, or as the system is set. The browser stores the choice; it is no secret.
import { byId, setText } from './dom.js';

const ITEM = 'steadycache-colours';
const CHOICES = ['auto', 'light', 'dark'];

export function startTheme(onChange) {
	const stored = localStorage.getItem(ITEM);
	let choice = CHOICES.includes(stored) ? stored : 'auto';

	function apply() {
		if (choice === 'auto') delete document.documentElement.dataset.theme;
		else document.documentElement.dataset.theme = choice;
		setText(byId('theme'), `Colours: ${choice}`);
		byId('theme').setAttribute('aria-label', `Colours: ${choice}; change`);
		onChange();
	}

	byId('theme').addEventListener('click', () => {
		choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length];
		localStorage.setItem(ITEM, choice);
		apply();
	});
	matchMedia('(prefers-color-scheme: dark)').addEventListener('change', onChange);
	apply();
}
