/* Recently read values, in memory in front of the database.
 *
 * A hit costs a hash, a lock and a reference; a look-up in the database walks two b-trees, runs a
 * program of SQLite's and copies the value. The cache fills on demand, up to a number of bytes that
 * includes all overhead.
 *
 * That it never returns an old value rests on one invariant:
 *
 *   Every entry of a shard is what the database has in the state whose WAL header (wal_index.h)
 *   the shard carries.
 *
 * - Only a reader that has just read that very header in the shared index gets a hit. So the hit is
 *   what the newest committed state has, whoever committed it: between a commit (ours or of another
 *   process) and the moment when the shard is brought up to date all look-ups miss. No order of
 *   "visible", "invalidated" and "answered" can go wrong, because none has to be kept: a commit is
 *   answered after its header was written, and from then on nobody has the old header.
 * - A reader inserts what it has read from a snapshot, if the snapshot's header is the shard's. It
 *   knows that header for sure only if the shared index had it before the snapshot was taken and
 *   still afterwards (snapshot.c); otherwise it neither looks here nor inserts.
 * - The writer moves the shards on after each commit (values_move): it knows the header from before
 *   (read under the write lock) and the one that its commit made, and between the two nothing
 *   changed but what it changed itself: those entries are removed, or get their new value. If it
 *   cannot tell for sure, or the shard carries another header than the one from before, the shard
 *   is emptied; an empty shard is true in any state. A transaction that fails moves nothing.
 * - After commits of others a reader may empty a shard and give it the current header, provided
 *   that the shared index still has it. If the writer is at work, that is left to it.
 *
 * Changes name an entry by namespace id and hash of the key, which the rows have, so evicting by
 * rowid needs no key. A cleared namespace gets another id; values cached under the old one are
 * never asked for and fall out in time.
 *
 * Each shard is a table of base/value_cache.h with its own lock, so all of this is thread-safe;
 * replacement is SIEVE. */
#ifndef STEADYCACHE_SQLITE_VALUES_H
#define STEADYCACHE_SQLITE_VALUES_H

#include <pthread.h>
#include <stdatomic.h>

#include "backends/sqlite/file/wal_index.h"
#include "base/slice.h"
#include "base/value.h"
#include "base/value_cache.h"

#define VALUES_SHARDS 16

struct values_shard {
	_Alignas(64) pthread_mutex_t lock;
	struct wal_state state;
	struct value_cache cache; /* its scope is the namespace id, its mark the rowid */
	uint64_t hits, misses, drops;
};

struct values {
	size_t shard_max_bytes;   /* 0: nothing is cached */
	atomic_bool writer_works; /* between begin and move of a transaction of ours */
	struct values_shard shards[VALUES_SHARDS];
};

/* One entry that a transaction changed. */
struct values_change {
	int64_t namespace_id, hash;
	int64_t id;                /* with a value: rowid of the entry */
	struct slice key;          /* with a value; borrowed */
	struct cache_value *value; /* its new value, borrowed; NULL: forget the entry */
};

/* Sums over the shards. */
struct values_counts {
	uint64_t hits, misses, evictions, drops; /* drops: shards that were emptied */
	uint64_t entries, used_bytes, max_bytes;
};

void values_init(struct values *values, uint64_t max_bytes);
void values_deinit(struct values *values);

static inline bool values_are_on(const struct values *values)
{
	return values->shard_max_bytes > 0;
}

/* The value of `key` in the state `state`, with a reference for the caller, and the rowid of its
 * entry; NULL: not cached. It may have expired. */
struct cache_value *values_find(struct values *values, const struct wal_state *state,
				int64_t namespace_id, int64_t hash, struct slice key,
				int64_t *ret_id);

/* Remembers `value` (takes its own reference), which entry `id` has in the state `state`, if the
 * shard is in that state, or may be brought to it because `index` still says that it is the newest.
 * Does nothing if there is no memory for it. */
void values_insert(struct values *values, const struct wal_state *state,
		   const volatile uint64_t *index, const struct values_change *entry);

/* After a commit: brings all shards from `before` to `after`, by these changes in order. `before`
 * NULL: they are not known for sure, so everything is forgotten. */
void values_move(struct values *values, const struct wal_state *before,
		 const struct wal_state *after, const struct values_change *changes, size_t count);

void values_count(struct values *values, struct values_counts *ret);

#endif
