#include "backends/redis/dialects.h"

#include <stdlib.h>

#include "backends/redis/batch.h"
#include "backends/redis/read.h"
#include "backends/redis/verdict.h"
#include "backends/redis/write.h"

static enum cache_status accepts(const struct remote_context *context, struct cache_op *op)
{
	(void)context;
	/* It begins, perhaps again: Redis did not speak the other dialect. */
	if (op->type != CACHE_OP_CLEAR || op->part == 0 || op->progress != PHASE_UNNAME)
		op->progress = PHASE_FIRST;
	if (op->type == CACHE_OP_STATS) {
		free(op->stats);
		op->stats = NULL;
		op->stats_count = 0;
	}
	return CACHE_OK;
}

/* Reads go with reads and writes with writes, in a Cluster those of one partition; what may take
 * long goes alone, and so does what keeps a place in its batch. */
static bool joins(const struct remote_call *call, const struct remote_job *job)
{
	const struct remote_job *first = call->jobs.first;

	if (job->op->part > 0 &&
	    (first->op->part != job->op->part || first->ns_hash != job->ns_hash))
		return false;
	if (first->op->type == job->op->type &&
	    (job->op->type == CACHE_OP_SYNC || job->op->type == CACHE_OP_LEASE_TAKE ||
	     job->op->type == CACHE_OP_LEASE_END))
		return true;
	return cache_op_has_items(first->op->type) && cache_op_has_items(job->op->type) &&
	       first->is_write == job->is_write;
}

static void discard(struct remote_call *call)
{
	redis_batch_free(call->state);
	call->state = NULL;
}

const struct remote_dialect redis_dialects_functions = {
	.accepts = accepts,
	.joins = joins,
	.write = redis_write_functions,
	.is_foreign = redis_verdict_lacks_functions,
	.reads = redis_read_wants,
	.read = redis_read,
	.discard = discard,
};

const struct remote_dialect redis_dialects_script = {
	.accepts = accepts,
	.joins = joins,
	.write = redis_write_script,
	.reads = redis_read_wants,
	.read = redis_read,
	.discard = discard,
};
