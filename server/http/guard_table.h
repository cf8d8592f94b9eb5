/* The guard of each descriptor's connection, for the functions with which the HTTP library
 * reads. */
#ifndef STEADYCACHE_SERVER_GUARD_TABLE_H
#define STEADYCACHE_SERVER_GUARD_TABLE_H

#include <stdatomic.h>

#include "server/http/guard.h"

/* Descriptors up to GUARD_BLOCKS * GUARD_BLOCK can have one. */
#define GUARD_BLOCKS 4096
#define GUARD_BLOCK  1024

extern struct guard *_Atomic *_Atomic guard_table_blocks[GUARD_BLOCKS];

/* False: out of memory, or the descriptor is too large. Any thread. */
bool guard_table_put(int fd, struct guard *guard);
/* Call it before the descriptor is closed. */
void guard_table_remove(int fd);

/* NULL: none. Any thread. */
static inline struct guard *guard_table_find(int fd)
{
	if ((unsigned)fd >= GUARD_BLOCKS * GUARD_BLOCK)
		return NULL;
	struct guard *_Atomic *block = atomic_load_explicit(
		&guard_table_blocks[(unsigned)fd / GUARD_BLOCK], memory_order_acquire);
	return block ? atomic_load_explicit(&block[(unsigned)fd % GUARD_BLOCK],
					    memory_order_acquire)
		     : NULL;
}

#endif
