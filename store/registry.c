/* A new backend adds its line here and its files to CMakeLists.txt. */
#include "store/registry.h"

#include "backends/d1/d1.h"
#include "backends/disabled.h"
#include "backends/dynamodb/dynamodb.h"
#include "backends/large/layer.h"
#include "backends/persist/persist.h"
#include "backends/plugin/plugin.h"
#include "backends/redis/redis.h"
#include "backends/sqlite/sqlite.h"
#include "backends/tiered/tiered.h"

const struct backend_ops *const backend_registry[] = {
	&sqlite_backend_ops,   &persist_memory_ops, &d1_backend_ops,       &redis_backend_ops,
	&dynamodb_backend_ops, &plugin_backend_ops, &disabled_backend_ops, NULL,
};

const struct option_table *const backend_layer_options[] = {&tiered_options, &large_options, NULL};
