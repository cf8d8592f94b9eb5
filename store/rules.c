#include "store/rules.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_MAX_SIZE_BYTES (UINT64_C(100) << 20)

void rules_default_settings(const struct backend_config *config, enum eviction_policy policy,
			    struct slice ns, struct namespace_settings *ret)
{
	*ret = (struct namespace_settings){
		.max_size_bytes = DEFAULT_MAX_SIZE_BYTES,
		.capacity = CAPACITY_UNLIMITED,
		.policy = policy,
	};
	if (config->defaults)
		config->defaults(config->defaults_user, ns, ret);
	/* Set by configuration only. */
	ret->max_idle_s = 0;
	ret->stale_ttl_s = 0;
	ret->compression = COMPRESSION_NONE;
	ret->put_status = 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct namespace_stats *)a)->name,
		      ((const struct namespace_stats *)b)->name);
}

void rules_sort_stats(struct cache_op *op)
{
	qsort(op->stats, op->stats_count, sizeof(*op->stats), compare_names);
}
