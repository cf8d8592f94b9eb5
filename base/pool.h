/* Threads for work that may wait for a disk, or takes long. Jobs begin in the order in which they
 * came, one per thread. */
#ifndef STEADYCACHE_BASE_POOL_H
#define STEADYCACHE_BASE_POOL_H

struct pool;

/* A part of the struct that it works on, whose life the submitter manages. */
struct pool_job {
	struct pool_job *next;
	/* The job's last act may free it. */
	void (*run)(struct pool_job *job);
	void *user; /* the submitter's */
};

/* `name`: of the threads, up to 15 characters. NULL: no thread could be started. */
struct pool *pool_create(const char *name, unsigned threads);
/* Runs the waiting jobs, and those that they submit, and ends the threads. NULL is allowed. */
void pool_destroy(struct pool *pool);

/* Queues `job`, of which `run` and `user` are set. Any thread. */
void pool_submit(struct pool *pool, struct pool_job *job);

#endif
