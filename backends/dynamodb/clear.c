/* CLEAR: finds entries in all shards, removes them, and goes on until there are no more. What is
 * written meanwhile, by other servers, may stay.
 *
 * If the namespace is to go, its accounts follow, and then what the table says of it: where
 * something fails before, it is still told of, and can be dropped once more. Other servers know
 * within DYNAMODB_SETTINGS_US (prepare.c). */
#include "backends/dynamodb/clear.h"

#include <stdlib.h>

#include "backends/dynamodb/accounts.h"
#include "backends/dynamodb/range.h"
#include "backends/dynamodb/victim.h"
#include "backends/remote/namespaces.h"

/* Entries of a shard in a round. */
#define ROUND_ENTRIES 64

static const struct dynamodb_stage find_stage, remove_stage, accounts_stage, name_stage;

struct plan {
	struct dynamodb_victims victims; /* first */
	unsigned shards;
	struct dynamodb_cursor *cursors;
	unsigned *asked; /* by part of this step */
};

static void free_plan(void *of)
{
	struct plan *plan = of;

	for (unsigned i = 0; plan->cursors && i < plan->shards; i++)
		free(plan->cursors[i].start);
	free(plan->cursors);
	free(plan->asked);
	free(plan->victims.all);
	free(plan);
}

/* Nor are there misses that count. */
static void not_there(const struct remote_context *context, struct cache_op *op)
{
	remote_namespaces_forget(context->namespaces, op->ns);
	op->one.status = CACHE_NOT_FOUND;
}

const struct dynamodb_stage *dynamodb_clear_begin(const struct remote_context *context,
						  struct remote_call *call)
{
	struct dynamodb_state *state = dynamodb_state_of(context);
	struct dynamodb_call *own = dynamodb_call_of(call);
	struct dynamodb_space *space =
		dynamodb_space_find(&state->spaces, dynamodb_call_op(call)->ns);
	struct plan *plan;

	if (!space || !space->is_registered) {
		if (dynamodb_call_op(call)->drop)
			not_there(context, dynamodb_call_op(call));
		remote_job_succeed(call->jobs.first);
		return NULL;
	}
	own->plan = plan = calloc(1, sizeof(*plan));
	own->free_plan = free_plan;
	if (plan) {
		plan->victims.space = space;
		plan->shards = state->shards;
		plan->cursors = calloc(plan->shards, sizeof(*plan->cursors));
		plan->asked = calloc(plan->shards, sizeof(*plan->asked));
		plan->victims.all =
			calloc((size_t)plan->shards * ROUND_ENTRIES, sizeof(*plan->victims.all));
	}
	if (plan && plan->cursors && plan->asked && plan->victims.all)
		return &find_stage;
	(void)dynamodb_call_fail(call, CACHE_NO_MEMORY, NULL);
	return NULL;
}

static size_t find_parts(const struct remote_context *context, struct remote_call *call)
{
	struct plan *plan = dynamodb_call_of(call)->plan;
	size_t parts = 0;

	(void)context;
	for (unsigned i = 0; i < plan->shards; i++)
		if (!plan->cursors[i].is_complete)
			plan->asked[parts++] = i;
	return parts;
}

static bool find_write(const struct remote_context *context, struct remote_call *call, size_t part,
		       struct buffer *out)
{
	const struct plan *plan = dynamodb_call_of(call)->plan;
	const struct cache_op *op = dynamodb_call_op(call);
	unsigned shard = plan->asked[part];

	dynamodb_range_write(out, dynamodb_state_of(context), op->ns, shard, op->prefix,
			     (struct slice){0}, &plan->cursors[shard], ROUND_ENTRIES,
			     op->prefix.len > DYNAMODB_STEM ? "k,w,s,u,x,K" : "k,w,s,u,x");
	return true;
}

static enum remote_step go_on(struct remote_call *call)
{
	const struct plan *plan = dynamodb_call_of(call)->plan;

	for (unsigned i = 0; i < plan->shards; i++)
		if (!plan->cursors[i].is_complete)
			return dynamodb_call_next(call, &find_stage);
	if (dynamodb_call_op(call) && dynamodb_call_op(call)->drop)
		return dynamodb_call_next(call, &accounts_stage);
	remote_job_succeed(call->jobs.first);
	return STEP_DONE;
}

/* A prefix may be longer than what a name has of its key. */
static bool has_prefix(const struct dynamodb_victim *victim, const json_t *item,
		       struct slice prefix)
{
	struct slice name = {.data = victim->name, .len = victim->name_len};
	struct slice key = name;
	char *whole = NULL;
	bool found;

