/* Which operations of a call share an op of a request to POST /ops. */
#ifndef STEADYCACHE_D1_OPS_GROUP_H
#define STEADYCACHE_D1_OPS_GROUP_H

#include "backends/remote/call.h"

/* One op of the request: the single gets (or deletes, ...) of one namespace share an op, everything
 * else has its own. */
struct ops_group {
	enum cache_op_type type;
	bool is_shared;
	struct remote_job *first, *last; /* by `grouped` */
	size_t item_count;
};

/* call->state: the composition of the last request. */
struct ops_state {
	size_t group_count;
	struct ops_group groups[]; /* as many as the call has jobs */
};

/* Groups the jobs of a call that have ops. The caller frees it. NULL: out of memory. */
struct ops_state *d1_ops_group(const struct remote_call *call);

#endif
