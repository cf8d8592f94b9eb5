/* What the parts of memory that persists share; persist.c explains them. */
#ifndef STEADYCACHE_PERSIST_STATE_H
#define STEADYCACHE_PERSIST_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "backends/memory/mirror/mirror.h"
#include "store/op_queue.h"

struct rows;

/* What the last attempt to write was refused with. */
struct persist_failure {
	enum cache_status status; /* CACHE_OK: it was not */
	char sentence[160];
};

/* Figures for gauges; any thread. */
struct persist_counts {
	atomic_ullong flushes, failures, written, removed, busy_us, fetches;
	atomic_ullong loaded, to_load;
	atomic_bool is_failing;
	/* Removed keys that a flush has in hand. */
	atomic_ullong in_hand;
};

struct persist {
	struct backend backend; /* first, because callers of the contract get a pointer to it */
	struct backend_config config;
	struct cache_clock clock;
	int64_t every_us, slack_us;
	uint64_t resident_bytes; /* what is left of the memory after a flush; UINT64_MAX: all */
	int folder_lock;         /* a descriptor, or -1 */
	struct backend *memory;  /* the authority */
	struct backend *file;    /* its copy: SQLite, which follows */
	struct namespaces *all;  /* of memory */
	struct memory_mirror mirror;
	struct persist_counts counts;
	/* Monotonic: everything that was done before then is in the file. */
	_Atomic int64_t saved_until_us;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;
	bool stop;
	struct op_queue unknown;  /* while it loads: ops of keys that may be in the file */
	struct op_queue unloaded; /* ops that wait for the end of the load */
	struct op_queue parked;   /* SETs that wait until something is saved */
	struct op_queue syncs;
	struct persist_failure failure;

	/* The thread's own: */
	pthread_t thread;
	bool has_thread;
	struct rows *rows;         /* while it loads */
	struct persist_left *left; /* of a flush that failed */
};

/* Empties one of the queues; what was in it. */
static inline struct op_queue persist_take(struct persist *persist, struct op_queue *queue)
{
	(void)pthread_mutex_lock(&persist->lock);
	struct op_queue ops = op_queue_take(queue);
	(void)pthread_mutex_unlock(&persist->lock);
	return ops;
}

#endif