	if (prefix.len > DYNAMODB_STEM && name.len == DYNAMODB_NAME_MAX)
		key = dynamodb_wire_read_key(item, name, &whole);
	found = slice_starts_with(key, prefix);
	free(whole);
	return found;
}

static enum remote_step find_read(const struct remote_context *context, struct remote_call *call,
				  size_t part, const struct dynamodb_reply *reply)
{
	struct plan *plan = dynamodb_call_of(call)->plan;
	const struct cache_op *op = dynamodb_call_op(call);
	unsigned shard = plan->asked[part];
	const json_t *item;
	size_t i;

	if (!op)
		return dynamodb_call_end(call);
	if (!dynamodb_range_advance(&plan->cursors[shard], reply->root))
		return STEP_BAD;
	json_array_foreach(json_object_get(reply->root, "Items"), i, item)
	{
		struct dynamodb_victim *victim = &plan->victims.all[plan->victims.count];

		if (plan->victims.count == (size_t)plan->shards * ROUND_ENTRIES ||
		    !dynamodb_victim_take(victim, item, shard, dynamodb_now_us(context)))
			continue;
		plan->victims.count += has_prefix(victim, item, op->prefix);
	}
	if (call->open > 0)
		return STEP_MORE;
	return plan->victims.count > 0 ? dynamodb_call_next(call, &remove_stage) : go_on(call);
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
		remote_namespaces_find(context->namespaces, slice_of(plan->victims.space->name))
			->deletes += !plan->victims.all[part].has_expired;
	}
	if (call->open > 0)
		return STEP_MORE;
	plan->victims.count = 0;
	return go_on(call);
}

static const struct dynamodb_stage remove_stage = {
	.target = "DeleteItem",
	.exception = "ConditionalCheckFailedException",
	.parts = dynamodb_victim_parts,
	.write = dynamodb_victim_write,
	.read = remove_read,
};

/* ---- The end of the namespace ---- */

static size_t accounts_parts(const struct remote_context *context, struct remote_call *call)
{
	(void)context;
	(void)call;
	return DYNAMODB_SLOTS;
}

static bool accounts_write(const struct remote_context *context, struct remote_call *call,
			   size_t part, struct buffer *out)
{
	const struct dynamodb_state *state = dynamodb_state_of(context);
	const struct plan *plan = dynamodb_call_of(call)->plan;

	dynamodb_wire_begin(out, state);
	buffer_append(out, SLICE(",\"Key\":"));
	dynamodb_wire_account_key(out, state, (unsigned)part, slice_of(plan->victims.space->name));
	buffer_append_char(out, '}');
	return true;
}

static enum remote_step accounts_read(const struct remote_context *context,
				      struct remote_call *call, size_t part,
				      const struct dynamodb_reply *reply)
{
	(void)context;
	(void)part;
	(void)reply;
	return call->open > 0 ? STEP_MORE : dynamodb_call_next(call, &name_stage);
}

static const struct dynamodb_stage accounts_stage = {
	.target = "DeleteItem",
	.parts = accounts_parts,
	.write = accounts_write,
	.read = accounts_read,
};

static bool name_write(const struct remote_context *context, struct remote_call *call, size_t part,
		       struct buffer *out)
{
	const struct dynamodb_state *state = dynamodb_state_of(context);
	const struct plan *plan = dynamodb_call_of(call)->plan;

	(void)part;
	dynamodb_wire_begin(out, state);
	buffer_append(out, SLICE(",\"Key\":"));
	dynamodb_wire_meta_key(out, state, 'n', slice_of(plan->victims.space->name));
	buffer_append_char(out, '}');
	return true;
}

static enum remote_step name_read(const struct remote_context *context, struct remote_call *call,
				  size_t part, const struct dynamodb_reply *reply)
{
	const struct plan *plan = dynamodb_call_of(call)->plan;
	struct dynamodb_space *space = plan->victims.space;

	(void)part;
	(void)reply;
	space->dropped_us = dynamodb_mono_us();
	space->pending = space->sending = (struct dynamodb_delta){0};
	dynamodb_space_unregister(&dynamodb_state_of(context)->spaces, context->config, space);
	remote_namespaces_forget(context->namespaces, slice_of(space->name));
	remote_job_succeed(call->jobs.first);
	return STEP_DONE;
}

static const struct dynamodb_stage name_stage = {
	.target = "DeleteItem",
	.write = name_write,
	.read = name_read,
};
