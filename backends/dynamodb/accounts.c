#include "backends/dynamodb/accounts.h"

#include <stdlib.h>

#include "backends/dynamodb/prepare.h"
#include "backends/dynamodb/range.h"
#include "backends/remote/namespaces.h"
#include "store/rules.h"

#define FLUSH_US (US_PER_S / 2)

void dynamodb_accounts_add(struct dynamodb_state *state, struct dynamodb_space *space,
			   int64_t entries, int64_t size, int64_t used)
{
	space->pending.entries += entries;
	space->pending.size += size;
	space->pending.used += used;
	if (state->flush_at_us == INT64_MAX)
		state->flush_at_us = dynamodb_mono_us() + FLUSH_US;
	if (state->reread_at_us == INT64_MAX)
		state->reread_at_us = dynamodb_mono_us() + DYNAMODB_SETTINGS_US;
}

/* ---- Adding ---- */

struct sum {
	struct dynamodb_space *space;
	uint64_t sequence;
};

/* The namespaces that a call adds for, and then, for STATS, what it found. */
struct plan {
	bool has_rest; /* something was under way already when the round began */
	size_t count;
	struct namespace_stats *stats;
	size_t stats_count;
	struct dynamodb_cursor cursors[DYNAMODB_SLOTS];
	unsigned asked[DYNAMODB_SLOTS]; /* by part of this step */
	struct sum sums[];
};

static bool has_something(const struct dynamodb_space *space)
{
	return space->is_sending || !dynamodb_delta_is_zero(&space->pending);
}

/* The next namespace after `space` for which the call has something to add. */
static struct dynamodb_space *next_of(const struct remote_context *context,
				      const struct remote_call *call, struct dynamodb_space *space)
{
	const struct dynamodb_state *state = dynamodb_state_of(context);
	const struct cache_op *op = dynamodb_call_op(call);
	bool is_one = op && op->type == CACHE_OP_STATS && op->ns.len > 0;

	while ((space = dynamodb_space_next(&state->spaces, space)))
		if (has_something(space) && (!is_one || slice_equal(op->ns, slice_of(space->name))))
			return space;
	return NULL;
}

static void free_plan(void *of)
{
	struct plan *plan = of;

	for (unsigned i = 0; i < DYNAMODB_SLOTS; i++)
		free(plan->cursors[i].start);
	free(plan->stats);
	free(plan);
}

/* What is to be added for the call's namespace, or for all. NULL: out of memory. */
static struct plan *make_plan(const struct remote_context *context, const struct remote_call *call)
{
	struct dynamodb_space *space = NULL;
	size_t max = 0;

	while ((space = next_of(context, call, space)))
		max++;
	struct plan *plan = calloc(1, sizeof(*plan) + max * sizeof(plan->sums[0]));
	while (plan && (space = next_of(context, call, space))) {
		if (space->is_sending) {
			plan->has_rest |= !dynamodb_delta_is_zero(&space->pending);
		} else {
			space->sending = space->pending;
			space->pending = (struct dynamodb_delta){0};
			space->is_sending = true;
			space->sequence++;
		}
		plan->sums[plan->count++] =
			(struct sum){.space = space, .sequence = space->sequence};
	}
	return plan;
}

static size_t flush_parts(const struct remote_context *context, struct remote_call *call)
{
	struct dynamodb_call *own = dynamodb_call_of(call);
	struct plan *plan = make_plan(context, call);

	if (own->plan)
		own->free_plan(own->plan);
	own->plan = plan;
	own->free_plan = free_plan;
	return plan && plan->count > 0 ? plan->count : 1;
}

static bool flush_write(const struct remote_context *context, struct remote_call *call, size_t part,
			struct buffer *out)
{
	const struct dynamodb_state *state = dynamodb_state_of(context);
	const struct plan *plan = dynamodb_call_of(call)->plan;

