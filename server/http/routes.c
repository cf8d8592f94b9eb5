#include "server/http/routes.h"

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
const struct route routes[] = {
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

const size_t route_count = sizeof(routes) / sizeof(routes[0]);
