/* The threads of the layer, for what would keep an event loop for long. They start when they are
 * first needed. */
#ifndef STEADYCACHE_PACKED_PACKED_WORK_H
#define STEADYCACHE_PACKED_PACKED_WORK_H

#include <stdbool.h>

#include "base/pool.h"

struct packed_work;

/* NULL: out of memory. */
struct packed_work *packed_work_create(void);
/* NULL is allowed. No job may be left. */
void packed_work_destroy(struct packed_work *work);

/* Gives a job to the threads, which is one of few: false, with nothing done, if many wait, or there
 * are no threads. */
bool packed_work_try(struct packed_work *work, struct pool_job *job);
/* The same however many wait. False: there are no threads. */
bool packed_work_submit(struct packed_work *work, struct pool_job *job);
/* At the end of each job. */
void packed_work_ended(struct packed_work *work);

#endif
