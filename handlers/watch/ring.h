/* The latest changes of a namespace, in the order in which they happened: a ring of bytes. A
 * position is a number of bytes since its beginning; it only grows, and so tells who has read how
 * far. What nobody has read in time gives way.
 *
 * No lock of its own. */
#ifndef STEADYCACHE_HANDLERS_RING_H
#define STEADYCACHE_HANDLERS_RING_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/buffer.h"
#include "store/change.h"

/* The largest ring, and what all together may have beyond the smallest. */
#define WATCH_RING_MAX_BYTES  ((size_t)256 << 10)
#define WATCH_RINGS_MAX_BYTES ((size_t)64 << 20)

/* A zeroed one is empty and valid. */
struct watch_ring {
	char *data;          /* malloc'ed; the byte at a position is at position % capacity */
	size_t capacity;     /* a power of two, or 0 */
	uint64_t tail, head; /* positions: of the oldest change, and behind the latest */
};

struct watch_record {
	enum cache_change_kind kind;
	struct slice key; /* of the change */
	size_t len;       /* of the record: it ends that far behind its position */
};

/* Appends a change. What has no room, or no memory, is a gap. `all_bytes`: of all rings. */
void watch_ring_append(struct watch_ring *ring, enum cache_change_kind kind, struct slice key,
		       atomic_size_t *all_bytes);
/* Changes are not known: whoever has not read to the new head has missed some. */
void watch_ring_gap(struct watch_ring *ring);
void watch_ring_deinit(struct watch_ring *ring, atomic_size_t *all_bytes);

/* Whether a record begins at `position`, or the ring ends there: whoever read up to there goes on.
 */
bool watch_ring_has(const struct watch_ring *ring, uint64_t position);
/* Appends the records from `position` on to `ret`, up to `max_bytes`, but at least one. Returns
 * where the next begins; out of memory: `position`, with ret->failed. */
uint64_t watch_ring_copy(const struct watch_ring *ring, uint64_t position, size_t max_bytes,
			 struct buffer *ret);

/* Takes the first record of those that were copied. False: there is none. */
bool watch_record_take(struct slice *left, struct watch_record *ret);
/* Whether it concerns who watches keys with that prefix. */
bool watch_record_concerns(const struct watch_record *record, struct slice prefix);

#endif
