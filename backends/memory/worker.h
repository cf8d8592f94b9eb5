/* The background thread of the memory backend: operations that pass over many entries, tables that
 * were cleared, and the sweep of expired entries and of runs (walk.h). On a server where no entry
 * has a TTL it sleeps until it is given work. */
#ifndef STEADYCACHE_MEMORY_WORKER_H
#define STEADYCACHE_MEMORY_WORKER_H

#include <pthread.h>

#include "backends/memory/namespace.h"
#include "store/backend.h"

/* What a CLEAR took out of a namespace, to be freed. */
struct cleared {
	struct cleared *next;
	struct table tables[SHARDS];
};

struct worker {
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;
	bool stop;
	struct cache_op *first, **last; /* the queue, linked by op->next */
	struct cleared *cleared;

	bool has_runs; /* the thread's own: there are some to be freed in time */
	struct namespaces *namespaces;
	const struct cache_clock *clock;
	void (*run)(struct namespaces *all, struct cache_op *op, int64_t now_us);
};

/* Starts the thread, which calls `run` for each op it is given; run completes the op. False: no
 * thread could be had. */
bool worker_start(struct worker *worker, struct namespaces *namespaces,
		  const struct cache_clock *clock,
		  void (*run)(struct namespaces *all, struct cache_op *op, int64_t now_us));
/* Finishes what was queued and ends the thread. */
void worker_stop(struct worker *worker);

/* All three: any thread, without a lock held. */
void worker_submit(struct worker *worker, struct cache_op *op);
void worker_free(struct worker *worker, struct cleared *cleared); /* takes it over */
void worker_wake(struct worker *worker); /* an entry has a TTL where none had one */

#endif
