/* What the running transaction changes of the values in memory (values.h), which move on with its
 * commit. */
#ifndef STEADYCACHE_SQLITE_CHANGES_H
#define STEADYCACHE_SQLITE_CHANGES_H

#include "backends/sqlite/read/values.h"

struct cache_item;
struct transaction;

/* A zeroed one is valid: nothing is cached. */
struct changes {
	const volatile uint64_t *wal_index; /* NULL: not mapped, or nothing is cached */
	struct wal_state before;            /* the state in which the running transaction began */
	uint32_t commit_frames;             /* length of the log after its commit; 0: none yet */
	struct values_change *items;        /* entries that it changed */
	size_t count, capacity;
	bool lost; /* there was no memory for one of them */
};

/* Call the first before a transaction begins; the second once it has, with the write lock. */
void changes_forget(struct changes *changes);
void changes_begin(struct transaction *tx);

/* Remembers that the entry of that hash is removed. */
void changes_note_removal(struct transaction *tx, int64_t namespace_id, int64_t hash);
/* Remembers that entry `id` now has the value of `item`, which stays until the commit. */
void changes_note_overwrite(struct transaction *tx, int64_t namespace_id, int64_t id,
			    const struct cache_item *item);

/* After the commit: brings the values in memory to the state that it has made. */
void changes_publish(struct transaction *tx);
/* After a roll-back: they stay as they are. */
void changes_drop(struct transaction *tx);
void changes_deinit(struct changes *changes);

#endif
