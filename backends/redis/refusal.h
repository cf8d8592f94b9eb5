/* Sentences about partitions, with their number: made once, and as long-lived as the backend. */
#ifndef STEADYCACHE_REDIS_REFUSAL_H
#define STEADYCACHE_REDIS_REFUSAL_H

#include "store/namespace.h"

struct redis_refusals {
	unsigned part_count;
	char capacity[160]; /* a limit that cannot be shared out */
	char max_size[160];
	char value[200];  /* a value larger than its partition's share */
	char values[256]; /* those of a batch */
	char batch[200];  /* more items than its share of the capacity */
	char full[200];
};

void redis_refusal_init(struct redis_refusals *refusals, unsigned part_count);

/* Why limits (enum namespace_settings_mask) cannot be shared out; NULL: they can. */
const char *redis_refusal_of(const struct redis_refusals *refusals,
			     const struct namespace_settings *settings, unsigned mask);

#endif
