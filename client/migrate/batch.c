#include "client/migrate/batch.h"

#include <stdlib.h>

bool migrate_batch_takes(const struct migrate_batch *batch, uint64_t bytes)
{
	if (batch->count == 0)
		return true;
	return batch->count < MIGRATE_BATCH_ENTRIES && bytes < MIGRATE_BATCH_BYTES &&
	       batch->bytes <= MIGRATE_BATCH_BYTES - bytes;
}

bool migrate_batch_has(const struct migrate_batch *batch, struct slice key)
{
	for (size_t i = 0; i < batch->count; i++)
		if (slice_equal(batch->entries[i].item.key, key))
			return true;
	return false;
}

struct merge_entry *migrate_batch_find(struct migrate_batch *batch, struct slice key)
{
	for (size_t i = 0; i < batch->count; i++)
		if (slice_equal(batch->entries[i].item.key, key))
			return &batch->entries[i];
	return NULL;
}

bool migrate_batch_is_open(const struct migrate_batch *batch, size_t i)
{
	enum merge_outcome outcome = batch->entries[i].outcome;

	return !batch->is_settled[i] &&
	       (outcome == MERGE_STORED || (batch->is_mixed && outcome == MERGE_KEPT));
}

/* For a backend whose other side does not support histories. */
static int64_t ttl_of(int64_t expires_at_us)
{
	int64_t left_s;

	if (expires_at_us == HISTORY_TTL)
		return TTL_DEFAULT;
	if (expires_at_us == 0)
		return 0;
	left_s = (expires_at_us - cache_clock_now_us(&system_clock) + US_PER_S - 1) / US_PER_S;
	return left_s < 1 ? 1 : left_s < TTL_MAX_S ? left_s : TTL_MAX_S;
}

bool migrate_batch_add(struct migrate_batch *batch, struct slice key, struct cache_value *value,
		       const struct cache_history *history, uint64_t size_bytes,
		       int64_t modified_us)
{
	struct merge_entry *entry = &batch->entries[batch->count];
	char *copy = malloc(key.len + 1);

	if (!copy) {
		cache_value_release(value);
		return false;
	}
	if (key.len > 0)
		memcpy(copy, key.data, key.len);
	batch->histories[batch->count] = *history;
	*entry = (struct merge_entry){
		.item = {.key = {.data = copy, .len = key.len},
			 .value = value,
			 .size_bytes = size_bytes,
			 .ttl_s = ttl_of(history->expires_at_us),
			 .history = &batch->histories[batch->count]},
		.modified_us = modified_us,
	};
	batch->count++;
	batch->bytes += key.len + value->len_bytes;
	return true;
}

void migrate_batch_note(struct migrate_batch *batch, struct merge_entry *entry, const char *text)
{
	char **note = &batch->notes[entry - batch->entries];

	free(*note);
	*note = strdup(text);
	entry->detail = *note;
}

void migrate_batch_free(struct migrate_batch *batch)
{
	if (!batch)
		return;
	for (size_t i = 0; i < batch->count; i++) {
		free((void *)(uintptr_t)batch->entries[i].item.key.data);
		cache_value_release(batch->entries[i].item.value);
		free(batch->notes[i]);
	}
	buffer_deinit(&batch->before);
	buffer_deinit(&batch->place);
	free(batch);
}
