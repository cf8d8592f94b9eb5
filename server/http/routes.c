#include "server/http/router.h"

/* Every row says which right it needs, as the compiler sees to. */
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

/* The hottest first. docs/security.md tells the rights. */
const struct route routes[] = {
	ROUTE(READ, "/cache/{ns}/{key}", entry_get_handler, RIGHT_READ),
	CHANGE(HTTP_PUT, "/cache/{ns}/{key}", entry_put_handler, RIGHT_WRITE, "ttl, "),
	ROUTE(HTTP_DELETE, "/cache/{ns}/{key}", entry_delete_handler, RIGHT_WRITE),
	D1("get", d1_get_handler, RIGHT_READ),
	D1("set", d1_set_handler, RIGHT_WRITE),
	D1("batch/get", d1_batch_get_handler, RIGHT_READ),
	D1("batch/set", d1_batch_set_handler, RIGHT_WRITE),
	D1("batch/delete", d1_batch_delete_handler, RIGHT_WRITE),
	D1("delete", d1_delete_handler, RIGHT_WRITE),
	D1("exists", d1_exists_handler, RIGHT_READ),
	D1("init", d1_init_handler, RIGHT_ADMIN),
	D1("clear", d1_clear_handler, RIGHT_ADMIN),
	D1("stats", d1_stats_handler, RIGHT_READ),
	ROUTE(HTTP_POST, "/batch/{ns}/get", batch_get_handler, RIGHT_READ),
	ROUTE(HTTP_POST, "/batch/{ns}/set", batch_set_handler, RIGHT_WRITE),
	ROUTE(HTTP_POST, "/batch/{ns}/delete", batch_delete_handler, RIGHT_WRITE),
	ROUTE(HTTP_POST, "/batch/{ns}/exists", batch_exists_handler, RIGHT_READ),
	/* These show only the namespaces that the token may use. */
	ROUTE(READ, "/cache", namespaces_get_handler, RIGHT_READ),
	ROUTE(READ, "/stats", stats_handler, RIGHT_READ),
	ROUTE(READ, "/export", export_handler, RIGHT_READ),
	/* It looks at the namespace of each line. */
	CHANGE(HTTP_POST, "/import", import_handler, RIGHT_WRITE, "on_error, namespace, "),
	ROUTE(READ, "/cache/{ns}", namespace_list_handler, RIGHT_READ),
	ROUTE(HTTP_PUT, "/cache/{ns}", namespace_put_handler, RIGHT_ADMIN),
	CHANGE(HTTP_DELETE, "/cache/{ns}", namespace_clear_handler, RIGHT_ADMIN, "all, prefix, "),
	ROUTE(READ, "/stats/{ns}", namespace_stats_handler, RIGHT_READ),
	ROUTE(READ, "/openapi.yaml", openapi_yaml_handler, RIGHT_PUBLIC),
	ROUTE(READ, "/openapi.json", openapi_json_handler, RIGHT_PUBLIC),
	ROUTE(READ, "/healthz", healthz_handler, RIGHT_PUBLIC),
	ROUTE(READ, "/readyz", readyz_handler, RIGHT_PUBLIC),
	PAGE("/docs", docs_handler),
	PAGE("/ui", ui_handler),
	ROUTE(READ, "/assets/{key}", assets_handler, RIGHT_PUBLIC),
	ROUTE(HTTP_POST, "/sync", sync_handler, RIGHT_ADMIN_OF_ALL),
	ROUTE(READ, "/admin/log-level", log_level_get_handler, RIGHT_ADMIN_OF_ALL),
	ROUTE(HTTP_PUT, "/admin/log-level", log_level_put_handler, RIGHT_ADMIN_OF_ALL),
	{.methods = READ,
	 .pattern = "/metrics",
	 .handler = &metrics_handler,
	 .right = RIGHT_READ_OF_ALL,
	 .is_metrics = true},
};

const size_t route_count = sizeof(routes) / sizeof(routes[0]);
