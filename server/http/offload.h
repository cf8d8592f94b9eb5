/* Threads beside the event loops, for the work of a request that would block a loop: reading a
 * large body, hashing a large value, making a large answer. Jobs run in the order in which they
 * came, one per thread. A connection has at most one job, so the number of connections bounds the
 * queue. */
#ifndef STEADYCACHE_SERVER_OFFLOAD_H
#define STEADYCACHE_SERVER_OFFLOAD_H

#include <pthread.h>
#include <stdbool.h>

#define OFFLOAD_THREADS_MAX 16

/* A part of the struct that it works on, whose life the submitter manages. */
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

/* Starts `threads` threads, up to OFFLOAD_THREADS_MAX. False: not one could be started. */
bool offload_init(struct offload *offload, unsigned threads);
/* Runs the waiting jobs, and ends the threads. */
void offload_deinit(struct offload *offload);

/* Queues `job`. Any thread. */
void offload_submit(struct offload *offload, struct offload_job *job);

#endif
