#include "server/http/guard_table.h"

#include <stdlib.h>

struct guard *_Atomic *_Atomic guard_table_blocks[GUARD_BLOCKS];

bool guard_table_put(int fd, struct guard *guard)
{
	if ((unsigned)fd >= GUARD_BLOCKS * GUARD_BLOCK)
		return false;
	struct guard *_Atomic *_Atomic *place = &guard_table_blocks[(unsigned)fd / GUARD_BLOCK];
	struct guard *_Atomic *block = atomic_load(place);
	if (!block) {
		struct guard *_Atomic *made = calloc(GUARD_BLOCK, sizeof(*made));

		if (!made)
			return false;
		/* Another thread may have been first. */
		if (atomic_compare_exchange_strong(place, &block, made))
			block = made;
		else
			free(made);
	}
	atomic_store(&block[(unsigned)fd % GUARD_BLOCK], guard);
	return true;
}

void guard_table_remove(int fd)
{
	if (guard_table_find(fd))
		(void)guard_table_put(fd, NULL);
}
