/* A namespace of the keeper: settings, entries in their three orders (byte order, eviction,
 * expiry), and accounts. Nothing here calls a driver.
 *
 * Invariants: every entry is in index and order, in the heap if it expires, and in the other one
 * if there is an idle time; used_bytes and
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
#include "store/rules.h"

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
	/* Of all entries if there is an idle time, by the order clock: when each must be looked at
	 * next. A use does not move it, so it may be earlier than that. */
	struct expiry idle;
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
/* Takes it out, so that it does not exist, and back. */
void keeper_space_unlink(struct keeper_spaces *all, struct keeper_space *space);
void keeper_space_link(struct keeper_spaces *all, struct keeper_space *space);
/* Frees one that is taken out, and its entries. */
void keeper_space_free(struct keeper_space *space);
/* Both. */
void keeper_space_destroy(struct keeper_spaces *all, struct keeper_space *space);
/* The first of all namespaces, in no order (`space` NULL), or the next one; NULL: no more. */
struct keeper_space *keeper_space_next(const struct keeper_spaces *all,
				       const struct keeper_space *space);

/* Makes room for settings with an idle time, so that keeper_space_configure cannot fail. False: out
 * of memory. */
bool keeper_space_prepare_idle(struct keeper_space *space,
			       const struct namespace_settings *settings);
/* Changes its settings, and sorts the entries again if the policy changes. */
void keeper_space_configure(struct keeper_space *space, const struct namespace_settings *settings,
			    unsigned configured);

/* ---- Entries ---- */

/* Makes room for an entry, which expires or does not, so that keeper_space_add cannot fail, nor
 * keeper_space_retime. False: out of memory. */
bool keeper_space_reserve(struct keeper_space *space, bool expires);
/* Adds an entry whose key has none. If there is no memory for its frequency, that becomes 1. */
void keeper_space_add(struct keeper_space *space, struct keeper_entry *entry);
/* Puts `fresh`, of the same key, in the place of `old`, which the caller then owns. The same as
 * keeper_space_remove and keeper_space_add, but faster. */
void keeper_space_replace(struct keeper_space *space, struct keeper_entry *old,
			  struct keeper_entry *fresh);
/* Removes an entry, which the caller then owns. */
void keeper_space_remove(struct keeper_space *space, struct keeper_entry *entry);

/* Gives an entry another expiry. */
void keeper_space_retime(struct keeper_space *space, struct keeper_entry *entry,
			 int64_t expires_at_us);

/* Counts a use. The driver is told of it later. */
void keeper_space_use(struct keeper_space *space, struct keeper_entry *entry, int64_t order_us);
/* Adds the entry to the list of used ones, unless it is uncertain or already there. */
void keeper_space_note_use(struct keeper_space *space, struct keeper_entry *entry);
/* Removes the entry from that list, if it is there. */
void keeper_space_forget_use(struct keeper_entry *entry);

/* The entry whose stale time ended first; NULL: none has ended. */
struct keeper_entry *keeper_space_due(const struct keeper_space *space, int64_t now_us);
/* Looks at one entry that may not have been used for too long: *ret is that, or NULL. False: there
 * is none to look at. */
bool keeper_space_look_idle(struct keeper_space *space, int64_t order_us,
			    struct keeper_entry **ret);

/* Whether an entry was not used for too long. With the gate held for writing, or `lock`. */
static inline bool keeper_space_is_idle(const struct keeper_space *space,
					const struct keeper_entry *entry, int64_t order_us)
{
	return rules_is_idle(entry->node.last_access_us, space->settings.max_idle_s * US_PER_S,
			     order_us);
}

/* A stamp is the time of creation (order clock) followed by bits to tell apart entries created in
 * one microsecond. Stamps of new entries are unique and increasing. */
#define KEEPER_STAMP_TICK_BITS 11
uint64_t keeper_space_take_stamp(struct keeper_space *space, int64_t order_us);
/* For an entry that was created elsewhere. Stamps of one microsecond follow each other, up to
 * 2^KEEPER_STAMP_TICK_BITS of them. */
uint64_t keeper_space_past_stamp(struct keeper_space *space, int64_t created_at_us);

#endif
