#include "backends/redis/refusal.h"

#include <stdio.h>

#include "backends/redis/share.h"

void redis_refusal_init(struct redis_refusals *refusals, unsigned part_count)
{
	struct redis_refusals *r = refusals;

	r->part_count = part_count;
	(void)snprintf(r->capacity, sizeof(r->capacity),
		       "the capacity is shared out to %u partitions: it must be 0, unlimited or at "
		       "least %u",
		       part_count, part_count);
	(void)snprintf(r->max_size, sizeof(r->max_size),
		       "max_size_mb is shared out to %u partitions: it must be 0, which is no "
		       "limit, or at least %.4g",
		       part_count,
		       (double)(part_count * REDIS_SHARE_MIN_BYTES) / (double)(1 << 20));
	(void)snprintf(
		r->value, sizeof(r->value),
		"the entry (key, content type, value and 128 bytes) is larger than the share "
		"of its partition, 1/%u of the max_size_mb of its namespace; raise that",
		part_count);
	(void)snprintf(
		r->values, sizeof(r->values),
		"entries of the batch (key, content type, value and 128 bytes each) that fall into "
		"one partition are larger, alone or together, than its share, 1/%u of the "
		"max_size_mb of the namespace; send fewer at once or raise that",
		part_count);
	(void)snprintf(r->batch, sizeof(r->batch),
		       "more items of the batch fall into one partition than it may hold entries, "
		       "1/%u of the capacity of the namespace",
		       part_count);
	(void)snprintf(r->full, sizeof(r->full),
		       "one of the %u partitions of the namespace is full and its eviction is "
		       "\"none\"; delete entries or raise its limits",
		       part_count);
}

const char *redis_refusal_of(const struct redis_refusals *refusals,
			     const struct namespace_settings *settings, unsigned mask)
{
	unsigned count = refusals->part_count;

	if (mask & SETTING_CAPACITY && !redis_share_has_capacity(settings->capacity, count))
		return refusals->capacity;
	if (mask & SETTING_MAX_SIZE && !redis_share_has_size(settings->max_size_bytes, count))
		return refusals->max_size;
	return NULL;
}
