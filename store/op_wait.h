/* Waits for the end of operations, on a thread that has nothing else to do. */
#ifndef STEADYCACHE_STORE_OP_WAIT_H
#define STEADYCACHE_STORE_OP_WAIT_H

#include <pthread.h>

#include "store/op.h"

struct op_wait {
	pthread_mutex_t lock; /* guards the count */
	pthread_cond_t over;
	size_t pending;
};
#define OP_WAIT_INITIALIZER                                                                        \
	{                                                                                          \
		.lock = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER                \
	}

/* Makes `op`, which is about to be submitted, one of those that are waited for: sets its `done` and
 * its `user`. */
void op_wait_add(struct op_wait *wait, struct cache_op *op);
/* Returns when all are done. */
void op_wait_end(struct op_wait *wait);

#endif
