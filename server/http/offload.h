/* Threads beside the event loops, for the work of a request that would hold a loop up: reading a
 * large body, hashing a large value, making a large answer. Jobs are run in the order in which they
 * came, one a thread. A connection has one job at most, so what waits is bounded by the number of
 * connections. */
#ifndef STEADYCACHE_SERVER_OFFLOAD_H
#define STEADYCACHE_SERVER_OFFLOAD_H

#include <pthread.h>
#include <stdbool.h>

#define OFFLOAD_THREADS_MAX 16

/* A part of what it belongs to, whose life is the submitter's business. */
struct offload_job {
	struct offload_job *next;
	/* The job's last act may free it. */
	void (*run)(struct offload_job *job);
};

struct offload {
	pthread_mutex_t lock; /* guards the three below */
	pthread_cond_t wake;
	struct offload_job *first, **last;
	bool stop;
	unsigned thread_count;
	pthread_t threads[OFFLOAD_THREADS_MAX];
};

/* Starts `threads` threads, up to OFFLOAD_THREADS_MAX. False: not one was to be had. */
bool offload_init(struct offload *offload, unsigned threads);
/* Runs what waits, and ends the threads. */
void offload_deinit(struct offload *offload);

/* Has `job` run soon. Any thread. */
void offload_submit(struct offload *offload, struct offload_job *job);

#endif
