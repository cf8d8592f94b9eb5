#include "backends/redis/claim.h"

#include <inttypes.h>
#include <stdio.h>

#include "backends/redis/decimal.h"
#include "backends/redis/verdict.h"
#include "backends/remote/details.h"
#include "store/notice.h"

/* Somebody may have emptied the Cluster, and another server may have begun anew. */
#define AGAIN_US (10 * US_PER_S)

bool redis_claim_is_due(const struct remote_context *context, const struct remote_call *call,
			int64_t now_us)
{
	const struct redis_state *state = redis_state_of(context);
	const struct remote_job *first = call->jobs.first;
	bool is_own = first && first->op && first->op->type == CACHE_OP_SYNC;

	if (!state->spaces.is_cluster)
		return false;
	return !state->is_claimed || (is_own && now_us - state->claimed_us > AGAIN_US);
}

bool redis_claim_gather(const struct redis_state *state, struct redis_batch *batch)
{
	batch->writes = true;
	batch->route = state->partitions_route;
	return redis_batch_add(batch, COMMAND_CLAIM, NULL, NULL) &&
	       redis_batch_add(batch, COMMAND_CLAIMED, NULL, NULL);
}

static void fail_all(const struct remote_call *call, const struct remote_verdict *verdict)
{
	for (struct remote_job *job = call->jobs.first; job; job = job->next)
		remote_job_fail(job, verdict->status, verdict->sentence,
				verdict->may_retry ? 1 : 0);
}

static void refuse(const struct remote_context *context, const struct remote_call *call,
		   int64_t found)
{
	struct redis_state *state = redis_state_of(context);
	struct remote_verdict verdict = {.status = CACHE_UNAVAILABLE};
	char text[160];

	(void)snprintf(text, sizeof(text),
		       "the data have %" PRId64 " partitions, not %u: write partitions=%" PRId64
		       " in STEADYCACHE_BACKEND, or choose another --redis-prefix",
		       found, state->spaces.part_count, found);
	verdict.sentence = remote_details_keep(context->details, slice_of(text));
	if (!state->is_refused)
		notice_send(context->config, NOTICE_ERROR, "redis: %s", text);
	state->is_refused = true;
	fail_all(call, &verdict);
}

void redis_claim_read(const struct remote_context *context, struct remote_call *call,
		      const struct remote_answer *answer)
{
	struct redis_state *state = redis_state_of(context);
	const struct redis_reply *claim = redis_reply_of(answer, 0);
	const struct redis_reply *claimed = redis_reply_of(answer, 1);
	int64_t found = claimed->kind == REPLY_STRING ? redis_decimal(claimed->text) : -1;

	state->is_claimed = found == (int64_t)state->spaces.part_count;
	if (state->is_claimed) {
		state->claimed_us = redis_state_mono_us();
		state->is_refused = false;
	} else if (claimed->kind == REPLY_STRING) {
		refuse(context, call, found);
	} else if (claim->kind == REPLY_ERROR || claimed->kind == REPLY_ERROR) {
		struct remote_verdict verdict = redis_verdict_judge(context, FAILURE_NONE, answer);

		fail_all(call, &verdict);
	}
	/* Else somebody removed it between the two: it is asked for again. */
}
