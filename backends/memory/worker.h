/* The background thread of the memory backend: operations that visit many entries, tables that were
 * cleared, and the sweep of expired and unused entries and of runs (listing/walk.h). On a server
 * where no entry has a TTL, and no namespace an idle time, it sleeps until it gets work. */
#ifndef STEADYCACHE_MEMORY_WORKER_H
#define STEADYCACHE_MEMORY_WORKER_H

#include <pthread.h>

#include "backends/memory/clear.h"
#include "backends/memory/listing/walk.h"
#include "store/op_queue.h"

/* Runs an op to its end, and completes it. */
typedef void worker_run_fn(struct walks *walks, struct cache_op *op, int64_t now_us);

struct worker {
	pthread_t thread;
	pthread_mutex_t lock; /* guards the members below */
	pthread_cond_t wake;
	bool stop;
	struct op_queue ops;
	struct cleared *cleared;

	struct walks walks; /* the thread's own */
	bool has_runs;      /* the thread's own: some must be freed in time */
	const struct cache_clock *clock;
	worker_run_fn *run;
};

/* Starts the thread, which calls `run` for each op that it gets. False: no thread could be
 * started. */
bool worker_start(struct worker *worker, struct namespaces *namespaces,
		  const struct cache_clock *clock, worker_run_fn *run);
/* Finishes the queue and ends the thread. */
void worker_stop(struct worker *worker);

/* All three: any thread, without a lock held. */
void worker_submit(struct worker *worker, struct cache_op *op);
void worker_free(struct worker *worker, struct cleared *cleared); /* takes it over */
void worker_wake(struct worker *worker); /* the first entry with a TTL was added, or the first
					  * idle time set */

#endif
