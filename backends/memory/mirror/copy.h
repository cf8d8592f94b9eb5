/* From the copy of a store into its memory: the namespaces and entries that the copy has, and the
 * bytes of values that gave up their memory. mirror.h says what a copy is, and which threads may
 * call. */
#ifndef STEADYCACHE_MEMORY_MIRROR_COPY_H
#define STEADYCACHE_MEMORY_MIRROR_COPY_H

#include "backends/memory/mirror/mirror.h"

/* An entry of the copy. Everything is borrowed. */
struct mirror_row {
	struct slice key, type;
	const void *bytes; /* of the value; NULL: it stays in the copy */
	uint64_t len_bytes, size_bytes;
	uint8_t flags;
	struct etag etag;
	int64_t modified_at_us, expires_at_us;
	struct cache_history history; /* its times are of the order clock */
};

/* The clock of the order of eviction, and how it continues, before any op. */
const struct order_clock *mirror_clock(const struct namespaces *all);
void mirror_restore_clock(struct namespaces *all, const struct order_clock_state *state);
/* Creates a namespace of the copy, before any op. NULL: out of memory. */
struct namespace *mirror_adopt_namespace(struct namespaces *all,
					 const struct namespace_stats *stats);
/* Adds an entry of the copy, unless its key is known. With its bytes if there is room for them in
 * memory. False: out of memory. *ret_expires: it expires. */
bool mirror_adopt(struct namespaces *all, struct namespace *ns, const struct mirror_row *row,
		  bool *ret_expires);
/* Whether it is known if the key exists: there is an entry of it, or it was removed. Otherwise the
 * copy must be asked. NULL `ns`: it is known that there is none. */
bool mirror_knows(struct namespace *ns, struct slice key);
/* All of the copy is loaded: accounts that were kept for more are given back. */
void mirror_end_load(struct namespaces *all);

/* Has values that the copy has give up their memory until all entries use at most `goal_bytes`. */
void mirror_spill(struct namespaces *all, uint64_t goal_bytes);
/* Gives a head its bytes back, if it is still the entry and there is room; `head` and `whole` have
 * the same times and ETag. */
void mirror_promote(struct namespaces *all, struct namespace *ns, struct slice key,
		    const struct cache_value *head, struct cache_value *whole);

#endif
