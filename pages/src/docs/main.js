// /docs: Swagger UI over /openapi.json. It neither loads nor asks anything but this server: the
// validator badge, the one thing that would, is off, and the Content-Security-Policy holds it to that.
import SwaggerUI from 'swagger-ui-dist/swagger-ui-es-bundle.js';
import 'swagger-ui-dist/swagger-ui.css';
import './docs.css';

const dark = matchMedia('(prefers-color-scheme: dark)');

function followScheme() {
	document.documentElement.classList.toggle('dark-mode', dark.matches);
}

dark.addEventListener('change', followScheme);
followScheme();

// Swagger UI has a file chooser for bytes; whoever tries a request would rather write a text. What the
// description has as bytes, for the clients that are made of it, is here a text first.
function withTexts(description) {
	for (const path of Object.values(description.paths))
		for (const { requestBody } of Object.values(path)) {
			const { 'application/octet-stream': bytes, ...others } = requestBody?.content ?? {};
			const text = { ...bytes, schema: { type: 'string' } };

			if (bytes)
				requestBody.content = { 'text/plain; charset=utf-8': text, ...others, 'application/octet-stream': bytes };
		}
	return description;
}

const answer = await fetch('/openapi.json');

SwaggerUI({
	spec: withTexts(await answer.json()),
	domNode: document.getElementById('reference'),
	validatorUrl: null,
	deepLinking: true,
	filter: true,
	docExpansion: 'list',
	defaultModelsExpandDepth: 0,
	displayRequestDuration: true,
	tryItOutEnabled: true,
	// The token stays in the memory of the page.
	persistAuthorization: false,
});
