#include "server/http/routes.h"

#include "server/http/routes_nx.h"
#include "server/http/routes_turborepo.h"
#include "server/http/routes_webdav.h"

/* Every row names the right that it needs; the compiler enforces it. */
#define ROUTE(the_methods, path, symbol, needed)                                                   \
	{                                                                                          \
		.methods = (the_methods), .pattern = (path), .handler = &(symbol),                 \
		.right = (needed)                                                                  \
	}
#define CHANGE(method, path, symbol, needed, known)                                                \
	{                                                                                          \
		.methods = (method), .pattern = (path), .handler = &(symbol), .right = (needed),   \
		.parameters = (known)                                                              \
	}
#define D1(name, symbol, needed)                                                                   \
	{                                                                                          \
		.methods = HTTP_POST, .pattern = "/api/" name, .handler = &(symbol),               \
		.error_style = ERROR_D1, .right = (needed)                                         \
	}
#define PAGE(path, symbol)                                                                         \
	{                                                                                          \
		.methods = READ, .pattern = (path), .handler = &(symbol), .right = RIGHT_PUBLIC,   \
		.is_page = true                                                                    \
	}
#define READ (HTTP_GET | HTTP_HEAD)

/* The most frequent first. docs/security.md explains the rights. */
static const struct route rows[] = {
	ROUTE(READ, "/cache/{ns}/{key}", handler_entry_get, RIGHT_READ),
	CHANGE(HTTP_PUT, "/cache/{ns}/{key}", handler_entry_put, RIGHT_WRITE, "ttl, "),
	ROUTE(HTTP_DELETE, "/cache/{ns}/{key}", handler_entry_delete, RIGHT_WRITE),
	CHANGE(HTTP_PATCH, "/cache/{ns}/{key}", handler_entry_expire, RIGHT_WRITE, "ttl, "),
	D1("get", handler_d1_get, RIGHT_READ),
	D1("set", handler_d1_set, RIGHT_WRITE),
	D1("batch/get", handler_d1_batch_get, RIGHT_READ),
	D1("batch/set", handler_d1_batch_set, RIGHT_WRITE),
	D1("batch/delete", handler_d1_batch_delete, RIGHT_WRITE),
	D1("delete", handler_d1_delete, RIGHT_WRITE),
	D1("exists", handler_d1_exists, RIGHT_READ),
	D1("init", handler_d1_init, RIGHT_ADMIN),
	D1("clear", handler_d1_clear, RIGHT_ADMIN),
	D1("stats", handler_d1_stats, RIGHT_READ),
	ROUTE(HTTP_POST, "/batch/{ns}/get", handler_batch_get, RIGHT_READ),
	ROUTE(HTTP_POST, "/batch/{ns}/set", handler_batch_set, RIGHT_WRITE),
	ROUTE(HTTP_POST, "/batch/{ns}/delete", handler_batch_delete, RIGHT_WRITE),
	ROUTE(HTTP_POST, "/batch/{ns}/exists", handler_batch_exists, RIGHT_READ),
	ROUTE(HTTP_POST, "/batch/{ns}/expire", handler_batch_expire, RIGHT_WRITE),
	/* These show only the namespaces that the token may use. */
	ROUTE(READ, "/cache", handler_namespaces_get, RIGHT_READ),
	ROUTE(READ, "/stats", handler_stats, RIGHT_READ),
	ROUTE(READ, "/export", handler_export, RIGHT_READ),
	/* It checks the namespace of each line. */
	CHANGE(HTTP_POST, "/import", handler_import, RIGHT_WRITE,
	       "on_error, namespace, existing, "),
	ROUTE(READ, "/cache/{ns}", handler_namespace_list, RIGHT_READ),
	ROUTE(HTTP_PUT, "/cache/{ns}", handler_namespace_put, RIGHT_ADMIN),
	CHANGE(HTTP_DELETE, "/cache/{ns}", handler_namespace_clear, RIGHT_ADMIN,
	       "all, drop, prefix, "),
	ROUTE(READ, "/stats/{ns}", handler_namespace_stats, RIGHT_READ),
	ROUTE(READ, "/watch/{ns}", handler_watch, RIGHT_READ),
	ROUTE(READ, "/openapi.yaml", handler_openapi_yaml, RIGHT_PUBLIC),
	ROUTE(READ, "/openapi.json", handler_openapi_json, RIGHT_PUBLIC),
	ROUTE(READ, "/healthz", handler_healthz, RIGHT_PUBLIC),
	ROUTE(READ, "/readyz", handler_readyz, RIGHT_PUBLIC),
	PAGE("/docs", handler_docs),
	PAGE("/ui", handler_ui),
	ROUTE(READ, "/assets/{key}", handler_assets, RIGHT_PUBLIC),
	/* It shows what the client has read. */
	ROUTE(HTTP_POST, "/pickle", handler_pickle_view, RIGHT_READ),
	ROUTE(HTTP_POST, "/sync", handler_sync, RIGHT_ADMIN_OF_ALL),
	ROUTE(READ, "/admin/log-level", handler_log_level_get, RIGHT_ADMIN_OF_ALL),
	ROUTE(HTTP_PUT, "/admin/log-level", handler_log_level_put, RIGHT_ADMIN_OF_ALL),
	{.methods = READ,
	 .pattern = "/metrics",
	 .handler = &handler_metrics,
	 .right = RIGHT_READ_OF_ALL,
	 .is_metrics = true},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const struct route_table route_tables[ROUTE_TABLES] = {
	{.rows = rows, .count = COUNT(rows)},
	{.rows = routes_turborepo, .count = ROUTES_TURBOREPO, .facade = FACADE_TURBOREPO},
	{.rows = routes_nx, .count = ROUTES_NX, .facade = FACADE_NX},
	{.rows = routes_webdav, .count = ROUTES_WEBDAV, .facade = FACADE_WEBDAV},
};

size_t routes_count(void)
{
	size_t count = 0;

	for (size_t i = 0; i < ROUTE_TABLES; i++)
		count += route_tables[i].count;
	return count;
}

const struct route *routes_at(size_t number)
{
	const struct route_table *table = route_tables;

	while (number >= table->count)
		number -= table++->count;
	return &table->rows[number];
}

size_t routes_number(const struct route *route)
{
	size_t before = 0;

	for (const struct route_table *table = route_tables;; before += table++->count)
		if (route >= table->rows && route < table->rows + table->count)
			return before + (size_t)(route - table->rows);
}

bool routes_read_facades(const char *text, unsigned *ret, struct slice *ret_unknown)
{
	static const struct {
		struct slice name;
		unsigned facades;
	} names[] = {
		{SLICE("turborepo"), FACADE_TURBOREPO},
		{SLICE("nx"), FACADE_NX},
		{SLICE("webdav"), FACADE_WEBDAV},
		{SLICE("all"), FACADES_ALL},
		{SLICE("none"), 0},
	};
	unsigned facades = 0;

	do {
		size_t len = strcspn(text, ",");
		struct slice name = {.data = text, .len = len};
		size_t i = 0;

		while (i < COUNT(names) && !slice_equal(names[i].name, name))
			i++;
		if (i == COUNT(names)) {
			*ret_unknown = name;
			return false;
		}
		facades |= names[i].facades;
		text += len;
	} while (*text++ == ',');
	*ret = facades;
	return true;
}
