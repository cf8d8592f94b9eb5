// A Worker for tests, which runs beside the one under test on the same database (binding DB): a
// POST empties the tables.
const tables = ["entries", "contents", "dropped", "namespaces"];

export default {
	async fetch(request, env) {
		if (request.method !== "POST") return new Response(null, { status: 405 });
		await env.DB.batch(tables.map((table) => env.DB.prepare(`DELETE FROM ${table}`)));
		return new Response(null, { status: 204 });
	},
};
