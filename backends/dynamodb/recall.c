#include "backends/dynamodb/recall.h"

#include "backends/dynamodb/prepare.h"
#include "backends/dynamodb/wire.h"

static const struct dynamodb_stage find_stage;

int64_t dynamodb_recall_due_us(struct dynamodb_state *state, int64_t now_us)
{
	struct dynamodb_space *space = NULL;
	int64_t next_us = INT64_MAX;

	if (state->recall_op)
		return INT64_MAX;
	while ((space = dynamodb_space_next(&state->spaces, space))) {
		if (space->recall_at_us == 0 || space->recall_at_us >= next_us)
			continue;
		next_us = space->recall_at_us;
		if (next_us <= now_us)
			state->recalled = space;
	}
	return next_us;
}

/* Also once the namespace is registered (prepare.h). */
const struct dynamodb_stage *dynamodb_recall_begin(const struct remote_context *context,
						   struct remote_call *call)
{
	struct dynamodb_space *space = dynamodb_state_of(context)->recalled;

	/* Should it fail, once more. */
	space->recall_at_us = dynamodb_mono_us() + DYNAMODB_SETTINGS_US;
	space->has_entries = false;
	if (!space->is_registered)
		return &find_stage;
	space->recall_at_us = 0;
	remote_job_succeed(call->jobs.first);
	return NULL;
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

	(void)call;
	dynamodb_wire_begin(out, state);
	buffer_append(out, SLICE(",\"ConsistentRead\":true,\"Limit\":1,\"Select\":\"COUNT\","
				 "\"KeyConditionExpression\":\"p=:p\","
				 "\"ExpressionAttributeValues\":{\":p\":{\"S\":"));
	dynamodb_wire_partition(out, state, slice_of(state->recalled->name), (unsigned)part);
	buffer_append(out, SLICE("}}}"));
	return true;
}

static enum remote_step find_read(const struct remote_context *context, struct remote_call *call,
				  size_t part, const struct dynamodb_reply *reply)
{
	struct dynamodb_space *space = dynamodb_state_of(context)->recalled;
	const struct dynamodb_stage *stage;

	(void)part;
	space->has_entries |= json_integer_value(json_object_get(reply->root, "Count")) > 0;
	if (call->open > 0)
		return STEP_MORE;
	if (space->has_entries && dynamodb_call_op(call)) {
		stage = dynamodb_prepare_write(context, call, slice_of(space->name), &find_stage);
		return stage ? dynamodb_call_next(call, stage) : dynamodb_call_end(call);
	}
	space->recall_at_us = 0;
	remote_job_succeed(call->jobs.first);
	return STEP_DONE;
}

static const struct dynamodb_stage find_stage = {
	.target = "Query",
	.parts = find_parts,
	.write = find_write,
	.read = find_read,
};
