#include "client/migrate/again.h"

#include <stdlib.h>
#include <time.h>

/* How often an entry is brought again. */
#define ROUNDS_MAX 4
/* What was stored here is looked at so much later: a write that FROM had stamped before, and was
 * still committing, is seen by then. */
#define COMMIT_NS 10000000L

bool migrate_again_is_needed(const struct migrate_source *source, const struct migrate_sink *sink)
{
	return source->is_shared && sink->stamps && !sink->is_dry;
}

static bool has_open(const struct migrate_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		if (migrate_batch_is_open(batch, i))
			return true;
	return false;
}

/* Makes `fresh` what the entry of the batch is. */
static void take_over(struct migrate_batch *batch, struct merge_entry *entry,
		      struct merge_entry *fresh)
{
	struct cache_history *history = &batch->histories[entry - batch->entries];

	cache_value_release(entry->item.value);
	entry->item.value = fresh->item.value;
	fresh->item.value = NULL;
	*history = *fresh->item.history;
	entry->item.ttl_s = fresh->item.ttl_s;
	entry->item.size_bytes = fresh->item.size_bytes;
	entry->outcome = MERGE_STORED;
}

static void note_outcomes(struct migrate_batch *batch, struct migrate_batch *fresh)
{
	for (size_t i = 0; i < fresh->count; i++) {
		struct merge_entry *from = &fresh->entries[i];
		struct merge_entry *entry = migrate_batch_find(batch, from->item.key);

		from->follows = NULL;
		if (from->outcome == MERGE_STORED) {
			take_over(batch, entry, from);
		} else if (from->outcome == MERGE_KEPT) {
			/* Somebody else's by now. */
			entry->outcome = MERGE_KEPT;
			batch->is_settled[entry - batch->entries] = true;
		} else if (from->outcome == MERGE_FAILED) {
			entry->outcome = MERGE_FAILED;
			entry->status = from->status;
			if (from->detail)
				migrate_batch_note(batch, entry, from->detail);
		}
	}
	batch->history_lost += fresh->history_lost;
}

/* What was the same after its copy was stored needs no other look. */
static void settle_others(struct migrate_batch *batch, const struct migrate_batch *fresh)
{
	for (size_t i = 0; i < batch->count; i++)
		if (!migrate_batch_has(fresh, batch->entries[i].item.key))
			batch->is_settled[i] = true;
}

static bool store(struct migrate_sink *sink, struct migrate_batch *batch,
		  struct migrate_batch *fresh, struct migrate_failure *failure)
{
	for (size_t i = 0; i < fresh->count; i++) {
		const struct merge_entry *entry =
			migrate_batch_find(batch, fresh->entries[i].item.key);

		fresh->entries[i].follows = &entry->item.value->etag;
	}
	bool good = sink->ops->put(sink, fresh, failure);
	note_outcomes(batch, fresh);
	return good;
}

bool migrate_again(struct migrate_source *source, struct migrate_sink *sink,
		   struct migrate_batch *batch, struct migrate_failure *failure)
{
	bool good = true;
	bool is_over = !has_open(batch);

	for (unsigned round = 0; good && !is_over; round++) {
		struct migrate_batch *fresh = calloc(1, sizeof(*fresh));
		const struct timespec commit = {.tv_nsec = COMMIT_NS};

		if (!fresh)
			return migrate_fail(failure, CLIENT_LOCAL, "out of memory");
		(void)nanosleep(&commit, NULL);
		good = source->ops->look(source, batch, fresh, failure);
		batch->changed += good ? fresh->unreadable : 0;
		if (good)
			settle_others(batch, fresh);
		is_over = fresh->count == 0 || round == ROUNDS_MAX;
		if (good && is_over)
			batch->changed += fresh->count;
		else if (good)
			good = store(sink, batch, fresh, failure);
		migrate_batch_free(fresh);
	}
	return good;
}
