/* A run: the smallest keys of a namespace behind a given one, as many as fit into one block of
 * memory, in byte order. The essay is in run.c. One thread at a time. */
#ifndef STEADYCACHE_MEMORY_RUN_H
#define STEADYCACHE_MEMORY_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* Least size of a block, bytes. */
#define RUN_BLOCK_MIN ((size_t)4096)
/* Largest: positions in it are 32 bits. */
#define RUN_BLOCK_MAX ((size_t)1 << 30)

#define RUN_BOUNDS_MAX 64

/* A key in the block. */
struct run_key {
	uint64_t head; /* its first bytes behind what all keys begin with, as a number */
	uint32_t offset, len;
};

struct run {
	char *start; /* malloc'ed: the run has only keys behind it */
	size_t start_len;
	char *block; /* malloc'ed: keys from its begin on, `keys` down from its end */
	size_t block_bytes, key_bytes;
	struct run_key *keys;
	size_t count;
	size_t common_len; /* bytes that all keys begin with, when it is sealed */

	/* The largest key, where keys behind it were left out. */
	bool is_cut;
	struct slice cut;

	/* Sorted so far. Behind it each part [.., bound) has smaller keys than what follows; the
	 * last bound is the nearest. */
	size_t sorted_count;
	size_t bounds[RUN_BOUNDS_MAX];
	size_t bound_count;
};

/* A run of keys behind `start` (copied), empty. `block_bytes` from RUN_BLOCK_MIN to RUN_BLOCK_MAX.
 * False: out of memory, and nothing is to be freed. */
bool run_init(struct run *run, size_t block_bytes, struct slice start);
void run_deinit(struct run *run); /* a zeroed one is fine */

/* Adds `key` (copied), which was not added before, if it is behind the start and not behind the
 * cut. False: it is too long for the block, or out of memory; the run is of no use then. */
bool run_add(struct run *run, struct slice key);

/* Cuts the run where a block that is rather full should get room, which takes time: so that
 * run_add, with a lock held, need not. False: out of memory. */
bool run_make_room(struct run *run);

/* All keys were added; to be called before those below. */
void run_seal(struct run *run);

/* Whether the run has all keys behind `after`, up to its cut. */
bool run_covers(const struct run *run, struct slice after);

/* The position of the first key behind `after`, which the run covers; run->count: none. */
size_t run_find(struct run *run, struct slice after);

/* The key at `position` < run->count, until run_deinit. What is not sorted yet is sorted up to it.
 */
struct slice run_key_at(struct run *run, size_t position);

#endif