	if (!plan || plan->count == 0)
		return false;
	const struct sum *sum = &plan->sums[part];
	dynamodb_wire_begin(out, state);
	buffer_append(out, SLICE(",\"Key\":"));
	dynamodb_wire_account_key(out, state, state->slot, slice_of(sum->space->name));
	buffer_append(out, SLICE(",\"UpdateExpression\":\"SET w=:w,q=:q ADD n :n,s :s,u :u\","
				 "\"ConditionExpression\":\"attribute_not_exists(w) OR w<>:w OR "
				 "q<:q\",\"ExpressionAttributeValues\":{"));
	dynamodb_wire_text(out, ":w", slice_of(state->writer));
	dynamodb_wire_number(out, ":q", (int64_t)sum->sequence);
	dynamodb_wire_number(out, ":n", sum->space->sending.entries);
	dynamodb_wire_number(out, ":s", sum->space->sending.size);
	dynamodb_wire_number(out, ":u", sum->space->sending.used);
	buffer_append(out, SLICE("}}"));
	return true;
}

/* Added now, or known to have been added before. */
static void take_flush(const struct remote_call *call, size_t part)
{
	const struct plan *plan = dynamodb_call_of(call)->plan;

	const struct sum *sum = &plan->sums[part];
	if (sum->space->is_sending && sum->space->sequence == sum->sequence)
		sum->space->is_sending = false;
}

static void schedule(struct dynamodb_state *state)
{
	struct dynamodb_space *space = NULL;

	state->flush_at_us = INT64_MAX;
	while ((space = dynamodb_space_next(&state->spaces, space)))
		if (has_something(space)) {
			state->flush_at_us = dynamodb_mono_us() + FLUSH_US;
			return;
		}
}

static const struct dynamodb_stage flush_stage, flush_for_stats_stage, read_stage, read_one_stage;

/* An answer to a part of the stage `flush`; `next` follows it, NULL: the end of the call. */
static enum remote_step go_on(const struct remote_context *context, struct remote_call *call,
			      size_t part, const struct dynamodb_stage *flush,
			      const struct dynamodb_stage *next)
{
	const struct plan *plan = dynamodb_call_of(call)->plan;

	take_flush(call, part);
	if (call->open > 0)
		return STEP_MORE;
	schedule(dynamodb_state_of(context));
	if (plan->has_rest && next_of(context, call, NULL))
		return dynamodb_call_next(call, flush);
	if (next)
		return dynamodb_call_next(call, next);
	remote_job_succeed(call->jobs.first);
	return STEP_DONE;
}

static enum remote_step flush_read(const struct remote_context *context, struct remote_call *call,
				   size_t part, const struct dynamodb_reply *reply)
{
	(void)reply;
	return go_on(context, call, part, &flush_stage, NULL);
}

static const struct dynamodb_stage flush_stage = {
	.target = "UpdateItem",
	.exception = "ConditionalCheckFailedException",
	.parts = flush_parts,
	.write = flush_write,
	.read = flush_read,
};

/* ---- STATS ---- */

static const struct dynamodb_stage *reading(const struct remote_call *call)
{
	const struct cache_op *op = dynamodb_call_op(call);

	return op && op->ns.len > 0 ? &read_one_stage : &read_stage;
}

static enum remote_step stats_read(const struct remote_context *context, struct remote_call *call,
				   size_t part, const struct dynamodb_reply *reply)
{
	(void)reply;
	return go_on(context, call, part, &flush_for_stats_stage, reading(call));
}

static const struct dynamodb_stage flush_for_stats_stage = {
	.target = "UpdateItem",
	.exception = "ConditionalCheckFailedException",
	.parts = flush_parts,
	.write = flush_write,
	.read = stats_read,
};

static struct namespace_stats *find_stats(struct plan *plan, struct slice name)
{
	for (size_t i = 0; i < plan->stats_count; i++)
		if (slice_equal(slice_of(plan->stats[i].name), name))
			return &plan->stats[i];
	return NULL;
}

