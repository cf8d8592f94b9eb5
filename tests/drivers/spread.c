#include "tests/drivers/spread.h"

#include "backends/memory/memory.h"
#include "backends/routed/routed.h"
#include "backends/sqlite/sqlite.h"

static struct backend *spread_open(const struct backend_config *config, char *error,
				   size_t error_size)
{
	static const struct routed_rule rules[] = {{.pattern = "n", .place = 1}, {.pattern = "*"}};
	/* As long as the process: a test opens one at a time. */
	static struct backend_place places[2];
	static struct routed_config routed = {
		.rules = rules, .rule_count = 2, .places = places, .place_count = 2};
	struct backend_config whole = *config;
	const struct backend_ops *const ops[] = {&sqlite_backend_ops, &memory_backend_ops};
	static char labels[][8] = {"sqlite", "memory"};

	for (size_t i = 0; i < 2; i++)
		places[i] = (struct backend_place){
			.ops = ops[i], .config.data_dir = config->data_dir, .label = labels[i]};
	whole.settings = &routed;
	return routed_backend_ops.open(&whole, error, error_size);
}

const struct backend_ops spread_backend_ops = {
	.name = "spread",
	.bits = BACKEND_WANTS_DIR | BACKEND_WHOLE,
	.default_policy = EVICT_FIFO, /* memory's */
	.open = spread_open,
};
