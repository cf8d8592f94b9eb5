/* Which thread runs an operation, and how waiting writes are joined.
 *
 *     driver does not block     the caller's thread runs it; a CLEAR or CONFIGURE of a large
 *                               namespace goes to the writer
 *     driver blocks             readers:  GET, EXISTS, SCAN, CHECK, at the same time
 *                               writer:   all others; waiting SETs and DELETEs are one group,
 *                                         which is one apply
 *
 * Every KEEPER_TIDY_MS the writer also sweeps and reports uses, in steps between groups. */
#ifndef STEADYCACHE_KEEPER_WORK_H
#define STEADYCACHE_KEEPER_WORK_H

#include <pthread.h>

#include "store/backend.h"
#include "store/op_queue.h"

struct keeper;

#define KEEPER_READERS 8
#define KEEPER_TIDY_MS INT64_C(250)

struct keeper_work {
	pthread_mutex_t lock;
	pthread_cond_t reads_come, writes_come;
	struct op_queue reads, writes;
	bool stops;
	int64_t hurry_us; /* from then on (monotonic) waiting ops are refused; 0: no hurry */
	pthread_t readers[KEEPER_READERS], writer;
	unsigned reader_count;
	bool has_writer;
};

/* Starts the threads. False: they could not be started; call keeper_work_stop then too. */
bool keeper_work_start(struct keeper *keeper);
/* No op may be in progress. */
void keeper_work_stop(struct keeper *keeper);

/* Runs `op`, or queues it. Any thread. */
void keeper_work_submit(struct keeper *keeper, struct cache_op *op);

/* In two seconds, ops that still wait are refused. */
void keeper_work_hurry(struct keeper *keeper);

#endif
