// Bundles the pages and writes the C file that embeds them into the program:
//
//   node build.mjs OUTPUT_FOLDER
//
// creates OUTPUT_FOLDER/page_files.c (the table of handlers/pages/page_files.h) and, for .incbin,
// the files beside it. Assets have a hash of their content in their names; the HTML has those names
// in place of {{script}}, {{style}}, {{icon}} and {{licences}}.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import * as esbuild from 'esbuild';

const types = {
	'.html': 'text/html; charset=utf-8',
	'.js': 'text/javascript; charset=utf-8',
	'.css': 'text/css; charset=utf-8',
	'.svg': 'image/svg+xml',
	'.txt': 'text/plain; charset=utf-8',
};
const source = path.join(path.dirname(fileURLToPath(import.meta.url)), 'src');
const modules = path.join(source, '../node_modules');
const output = path.resolve(process.argv[2] ?? 'dist');
const blobs = path.join(output, 'files');
const files = [];

function hashOf(bytes) {
	return createHash('sha256').update(bytes).digest('hex').slice(0, 32);
}

function addFile(name, bytes) {
	const packed = gzipSync(bytes, { level: 9 });
	const file = { name, etag: hashOf(bytes), type: types[path.extname(name)] };

	writeFileSync(path.join(blobs, name), bytes);
	if (packed.length < bytes.length) {
		file.packed = true;
		writeFileSync(path.join(blobs, `${name}.gz`), packed);
	}
	files.push(file);
}

// Returns the asset's name.
function addAsset(stem, extension, bytes) {
	const name = `${stem}-${hashOf(bytes)}${extension}`;

	addFile(name, bytes);
	return name;
}

async function bundle(page) {
	const result = await esbuild.build({
		entryPoints: [path.join(source, page, 'main.js')],
		outdir: output, // where esbuild would write; nothing is written
		write: false,
		bundle: true,
		minify: true,
		format: 'esm',
		target: 'es2022',
		charset: 'utf8',
		legalComments: 'inline',
		logLevel: 'warning',
		loader: { '.svg': 'dataurl' },
	});
	const names = {};

	for (const { path: made, contents } of result.outputFiles)
		names[path.extname(made)] = addAsset(page, path.extname(made), contents);
	return names;
}

function symbolOf(index, form) {
	return `page_${index}_${form}`;
}

function incbin(index, form, name) {
	const symbol = symbolOf(index, form);

	return `extern const unsigned char ${symbol}[], ${symbol}_end[];
__asm__(".pushsection .pages,\\"a\\",%progbits\\n"
	"${symbol}:\\n.incbin \\"${path.join(blobs, name)}\\"\\n${symbol}_end:\\n.popsection");
`;
}

function tableRow(file, index) {
	const plain = symbolOf(index, 'plain');
	const gzip = symbolOf(index, 'gzip');
	const packed = file.packed ? `${gzip}, ${gzip}_end` : 'NULL, NULL';

	return `\t{"${file.name}", "${file.type}", "\\"${file.etag}\\"", ${plain}, ${plain}_end, ${packed}},\n`;
}

function cSource() {
	let text = '/* Made by pages/build.mjs. */\n#include "handlers/pages/page_files.h"\n\n';

	files.forEach((file, index) => {
		text += incbin(index, 'plain', file.name);
		if (file.packed) text += incbin(index, 'gzip', `${file.name}.gz`);
	});
	text += `\nconst struct page_file page_files[] = {\n${files.map(tableRow).join('')}};\n`;
	return `${text}const size_t page_file_count = ${files.length};\n`;
}

rmSync(blobs, { recursive: true, force: true });
mkdirSync(blobs, { recursive: true });
// Whoever distributes the program distributes the libraries, and must include what their licences
// require.
const licences = [
	['Swagger UI', 'swagger-ui-dist/LICENSE'],
	['Swagger UI', 'swagger-ui-dist/NOTICE'],
	['Libraries in Swagger UI', 'swagger-ui-dist/swagger-ui-es-bundle.js.LICENSE.txt'],
	['uPlot', 'uplot/LICENSE'],
].map(([name, file]) => `${name}\n\n${readFileSync(path.join(modules, file), 'utf8')}`).join('\n\n');
const licencesName = addAsset('licences', '.txt', Buffer.from(licences));
const icon = addAsset('icon', '.svg', readFileSync(path.join(source, 'icon.svg')));
for (const page of ['docs', 'ui']) {
	const names = await bundle(page);
	const html = readFileSync(path.join(source, page, 'index.html'), 'utf8')
		.replaceAll('{{script}}', `/assets/${names['.js']}`)
		.replaceAll('{{style}}', `/assets/${names['.css']}`)
		.replaceAll('{{icon}}', `/assets/${icon}`)
		.replaceAll('{{licences}}', `/assets/${licencesName}`);

	addFile(`${page}.html`, Buffer.from(html));
}
writeFileSync(path.join(output, 'page_files.c'), cSource());
