// Makes python_printable.c, from the Unicode data of the npm packages @unicode/unicode-VERSION:
//
//	npm install --no-save @unicode/unicode-{13.0.0,14.0.0,15.0.0,15.1.0,16.0.0,17.0.0}
//	node pickle/python_printable.mjs >pickle/python_printable.c
//
// tests/pickle/test_python_text.py compares the result with Python itself.
const versions = ['13.0.0', '14.0.0', '15.0.0', '15.1.0', '16.0.0', '17.0.0'] // as enum python_release
const refused = ['Control', 'Format', 'Surrogate', 'Private_Use', 'Unassigned', 'Line_Separator',
	'Paragraph_Separator', 'Space_Separator']
const never = 15

// Index of the first version in which a character is printable.
const since = new Uint8Array(0x110000).fill(never)
for (let release = versions.length - 1; release >= 0; release--) {
	const printable = new Uint8Array(0x110000).fill(1)
	for (const category of refused) {
		const file = `@unicode/unicode-${versions[release]}/General_Category/${category}/code-points`
		const found = await import(`${file}.mjs`).catch(() => import(`${file}.js`))
		for (const codePoint of found.default)
			printable[codePoint] = 0
	}
	printable[0x20] = 1
	for (let codePoint = 0; codePoint < since.length; codePoint++) {
		if (!printable[codePoint])
			continue
		if (release + 1 < versions.length && since[codePoint] !== release + 1)
			throw new Error(`${codePoint.toString(16)} is no longer printable`)
		since[codePoint] = release
	}
}

const runs = []
for (let codePoint = 0; codePoint < since.length; codePoint++)
	if (codePoint === 0 || since[codePoint] !== since[codePoint - 1])
		runs.push(`0x${(codePoint * 16 + since[codePoint]).toString(16)},`)
const lines = []
for (let i = 0; i < runs.length; i += 9)
	lines.push('\t' + runs.slice(i, i + 9).join(' '))

process.stdout.write(`/* Made by python_printable.mjs. */
#include "pickle/python_printable.h"

#include <stddef.h>

/* Runs of characters, each up to the next: its first code point times 16, plus the release since
 * which it is printable, or ${never}. */
/* clang-format off */
static const uint32_t runs[] = {
${lines.join('\n')}
};
/* clang-format on */

bool python_printable(uint32_t code_point, enum python_release release)
{
	size_t low = 0, high = sizeof(runs) / sizeof(runs[0]);

	while (high - low > 1) { /* the run is in [low, high) */
		size_t middle = (low + high) / 2;

		if (runs[middle] >> 4 <= code_point)
			low = middle;
		else
			high = middle;
	}
	return (runs[low] & 15) <= (uint32_t)release;
}
`)
