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
SwaggerUI({
	url: '/openapi.json',
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
