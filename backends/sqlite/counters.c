#include "backends/sqlite/counters.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

void counters_init(struct counters_table *table)
{
	*table = (struct counters_table){0};
	(void)pthread_mutex_init(&table->lock, NULL);
}

void counters_deinit(struct counters_table *table)
{
	for (size_t i = 0; i < COUNTERS_BUCKETS; i++) {
		while (table->buckets[i]) {
			struct counters *next = table->buckets[i]->next;

			free(table->buckets[i]);
			table->buckets[i] = next;
		}
	}
	(void)pthread_mutex_destroy(&table->lock);
}

struct counters *counters_of(struct counters_table *table, struct slice name)
{
	struct counters **bucket =
		&table->buckets[XXH3_64bits(name.data, name.len) % COUNTERS_BUCKETS];
	struct counters *found;

	(void)pthread_mutex_lock(&table->lock);
	for (found = *bucket; found; found = found->next)
		if (slice_equal(slice_of(found->name), name))
			break;
	if (!found && (found = calloc(1, sizeof(*found)))) {
		memcpy(found->name, name.data, name.len);
		found->next = *bucket;
		*bucket = found;
	}
	(void)pthread_mutex_unlock(&table->lock);
	return found;
}

void counters_reset(struct counters *counters)
{
	atomic_store(&counters->hits, 0);
	atomic_store(&counters->misses, 0);
	atomic_store(&counters->sets, 0);
	atomic_store(&counters->deletes, 0);
	atomic_store(&counters->evictions, 0);
	atomic_store(&counters->expirations, 0);
	atomic_store(&counters->stale_hits, 0);
}
