// usage: node tests/openapi/client/run.mjs SERVER
// Generates a client from openapi/openapi.json, compiles it with every_operation.ts, and uses it
// against a server with a token and one without.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const packages = path.join(here, '..', 'node_modules');
const description = path.join(here, '..', '..', '..', 'openapi', 'openapi.json');
const folder = mkdtempSync(path.join(tmpdir(), 'steadycache-client-'));

function runNode(script, ...words) {
	const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(packages, script), ...words],
		{ cwd: folder, encoding: 'utf8' });

	assert.equal(status, 0, `${script}:\n${stdout}${stderr}`);
}

// Returns the folder of the compiled program.
function build() {
	const settings = { input: description, output: { path: path.join(folder, 'generated'), importFileExtension: '.js' },
		plugins: ['@hey-api/client-fetch', '@hey-api/typescript', '@hey-api/sdk'] };
	const compiler = { strict: true, noUncheckedIndexedAccess: true, module: 'nodenext', target: 'es2022',
		lib: ['es2022', 'dom', 'dom.iterable'], types: [], skipLibCheck: false, outDir: 'made' };

	writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}');
	writeFileSync(path.join(folder, 'settings.mjs'), `export default ${JSON.stringify(settings)};`);
	writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: compiler, files: ['every_operation.ts'] }));
	copyFileSync(path.join(here, 'every_operation.ts'), path.join(folder, 'every_operation.ts'));
	runNode('@hey-api/openapi-ts/bin/run.js', '--silent', '--no-log-file', '-f', 'settings.mjs');
	runNode('typescript/bin/tsc');
	return path.join(folder, 'made');
}

async function withServer(program, token, work) {
	const env = { STEADYCACHE_LISTEN: '127.0.0.1:0', STEADYCACHE_DATA_DIR: mkdtempSync(path.join(folder, 'data-')),
		...(token ? { STEADYCACHE_API_KEY: token } : {}) };
	const child = spawn(program, ['serve'], { env, stdio: ['ignore', 'ignore', 'pipe'] });
	const ended = once(child, 'exit');

	try {
		await work(await new Promise((resolve, reject) => {
			let log = '';

			createInterface({ input: child.stderr }).on('line', (line) => {
				const found = /msg=listening address=(\S+)/.exec(line);

				log += `${line}\n`;
				if (found) resolve(`http://${found[1]}`);
			}).on('close', () => reject(new Error(`the server ended:\n${log}`)));
		}));
	} finally {
		child.kill();
		await ended;
	}
}

try {
	const { useEveryOperation } = await import(pathToFileURL(path.join(build(), 'every_operation.js')));
	const described = Object.values(JSON.parse(readFileSync(description, 'utf8')).paths)
		.flatMap((item) => Object.values(item).map((operation) => operation.operationId).filter(Boolean));

	for (const token of ['a-secret/key=+1', undefined])
		await withServer(process.argv[2], token, async (url) => {
			const used = await useEveryOperation(url, token);

			assert.deepEqual(described.filter((name) => !used.includes(name)), [], 'operations that were not used');
		});
	console.log(`${described.length} operations, with a token and without`);
} finally {
	rmSync(folder, { recursive: true, force: true });
}
