/* The dialect of our Worker, POST /ops (docs/ops-protocol.md): its parts. */
#ifndef STEADYCACHE_D1_OPS_H
#define STEADYCACHE_D1_OPS_H

#include <jansson.h>

#include "backends/remote/protocol.h"

extern const struct remote_dialect d1_ops_dialect;

#define D1_DEFAULT_POLICY EVICT_FRECENCY

/* Entries in one answer to a scan; a longer listing takes several requests. */
#define OPS_SCAN_MAX 1000

/* One op of the request: the single gets (or deletes, ...) of one namespace stand in one op
 * together, everything else has its own. */
struct ops_group {
	enum cache_op_type type;
	bool is_shared;
	struct remote_job *first, *last; /* by `grouped` */
	size_t item_count;
};

/* call->state: how the last request was made up. */
struct ops_state {
	size_t group_count;
	struct ops_group groups[]; /* as many as the call has jobs */
};

bool d1_ops_write(const struct remote_context *context, struct remote_call *call,
		  const char **ret_path, struct buffer *body);
enum remote_step d1_ops_read(const struct remote_context *context, struct remote_call *call,
			     long status, struct slice body);

/* Whether `results` is what the protocol has for the groups of `state`. */
bool d1_ops_is_sound(const json_t *results, const struct ops_state *state);
/* The status of a result or an item; CACHE_INTERNAL where it is none that is known. */
enum cache_status d1_ops_status(const json_t *result);

/* Groups the jobs of a call that have ops; NULL: out of memory. To be freed. */
struct ops_state *d1_ops_group(const struct remote_call *call);

/* The settings that a namespace has where nothing was configured. */
void d1_default_settings(const struct remote_context *context, struct slice ns,
			 struct namespace_settings *ret);

#endif
