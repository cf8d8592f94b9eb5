/* What a thread of the store waits at: operations, and word that something is due. The thread that
 * works looks at the members itself, with the lock held; all others call functions. */
#ifndef STEADYCACHE_SQLITE_INBOX_H
#define STEADYCACHE_SQLITE_INBOX_H

#include <pthread.h>

#include "store/op_queue.h"

struct inbox {
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;  /* something below has changed; waits are of thread_wait_until() */
	struct op_queue queue;
	bool is_due;            /* there is housekeeping to do */
	bool stop;              /* end as soon as the queue is empty */
	int64_t hurry_since_us; /* monotonic: when the end of the process began; 0: it has not */
};

void inbox_init(struct inbox *inbox);
void inbox_deinit(struct inbox *inbox);

/* Any thread, as all below. */
void inbox_submit(struct inbox *inbox, struct cache_op *op);
/* Asks for a bit of housekeeping. */
void inbox_nudge(struct inbox *inbox);
void inbox_hurry(struct inbox *inbox);
void inbox_stop(struct inbox *inbox);
/* Operations that wait. */
size_t inbox_length(struct inbox *inbox);

#endif
