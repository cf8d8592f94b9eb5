/* A namespace of the keeper: settings, entries in their three orders (byte order, eviction,
 * expiry), and accounts. Nothing here calls a driver.
 *
 * Invariants: every entry is in index and order, and in the heap if it expires; used_bytes and
 * size_bytes are the sums over the entries.
 *
 * Threads: all changes with the gate held for writing (keeper_state.h); what a read counts (use,
 * hits, misses) with the gate held for reading and `lock` held. */
#ifndef STEADYCACHE_KEEPER_SPACE_H
#define STEADYCACHE_KEEPER_SPACE_H

#include <pthread.h>

#include "store/keeper/index.h"
#include "store/policy/expiry.h"
#include "store/policy/order.h"

/* Since the backend was opened. */
struct keeper_counters {
	uint64_t hits, misses, sets, deletes, evictions, expirations, stale_hits;
};

struct keeper_space {
	struct keeper_space *chain; /* next of its bucket */
	char name[NAMESPACE_MAX_LEN + 1];
	struct namespace_settings settings;
	unsigned configured; /* which of them: enum namespace_settings_mask; the others are
			      * defaults */

	struct keeper_index index;
	struct order order;
	struct expiry expiry;
	uint64_t size_bytes, used_bytes;
	uint64_t last_stamp;
	unsigned past_stamps;

	pthread_mutex_t lock;
	struct keeper_entry *used; /* entries with uses that the driver does not know */
	struct keeper_counters counters;
};

/* All namespaces. A zeroed one is empty and valid. */
#define KEEPER_SPACE_BUCKETS 1024
struct keeper_spaces {
	struct keeper_space *buckets[KEEPER_SPACE_BUCKETS];
	unsigned count;
};

/* NULL if it does not exist. */
struct keeper_space *keeper_space_find(const struct keeper_spaces *all, struct slice name);
/* Creates the namespace `name`, which must not exist. NULL: out of memory. */
struct keeper_space *keeper_space_create(struct keeper_spaces *all, struct slice name,
					 const struct namespace_settings *settings);
/* Frees it and its entries. */
void keeper_space_destroy(struct keeper_spaces *all, struct keeper_space *space);
/* The first of all namespaces, in no order (`space` NULL), or the next one; NULL: no more. */
struct keeper_space *keeper_space_next(const struct keeper_spaces *all,
				       const struct keeper_space *space);

/* Changes its settings, and sorts the entries again if the policy changes. */
void keeper_space_configure(struct keeper_space *space, const struct namespace_settings *settings,
			    unsigned configured);

/* ---- Entries ---- */

/* Makes room for an entry that expires, so that keeper_space_add cannot fail. False: out of
 * memory. */
bool keeper_space_reserve(struct keeper_space *space);
/* Adds an entry whose key has none. If there is no memory for its frequency, that becomes 1. */
void keeper_space_add(struct keeper_space *space, struct keeper_entry *entry);
/* Puts `fresh`, of the same key, in the place of `old`, which the caller then owns. The same as
 * keeper_space_remove and keeper_space_add, but faster. */
void keeper_space_replace(struct keeper_space *space, struct keeper_entry *old,
			  struct keeper_entry *fresh);
/* Removes an entry, which the caller then owns. */
void keeper_space_remove(struct keeper_space *space, struct keeper_entry *entry);

/* Counts a use. The driver is told of it later. */
void keeper_space_use(struct keeper_space *space, struct keeper_entry *entry, int64_t order_us);
/* Adds the entry to the list of used ones, unless it is uncertain or already there. */
void keeper_space_note_use(struct keeper_space *space, struct keeper_entry *entry);
/* Removes the entry from that list, if it is there. */
void keeper_space_forget_use(struct keeper_entry *entry);

/* The entry whose stale time ended first; NULL: none has ended. */
struct keeper_entry *keeper_space_due(const struct keeper_space *space, int64_t now_us);

/* A stamp is the time of creation (order clock) followed by bits to tell apart entries created in
 * one microsecond. Stamps of new entries are unique and increasing. */
#define KEEPER_STAMP_TICK_BITS 11
uint64_t keeper_space_take_stamp(struct keeper_space *space, int64_t order_us);
/* For an entry that was created elsewhere. Stamps of one microsecond follow each other, up to
 * 2^KEEPER_STAMP_TICK_BITS of them. */
uint64_t keeper_space_past_stamp(struct keeper_space *space, int64_t created_at_us);

#endif
