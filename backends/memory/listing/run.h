/* A run: the smallest keys of a namespace after a given one, as many as fit into one block of
 * memory, in byte order. run.c explains it. One thread at a time. */
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
	uint64_t head; /* its first bytes after the common prefix, as a number */
	uint32_t offset, len;
};

struct run {
	char *start; /* malloc'ed: the run has only keys after it */
	size_t start_len;
	char *block; /* malloc'ed: keys from its beginning on, `keys` down from its end */
	size_t block_bytes, key_bytes;
	struct run_key *keys;
	size_t count;
	size_t common_len; /* length of the prefix that all keys share, once it is sealed */

	/* The largest key, if keys after it were left out. */
	bool is_cut;
	struct slice cut;

	/* Sorted so far. After it each part [.., bound) has smaller keys than what follows; the
	 * last bound is the nearest. */
	size_t sorted_count;
	size_t bounds[RUN_BOUNDS_MAX];
	size_t bound_count;
};

/* Makes an empty run of keys after `start` (copied). `block_bytes` is from RUN_BLOCK_MIN to
 * RUN_BLOCK_MAX. False: out of memory, and nothing has to be freed. */
bool run_init(struct run *run, size_t block_bytes, struct slice start);
void run_deinit(struct run *run); /* a zeroed one is allowed */

/* Adds `key` (copied), which must not have been added before, if it is after the start and not
 * after the cut. False: it is too long for the block, or out of memory; the run cannot be used
 * then. */
bool run_add(struct run *run, struct slice key);

/* Cuts the run if its block is nearly full, which takes time: so that run_add, with a lock held,
 * need not. False: out of memory. */
bool run_make_room(struct run *run);

/* All keys were added; call it before those below. */
void run_seal(struct run *run);

/* Whether the run has all keys after `after`, up to its cut. */
bool run_covers(const struct run *run, struct slice after);

/* The position of the first key after `after`, which the run must cover; run->count: none. */
size_t run_find(struct run *run, struct slice after);

/* The key at `position` < run->count, valid until run_deinit. Sorts up to it if necessary. */
struct slice run_key_at(struct run *run, size_t position);

#endif
