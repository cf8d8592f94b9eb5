/* An operation of the store that a request asks for. */
#ifndef STEADYCACHE_LIBRARY_CALL_H
#define STEADYCACHE_LIBRARY_CALL_H

#include <semaphore.h>

#include "library/completion.h"
#include "library/store.h"

struct library_call {
	struct library_completion completion;
	struct cache_op op;
	struct steadycache *store;
	struct library_lane *lane;
	struct steadycache_request *request;
	struct cache_item *items; /* of several keys; NULL: op.one */
	struct etag etag;         /* of the condition */
	sem_t over;               /* of a call that is waited for */
};

#endif
