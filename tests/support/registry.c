/* The registry of tests: the backends of the product, and those over the drivers of
 * tests/drivers. */
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
#include "tests/drivers/bodies.h"
#include "tests/drivers/hash.h"
#include "tests/drivers/persisted.h"
#include "tests/drivers/slow.h"
#include "tests/drivers/spread.h"

const struct backend_ops *const backend_registry[] = {
	&sqlite_backend_ops,   &persist_memory_ops,
	&d1_backend_ops,       &dynamodb_backend_ops,
	&plugin_backend_ops,   &redis_backend_ops,
	&hash_backend_ops,     &slow_backend_ops,
	&bodies_backend_ops,   &persisted_backend_ops,
	&spilling_backend_ops, &spread_backend_ops,
	&disabled_backend_ops, NULL,
};

const struct option_table *const backend_layer_options[] = {&tiered_options, &large_options, NULL};