static void begin_stats(const struct remote_context *context, struct plan *plan, struct slice name)
{
	const struct dynamodb_space *space =
		dynamodb_space_find(&dynamodb_state_of(context)->spaces, name);
	struct namespace_stats *stats = &plan->stats[plan->stats_count++];

	memcpy(stats->name, name.data, name.len);
	if (space)
		stats->settings = space->settings;
	else
		dynamodb_space_defaults(context->config, name, &stats->settings);
	remote_namespaces_fill(context->namespaces, stats);
}

/* The plan with an empty account of each namespace asked for. False: out of memory. */
static bool begin_reading(const struct remote_context *context, const struct remote_call *call)
{
	const struct dynamodb_state *state = dynamodb_state_of(context);
	struct dynamodb_call *own = dynamodb_call_of(call);
	const struct cache_op *op = dynamodb_call_op(call);
	struct dynamodb_space *space = NULL;
	size_t count = 1;

	if (!own->plan)
		own->plan = calloc(1, sizeof(struct plan));
	own->free_plan = free_plan;
	struct plan *plan = own->plan;
	if (!plan || plan->stats || !op)
		return plan != NULL;
	while ((space = dynamodb_space_next(&state->spaces, space)))
		count++;
	plan->stats = calloc(count, sizeof(*plan->stats));
	if (!plan->stats)
		return false;
	if (op->ns.len > 0)
		begin_stats(context, plan, op->ns);
	while (op->ns.len == 0 && (space = dynamodb_space_next(&state->spaces, space)))
		if (space->is_registered)
			begin_stats(context, plan, slice_of(space->name));
	return true;
}

static size_t read_parts(const struct remote_context *context, struct remote_call *call)
{
	bool is_ready = begin_reading(context, call);
	struct plan *plan = dynamodb_call_of(call)->plan;
	size_t parts = 0;

	for (unsigned i = 0; is_ready && i < DYNAMODB_SLOTS; i++)
		if (!plan->cursors[i].is_complete)
			plan->asked[parts++] = i;
	return is_ready ? parts : 1;
}

/* All namespaces: what a slot has of them. */
static bool read_write(const struct remote_context *context, struct remote_call *call, size_t part,
		       struct buffer *out)
{
	const struct dynamodb_state *state = dynamodb_state_of(context);
	const struct plan *plan = dynamodb_call_of(call)->plan;

	if (!plan || !plan->stats)
		return false;
	unsigned slot = plan->asked[part];
	dynamodb_wire_begin(out, state);
	buffer_append(out, SLICE(",\"ConsistentRead\":true,\"KeyConditionExpression\":\"p=:p\","
				 "\"ExpressionAttributeValues\":{\":p\":{\"S\":"));
	dynamodb_wire_account_partition(out, state, slot);
	buffer_append(out, SLICE("}}"));
	if (plan->cursors[slot].start) {
		buffer_append(out, SLICE(",\"ExclusiveStartKey\":{\"p\":{\"S\":"));
		dynamodb_wire_account_partition(out, state, slot);
		buffer_printf(out, "},\"k\":{\"B\":\"%s\"}}", plan->cursors[slot].start);
	}
	buffer_append_char(out, '}');
	return true;
}

static uint64_t sum_of(uint64_t sum, int64_t more)
{
	return (uint64_t)((int64_t)sum + more);
}

static void take_sums(struct plan *plan, const json_t *items)
{
	const json_t *item;
	size_t i;

	json_array_foreach(items, i, item)
	{
		struct namespace_stats *stats;
		char room[1024];
		struct slice name;

		if (!dynamodb_wire_read_sort_key(item, 'n', room, &name) ||
		    !(stats = find_stats(plan, name)))
			continue;
		stats->entry_count =
			sum_of(stats->entry_count, dynamodb_wire_read_number(item, "n", 0));
		stats->total_size_bytes =
			sum_of(stats->total_size_bytes, dynamodb_wire_read_number(item, "s", 0));
		stats->used_bytes =
			sum_of(stats->used_bytes, dynamodb_wire_read_number(item, "u", 0));
	}
}

