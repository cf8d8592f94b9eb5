#include "steadytext/collector.h"

#include <stdlib.h>

struct steadytext_collector *steadytext_collector_create(const char *ns, bool is_dry)
{
	struct steadytext_collector *collector = calloc(1, sizeof(*collector));

	if (!collector)
		return NULL;
	collector->batch.ns = ns;
	collector->batch.is_dry = is_dry;
	collector->batch.entries = collector->entries;
	return collector;
}

bool steadytext_collector_add(struct steadytext_collector *collector,
			      const struct steadytext_entry *entry)
{
	buffer_append(&collector->bytes, entry->key);
	buffer_append(&collector->bytes, entry->value);
	if (collector->bytes.failed)
		return false;
	collector->entries[collector->batch.count++] = *entry;
	return true;
}

bool steadytext_collector_is_full(const struct steadytext_collector *collector)
{
	return collector->batch.count == STEADYTEXT_BATCH_ENTRIES ||
	       collector->bytes.len >= STEADYTEXT_BATCH_BYTES;
}

struct steadytext_batch *steadytext_collector_batch(struct steadytext_collector *collector)
{
	const char *at = collector->bytes.data;

	for (size_t i = 0; i < collector->batch.count; i++) {
		struct steadytext_entry *entry = &collector->entries[i];

		entry->key.data = at;
		at += entry->key.len;
		entry->value.data = at;
		at += entry->value.len;
		collector->batch.outcomes[i] = STEADYTEXT_STORED;
		collector->batch.reasons[i][0] = '\0';
	}
	collector->batch.history_lost = 0;
	return &collector->batch;
}

void steadytext_collector_empty(struct steadytext_collector *collector)
{
	collector->batch.count = 0;
	collector->bytes.len = 0;
	/* A large entry's room is given back. */
	if (collector->bytes.capacity > (size_t)4 * STEADYTEXT_BATCH_BYTES)
		buffer_deinit(&collector->bytes);
}

void steadytext_collector_free(struct steadytext_collector *collector)
{
	if (!collector)
		return;
	buffer_deinit(&collector->bytes);
	free(collector);
}
