/* The sweep of a namespace: asks the index of each shard for what ends first, removes what is past
 * its end on the condition that it is still what the index says, and goes on until nothing is due
 * or it has taken its share; the rest is due at once. What ends next is known from that, and from
 * the writes of this process; those of others are found as it looks once a minute. */
#include "backends/dynamodb/sweep.h"

#include <stdlib.h>

#include "backends/dynamodb/victim.h"

/* Entries of one shard in a round, and rounds of a sweep. */
#define SWEEP_ENTRIES 25
#define SWEEP_ROUNDS  8
/* How often it looks without knowing of anything, and at a clock that somebody may have moved. */
#define LOOK_US       (60 * US_PER_S)
#define CLOCK_US      (US_PER_S / 10)
#define AFTER_FAIL_US (5 * US_PER_S)

static const struct dynamodb_stage find_stage, remove_stage;

struct plan {
	struct dynamodb_victims victims; /* first */
	unsigned rounds;
	int64_t next_end_us; /* of what is not due yet */
	size_t removed;
};

static void free_plan(void *of)
{
	struct plan *plan = of;

	free(plan->victims.all);
	free(plan);
}

static int64_t due_us(const struct remote_context *context, const struct dynamodb_space *space,
		      int64_t now_us)
{
	int64_t left_us;

	if (!space->is_registered)
		return INT64_MAX;
	if (space->next_end_us == INT64_MAX)
		return space->look_at_us;
	left_us = space->next_end_us - dynamodb_now_us(context);
	if (left_us < 0)
		left_us = 0;
	if (context->config->clock && left_us > CLOCK_US)
		left_us = CLOCK_US;
	return earlier_us(space->look_at_us, now_us + left_us);
}

/* Whether something has reached its end, or it is time to look. */
static bool is_due(const struct remote_context *context, const struct dynamodb_space *space,
		   int64_t now_us)
{
	return space->is_registered &&
	       (space->look_at_us <= now_us || space->next_end_us <= dynamodb_now_us(context));
}

int64_t dynamodb_sweep_due_us(const struct remote_context *context, int64_t now_us)
{
	struct dynamodb_state *state = dynamodb_state_of(context);
	struct dynamodb_space *space = NULL;
	int64_t next_us = INT64_MAX;

	if (state->sweep_op || state->read_us == 0)
		return INT64_MAX;
	if (now_us < state->sweep_not_before_us)
		return state->sweep_not_before_us;
	while ((space = dynamodb_space_next(&state->spaces, space))) {
		if (is_due(context, space, now_us)) {
			state->swept = space;
			return now_us;
		}
		next_us = earlier_us(next_us, due_us(context, space, now_us));
	}
	return next_us > now_us ? next_us : now_us + CLOCK_US;
}

const struct dynamodb_stage *dynamodb_sweep_begin(const struct remote_context *context,
						  struct remote_call *call)
{
	struct dynamodb_state *state = dynamodb_state_of(context);
	struct dynamodb_call *own = dynamodb_call_of(call);
	struct plan *plan = calloc(1, sizeof(*plan));

	/* In case it fails. */
	state->sweep_not_before_us = dynamodb_mono_us() + AFTER_FAIL_US;
	if (plan)
		plan->victims.all =
			calloc((size_t)state->shards * SWEEP_ENTRIES, sizeof(*plan->victims.all));
	if (!plan || !plan->victims.all) {
		free(plan);
		(void)dynamodb_call_fail(call, CACHE_NO_MEMORY, NULL);
		return NULL;
	}
	plan->victims.space = state->swept;
	plan->next_end_us = INT64_MAX;
	plan->victims.space->next_end_us = INT64_MAX; /* what is written from now on may lower it */
	own->plan = plan;
	own->free_plan = free_plan;
	return &find_stage;
}

static size_t find_parts(const struct remote_context *context, struct remote_call *call)
{
	(void)call;
	return dynamodb_state_of(context)->shards;
}

