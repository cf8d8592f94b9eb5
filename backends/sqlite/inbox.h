/* What a thread of the store waits for: operations, and signals that something is due. The working
 * thread itself accesses the members, with the lock held; all others call functions. */
#ifndef STEADYCACHE_SQLITE_INBOX_H
#define STEADYCACHE_SQLITE_INBOX_H

#include <pthread.h>

#include "store/op_queue.h"

struct inbox {
	pthread_mutex_t lock; /* guards the members below */
	pthread_cond_t wake;  /* something below has changed; wait with thread_wait_until() */
	struct op_queue queue;
	bool is_due;            /* housekeeping is due */
	bool stop;              /* end as soon as the queue is empty */
	int64_t hurry_since_us; /* monotonic: when the end of the process began; 0: it has not */
};

void inbox_init(struct inbox *inbox);
void inbox_deinit(struct inbox *inbox);

/* Any thread, as for all below. */
void inbox_submit(struct inbox *inbox, struct cache_op *op);
/* Asks for some housekeeping. */
void inbox_nudge(struct inbox *inbox);
void inbox_hurry(struct inbox *inbox);
void inbox_stop(struct inbox *inbox);
/* The number of waiting operations. */
size_t inbox_length(struct inbox *inbox);

#endif
