#include "backends/d1/ops.h"

#include <stdlib.h>

#include "backends/d1/ops_read.h"
#include "backends/d1/ops_write.h"
#include "base/utf8.h"

/* The protocol's limit for a request. */
#define OPS_ITEMS_MAX 10000

static enum cache_status ops_accepts(const struct remote_context *context, struct cache_op *op)
{
	(void)context;
	for (size_t i = 0; op->type == CACHE_OP_SET && i < op->item_count; i++)
		if (!utf8_is_valid(cache_value_head(op->items[i].value))) {
			op->detail = "D1 keeps only content types that are UTF-8";
			return CACHE_UNSUPPORTED;
		}
	if (!cache_op_has_items(op->type) || op->item_count <= OPS_ITEMS_MAX)
		return CACHE_OK;
	op->detail = "the d1 backend takes up to 10,000 items in one batch";
	return CACHE_TOO_LARGE;
}

/* Flags of values that an older Worker does not know. */
#define NEW_FORMS (CACHE_VALUE_REFERENCE | CACHE_VALUE_ZSTD)

static unsigned forms_of(const struct cache_op *op)
{
	unsigned flags = 0;

	for (size_t i = 0; op->type == CACHE_OP_SET && i < op->item_count; i++)
		flags |= op->items[i].value->flags;
	return flags & NEW_FORMS;
}

static bool ops_joins(const struct remote_call *call, const struct remote_job *job)
{
	/* Listings may take several requests and statistics take long: do not put other operations
	 * into their request. */
	const struct cache_op *first = call->jobs.first->op;

	/* A Worker that does not know something refuses a request with it as a whole. */
	return cache_op_has_items(first->type) && cache_op_has_items(job->op->type) &&
	       (first->type == CACHE_OP_EXPIRE) == (job->op->type == CACHE_OP_EXPIRE) &&
	       forms_of(first) == forms_of(job->op);
}

/* The original Worker does not know /ops. */
static bool ops_is_foreign(const struct remote_answer *answer)
{
	return answer->status == 404;
}

static bool ops_reads(const struct remote_answer *answer)
{
	return answer->status == 200;
}

static void ops_discard(struct remote_call *call)
{
	free(call->state);
	call->state = NULL;
}

const struct remote_dialect d1_ops_dialect = {
	.accepts = ops_accepts,
	.joins = ops_joins,
	.write = d1_ops_write,
	.is_foreign = ops_is_foreign,
	.reads = ops_reads,
	.read = d1_ops_read,
	.discard = ops_discard,
};
