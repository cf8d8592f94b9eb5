/* The number of partitions is a property of the data in a Cluster: the first server writes its own
 * to PREFIX:partitions, and one that has another refuses to work. I/O thread. */
#ifndef STEADYCACHE_REDIS_CLAIM_H
#define STEADYCACHE_REDIS_CLAIM_H

#include "backends/redis/batch.h"

/* Whether a call has to ask for the number first: nobody asked yet, or it is housekeeping's and
 * that was a while ago. */
bool redis_claim_is_due(const struct remote_context *context, const struct remote_call *call,
			int64_t now_us);

/* The commands that ask: SET with NX, then GET. False: out of memory. */
bool redis_claim_gather(const struct redis_state *state, struct redis_batch *batch);

/* Reads their replies: the call goes on, or all its operations fail. */
void redis_claim_read(const struct remote_context *context, struct remote_call *call,
		      const struct remote_answer *answer);

#endif
