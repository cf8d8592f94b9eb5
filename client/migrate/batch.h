/* Some entries of one namespace on their way, with their own memory. */
#ifndef STEADYCACHE_CLIENT_MIGRATE_BATCH_H
#define STEADYCACHE_CLIENT_MIGRATE_BATCH_H

#include "base/buffer.h"
#include "store/merge.h"

/* A batch is full with either; an entry that is larger is alone. */
#define MIGRATE_BATCH_ENTRIES 256
#define MIGRATE_BATCH_BYTES   (UINT64_C(1) << 20)

struct migrate_batch {
	char ns[NAMESPACE_MAX_LEN + 1];
	/* The items' keys are malloc'ed, and their values references; histories[i] is that of
	 * entries[i]. */
	struct merge_entry entries[MIGRATE_BATCH_ENTRIES];
	struct cache_history histories[MIGRATE_BATCH_ENTRIES];
	char *notes[MIGRATE_BATCH_ENTRIES]; /* malloc'ed details of entries, or NULL */
	size_t count;
	uint64_t bytes; /* of keys and values */

	/* What was read besides: entries that had gone or expired when they were read; entries
	 * that cannot be taken, each with a line on stderr by the source. */
	uint64_t gone, expired, unreadable;
	uint64_t input_bytes; /* of a file */

	/* Of a backend: the key before it, in the backend's order. */
	struct buffer before;
	bool has_before;

	/* The sink tells how many it has stored, and not which. */
	bool is_mixed;
	bool is_settled[MIGRATE_BATCH_ENTRIES]; /* not to be looked at again */
	/* Entries whose last version at the source is perhaps not in the sink (again.h). */
	uint64_t changed;

	/* What continues after it; "": nothing (yet). */
	struct buffer place;
	uint64_t sink_mark;    /* where an ordered sink stands after it */
	uint64_t history_lost; /* stored without their histories */
};

/* An entry from its parts: takes over `value` and copies `key`. False: out of memory, and the value
 * is released. The batch has room (migrate_batch_takes). */
bool migrate_batch_add(struct migrate_batch *batch, struct slice key, struct cache_value *value,
		       const struct cache_history *history, uint64_t size_bytes,
		       int64_t modified_us);
/* Whether an entry of `bytes` belongs into the batch still. */
bool migrate_batch_takes(const struct migrate_batch *batch, uint64_t bytes);
bool migrate_batch_has(const struct migrate_batch *batch, struct slice key);
/* The entry of that key, or NULL. */
struct merge_entry *migrate_batch_find(struct migrate_batch *batch, struct slice key);
/* Whether entry `i` was stored, perhaps, and is to be looked at again. */
bool migrate_batch_is_open(const struct migrate_batch *batch, size_t i);

/* Makes a copy of `text` the detail of `entry`, one of the batch's. */
void migrate_batch_note(struct migrate_batch *batch, struct merge_entry *entry, const char *text);

/* Frees the batch. NULL is allowed. */
void migrate_batch_free(struct migrate_batch *batch);

#endif
