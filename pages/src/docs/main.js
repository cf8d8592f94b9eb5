// /docs: Swagger UI over /openapi.json. It contacts only this server: the validator badge, the one
// thing that would contact another, is off, and the Content-Security-Policy enforces that.
import SwaggerUI from 'swagger-ui-dist/swagger-ui-es-bundle.js';
import 'swagger-ui-dist/swagger-ui.css';
import './docs.css';

const dark = matchMedia('(prefers-color-scheme: dark)');

function followScheme() {
	document.documentElement.classList.toggle('dark-mode', dark.matches);
}

dark.addEventListener('change', followScheme);
followScheme();

// Swagger UI shows a file chooser for bytes; whoever tries a request would rather type text. So
// what the description declares as bytes, for generated clients, becomes text first here.
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
	// The page keeps the token in memory.
	persistAuthorization: false,
});
