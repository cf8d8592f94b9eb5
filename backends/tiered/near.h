/* The near cache's store: values of another backend by namespace and key, least recently used out
 * first, under a limit of bytes.
 *
 * It shares the values (they are immutable and counted), so neither a fill nor a hit copies bytes.
 *
 * The race that matters: a get is on its way to the backend, a write of the same key overtakes it,
 * and the old answer comes back and would be kept. So who asks the backend first takes a note of
 * the key's version; a write changes the version when it begins and when it ends; and a fill is
 * refused where the version is not that of the note, or a write is under way. Versions are kept for
 * slots that many keys share: at worst a fill is refused for nothing. A whole namespace has a
 * version too.
 *
 * Any thread. */
#ifndef STEADYCACHE_TIERED_NEAR_H
#define STEADYCACHE_TIERED_NEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/value.h"

struct near;

/* A key with its hashes; borrows both slices. */
struct near_key {
	struct slice ns, key;
	uint64_t hash, ns_hash;
};

struct near_note {
	uint64_t version, ns_version;
	bool may_fill; /* no write was under way */
};

struct near_counts {
	uint64_t entries, bytes, hits, misses, stale, fills, evictions;
};

/* `max_bytes` in all, overhead included. NULL: out of memory. */
struct near *near_create(size_t max_bytes);
void near_destroy(struct near *near);

struct near_key near_key_of(const struct near *near, struct slice ns, struct slice key);

/* A reference to the value, where there is one that was taken from the backend after
 * `not_before_us` and whose own time to live is not over at `now_us`; else NULL. */
struct cache_value *near_find(struct near *near, const struct near_key *key, int64_t now_us,
			      int64_t not_before_us);

/* A note for near_fill, to be taken before the backend is asked. */
void near_note(struct near *near, const struct near_key *key, struct near_note *ret_note);

/* Keeps `value` (a further reference), which the backend was asked for at `fetched_us`, after the
 * note was taken. May decide not to. */
void near_fill(struct near *near, const struct near_key *key, struct cache_value *value,
	       int64_t fetched_us, const struct near_note *note);

/* Around a write of the key. The value that there was is gone from begin on. After a write that
 * stored `value` for sure, that is kept, unless another write came in between; NULL: nothing is. */
void near_begin_write(struct near *near, const struct near_key *key, struct near_note *ret_note);
void near_end_write(struct near *near, const struct near_key *key, struct cache_value *value,
		    int64_t fetched_us, const struct near_note *note);

/* Around a write of a whole namespace, or of its keys with `prefix`. What there was is gone from
 * the end on. */
void near_begin_clear(struct near *near, struct slice ns);
void near_end_clear(struct near *near, struct slice ns, struct slice prefix);

/* Counts what the caller made of a look-up. */
void near_count_stale(struct near *near);
struct near_counts near_counts(struct near *near);

#endif
