/* The near cache's store: values of another backend by namespace and key, evicting the least
 * recently used, under a limit of bytes.
 *
 * It shares the values (they are immutable and counted), so neither a fill nor a hit copies bytes.
 *
 * The race that matters: a get is on its way to the backend, a write of the same key overtakes it,
 * and the old answer comes back and would be kept. So a fill takes a note of the key's version
 * before it asks the backend; a write changes the version when it begins and when it ends; and a
 * fill is dropped if the version has changed since its note, or a write is in progress. Versions
 * are kept in slots that many keys share: at worst a fill is dropped unnecessarily. A whole
 * namespace has a version too.
 *
 * A write that somebody else did, of which the backend tells, changes the version once: behind it.
 * The backend has it by then, so a fill with a later note has it, too. And a write of our own that
 * is in progress keeps nothing: which of the two came later is not known here.
 *
 * A namespace has an epoch as well, which a copy remembers from its note; when the namespace is
 * cleared as a whole, or by somebody else, the epoch changes, and copies of former ones are found
 * no more. So that takes no time, however many there are; they go as others need their room.
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
	uint32_t ns_epoch;
	bool may_fill; /* no write was in progress */
};

struct near_counts {
	uint64_t entries, bytes, hits, misses, stale, fills, evictions;
};

/* `max_bytes` in total, including overhead. NULL: out of memory. */
struct near *near_create(size_t max_bytes);
void near_destroy(struct near *near);

struct near_key near_key_of(const struct near *near, struct slice ns, struct slice key);

/* A reference to the value, if there is one that was fetched from the backend after `not_before_us`
 * and whose own time to live is not over at `now_us`; else NULL. *ret_fetched_us: when it was; NULL
 * is fine. */
struct cache_value *near_find(struct near *near, const struct near_key *key, int64_t now_us,
			      int64_t not_before_us, int64_t *ret_fetched_us);

/* A note for near_fill; take it before the backend is asked. */
void near_note(struct near *near, const struct near_key *key, struct near_note *ret_note);

/* Keeps `value` (another reference), which the backend was asked for at `fetched_us`, after the
 * note was taken. May decide not to. */
void near_fill(struct near *near, const struct near_key *key, struct cache_value *value,
	       int64_t fetched_us, const struct near_note *note);

/* Call these around a write of the key. The previous value is gone from the begin on. After a
 * write that certainly stored `value`, that is kept, unless another write came in between; NULL:
 * none is. */
void near_begin_write(struct near *near, const struct near_key *key, struct near_note *ret_note);
void near_end_write(struct near *near, const struct near_key *key, struct cache_value *value,
		    int64_t fetched_us, const struct near_note *note);

/* Call these around a write of a whole namespace, or of its keys with `prefix`. The previous values
 * are gone from the end on. */
void near_begin_clear(struct near *near, struct slice ns);
void near_end_clear(struct near *near, struct slice ns, struct slice prefix);

/* Somebody else wrote the key, or some or all of a namespace, or anything: the previous values are
 * gone. */
void near_forget(struct near *near, const struct near_key *key);
void near_forget_namespace(struct near *near, struct slice ns);
void near_forget_all(struct near *near);

/* Counts the caller's use of a look-up. */
void near_count_stale(struct near *near);
struct near_counts near_counts(struct near *near);

#endif
