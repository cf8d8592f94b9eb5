/* The folder in which a process has its spools. */
#ifndef STEADYCACHE_LARGE_SPOOL_PLACE_H
#define STEADYCACHE_LARGE_SPOOL_PLACE_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/pool.h"

struct spool_place {
	char folder[PATH_MAX]; /* its own */
	int lock;              /* tells others that the process lives */
	struct pool *pool;     /* for what closes and removes */
	atomic_ulong next;     /* number of a file */
	/* The volume is full: makes room, which may take seconds; false: there is none. May be
	 * NULL. */
	bool (*make_room)(void *user);
	void *user;
};

/* Makes a folder in `parent` (which is made too), and removes there what processes that ended have
 * left. Sets `folder` and `lock`; the other members are the caller's. False: error says why. */
bool spool_place_open(struct spool_place *place, const char *parent, char *error,
		      size_t error_size);
/* No spool and no body of one may be left. */
void spool_place_close(struct spool_place *place);

#endif
