#include "server/router.h"

#define D1(name, symbol)                                                                           \
	{                                                                                          \
		.methods = HTTP_POST, .pattern = "/api/" name, .handler = &(symbol),               \
		.error_style = ERROR_D1                                                            \
	}
#define READ (HTTP_GET | HTTP_HEAD)

/* The hottest first. */
const struct route routes[] = {
	{.methods = READ, .pattern = "/cache/{ns}/{key}", .handler = &entry_get_handler},
	{.methods = HTTP_PUT, .pattern = "/cache/{ns}/{key}", .handler = &entry_put_handler},
	{.methods = HTTP_DELETE, .pattern = "/cache/{ns}/{key}", .handler = &entry_delete_handler},
	D1("get", d1_get_handler),
	D1("set", d1_set_handler),
	D1("batch/get", d1_batch_get_handler),
	D1("batch/set", d1_batch_set_handler),
	D1("batch/delete", d1_batch_delete_handler),
	D1("delete", d1_delete_handler),
	D1("exists", d1_exists_handler),
	D1("init", d1_init_handler),
	D1("clear", d1_clear_handler),
	D1("stats", d1_stats_handler),
	{.methods = HTTP_POST, .pattern = "/batch/{ns}/get", .handler = &batch_get_handler},
	{.methods = HTTP_POST, .pattern = "/batch/{ns}/set", .handler = &batch_set_handler},
	{.methods = HTTP_POST, .pattern = "/batch/{ns}/delete", .handler = &batch_delete_handler},
	{.methods = HTTP_POST, .pattern = "/batch/{ns}/exists", .handler = &batch_exists_handler},
	{.methods = READ, .pattern = "/cache", .handler = &namespaces_get_handler},
	{.methods = READ, .pattern = "/cache/{ns}", .handler = &namespace_list_handler},
	{.methods = HTTP_PUT, .pattern = "/cache/{ns}", .handler = &namespace_put_handler},
	{.methods = HTTP_DELETE, .pattern = "/cache/{ns}", .handler = &namespace_clear_handler},
	{.methods = READ, .pattern = "/stats", .handler = &stats_handler},
	{.methods = READ, .pattern = "/stats/{ns}", .handler = &namespace_stats_handler},
	{.methods = READ,
	 .pattern = "/openapi.yaml",
	 .handler = &openapi_yaml_handler,
	 .is_public = true},
	{.methods = READ,
	 .pattern = "/openapi.json",
	 .handler = &openapi_json_handler,
	 .is_public = true},
	{.methods = READ, .pattern = "/healthz", .handler = &healthz_handler, .is_public = true},
	{.methods = READ, .pattern = "/readyz", .handler = &readyz_handler, .is_public = true},
	{.methods = HTTP_POST, .pattern = "/sync", .handler = &sync_handler},
	{.methods = READ, .pattern = "/metrics", .handler = &metrics_handler, .is_metrics = true},
	{.methods = READ, .pattern = "/docs", .handler = &docs_handler, .is_public = true},
	{.methods = READ, .pattern = "/ui", .handler = &ui_handler, .is_public = true},
	{.methods = READ,
	 .pattern = "/assets/{key}",
	 .handler = &assets_handler,
	 .is_public = true},
	{.methods = READ, .pattern = "/export", .handler = &export_handler},
	{.methods = HTTP_POST, .pattern = "/import", .handler = &import_handler},
};

const size_t route_count = sizeof(routes) / sizeof(routes[0]);