/* What has drifted below zero is none. */
static void floor_sums(struct plan *plan)
{
	for (size_t i = 0; i < plan->stats_count; i++) {
		struct namespace_stats *stats = &plan->stats[i];

		if ((int64_t)stats->entry_count < 0)
			stats->entry_count = 0;
		if ((int64_t)stats->total_size_bytes < 0)
			stats->total_size_bytes = 0;
		if ((int64_t)stats->used_bytes < 0)
			stats->used_bytes = 0;
	}
}

static void finish(const struct remote_call *call)
{
	struct plan *plan = dynamodb_call_of(call)->plan;
	struct cache_op *op = dynamodb_call_op(call);

	if (!op)
		return;
	floor_sums(plan);
	op->stats = plan->stats;
	op->stats_count = plan->stats_count;
	plan->stats = NULL;
	rules_sort_stats(op);
	remote_job_succeed(call->jobs.first);
}

static enum remote_step read_read(const struct remote_context *context, struct remote_call *call,
				  size_t part, const struct dynamodb_reply *reply)
{
	struct plan *plan = dynamodb_call_of(call)->plan;

	(void)context;
	if (!dynamodb_range_advance(&plan->cursors[plan->asked[part]], reply->root))
		return STEP_BAD;
	take_sums(plan, json_object_get(reply->root, "Items"));
	if (call->open > 0)
		return STEP_MORE;
	for (unsigned i = 0; i < DYNAMODB_SLOTS; i++)
		if (!plan->cursors[i].is_complete)
			return dynamodb_call_next(call, &read_stage);
	finish(call);
	return STEP_DONE;
}

static const struct dynamodb_stage read_stage = {
	.target = "Query",
	.parts = read_parts,
	.write = read_write,
	.read = read_read,
};

/* One namespace: it in each slot. */
static bool read_one_write(const struct remote_context *context, struct remote_call *call,
			   size_t part, struct buffer *out)
{
	const struct dynamodb_state *state = dynamodb_state_of(context);

	(void)part;
	if (!begin_reading(context, call))
		return false;
	buffer_append(out, SLICE("{\"RequestItems\":{\""));
	buffer_append(out, slice_of(state->settings.table));
	buffer_append(out, SLICE("\":{\"ConsistentRead\":true,\"Keys\":["));
	for (unsigned slot = 0; slot < DYNAMODB_SLOTS; slot++) {
		if (slot > 0)
			buffer_append_char(out, ',');
		dynamodb_wire_account_key(out, state, slot, dynamodb_call_op(call)->ns);
	}
	buffer_append(out, SLICE("]}}}"));
	return true;
}

static enum remote_step read_one_read(const struct remote_context *context,
				      struct remote_call *call, size_t part,
				      const struct dynamodb_reply *reply)
{
	struct plan *plan = dynamodb_call_of(call)->plan;
	const json_t *items = json_object_get(json_object_get(reply->root, "Responses"),
					      dynamodb_state_of(context)->settings.table);

	(void)part;
	if (!json_is_array(items))
		return STEP_BAD;
	if (json_object_size(json_object_get(reply->root, "UnprocessedKeys")) > 0)
		return dynamodb_call_again(context, call, &read_one_stage);
	take_sums(plan, items);
	finish(call);
	return STEP_DONE;
}

static const struct dynamodb_stage read_one_stage = {
	.target = "BatchGetItem",
	.write = read_one_write,
	.read = read_one_read,
};

const struct dynamodb_stage *dynamodb_accounts_begin_flush(const struct remote_context *context,
							   struct remote_call *call)
{
	if (next_of(context, call, NULL))
		return &flush_stage;
	dynamodb_state_of(context)->flush_at_us = INT64_MAX;
	remote_job_succeed(call->jobs.first);
	return NULL;
}

const struct dynamodb_stage *dynamodb_accounts_begin_stats(const struct remote_context *context,
							   struct remote_call *call)
{
	return next_of(context, call, NULL) ? &flush_for_stats_stage : reading(call);
}