static bool find_write(const struct remote_context *context, struct remote_call *call, size_t part,
		       struct buffer *out)
{
	const struct dynamodb_state *state = dynamodb_state_of(context);
	const struct plan *plan = dynamodb_call_of(call)->plan;

	dynamodb_wire_begin(out, state);
	buffer_printf(out,
		      ",\"IndexName\":\"" DYNAMODB_INDEX "\",\"Limit\":%d,"
		      "\"KeyConditionExpression\":\"p=:p\",\"ExpressionAttributeValues\":"
		      "{\":p\":{\"S\":",
		      SWEEP_ENTRIES);
	dynamodb_wire_partition(out, state, slice_of(plan->victims.space->name), (unsigned)part);
	buffer_append(out, SLICE("}}}"));
	return true;
}

static bool take_found(const struct remote_context *context, struct plan *plan, unsigned shard,
		       const json_t *item)
{
	int64_t stale_us = plan->victims.space->settings.stale_ttl_s * US_PER_S;
	int64_t end_us = dynamodb_wire_read_number(item, "x", 0) + stale_us;

	if (end_us > dynamodb_now_us(context)) {
		plan->next_end_us = earlier_us(plan->next_end_us, end_us);
		return true;
	}
	if (plan->victims.count == (size_t)dynamodb_state_of(context)->shards * SWEEP_ENTRIES ||
	    !dynamodb_victim_take(&plan->victims.all[plan->victims.count], item, shard, end_us))
		return false;
	plan->victims.count++;
	return true;
}

static enum remote_step end(const struct remote_context *context, struct remote_call *call,
			    bool is_all)
{
	struct dynamodb_state *state = dynamodb_state_of(context);
	const struct plan *plan = dynamodb_call_of(call)->plan;
	struct dynamodb_space *space = plan->victims.space;
	int64_t now_us = dynamodb_mono_us();

	space->next_end_us = earlier_us(space->next_end_us, plan->next_end_us);
	space->look_at_us = now_us + (is_all ? LOOK_US : CLOCK_US);
	state->sweep_not_before_us = 0;
	state->lack = NULL;
	remote_job_succeed(call->jobs.first);
	return STEP_DONE;
}

static enum remote_step find_read(const struct remote_context *context, struct remote_call *call,
				  size_t part, const struct dynamodb_reply *reply)
{
	struct plan *plan = dynamodb_call_of(call)->plan;
	const json_t *items = json_object_get(reply->root, "Items");
	const json_t *item;
	size_t i;

	if (!json_is_array(items))
		return STEP_BAD;
	json_array_foreach(items, i, item)
	{
		if (!take_found(context, plan, (unsigned)part, item))
			break;
	}
	if (call->open > 0)
		return STEP_MORE;
	return plan->victims.count > 0 ? dynamodb_call_next(call, &remove_stage)
				       : end(context, call, true);
}

static const struct dynamodb_stage find_stage = {
	.target = "Query",
	.parts = find_parts,
	.write = find_write,
	.read = find_read,
};

static enum remote_step remove_read(const struct remote_context *context, struct remote_call *call,
				    size_t part, const struct dynamodb_reply *reply)
{
	struct plan *plan = dynamodb_call_of(call)->plan;

	if (reply->error.len == 0) {
		dynamodb_victim_gone(context, &plan->victims.all[part], plan->victims.space);
		plan->removed++;
	}
	if (call->open > 0)
		return STEP_MORE;
	bool is_index_behind = plan->removed == 0;
	plan->victims.count = plan->removed = 0;
	plan->next_end_us = INT64_MAX;
	if (++plan->rounds == SWEEP_ROUNDS)
		return end(context, call, false);
	return is_index_behind ? dynamodb_call_again(context, call, &find_stage)
			       : dynamodb_call_next(call, &find_stage);
}

static const struct dynamodb_stage remove_stage = {
	.target = "DeleteItem",
	.exception = "ConditionalCheckFailedException",
	.parts = dynamodb_victim_parts,
	.write = dynamodb_victim_write,
	.read = remove_read,
};
