/* A SET of several items: looks at what is there, and then writes all in one transaction, on the
 * condition that each is still the same. If one is not, or another transaction has an item, it
 * looks again after a pause that grows, until the time of the op is over. */
#include "backends/dynamodb/batch.h"

#include <stdlib.h>

#include "backends/dynamodb/prepare.h"
#include "backends/dynamodb/update.h"
#include "backends/dynamodb/verdict.h"
#include "backends/dynamodb/write.h"
#include "backends/remote/namespaces.h"

static const struct dynamodb_stage look_stage, transact_stage;

/* What there is of an item. */
struct found {
	struct dynamodb_old old;
	size_t name_len; /* of a long key */
	char name[DYNAMODB_NAME_MAX];
};

struct plan {
	char token[17];
	struct found founds[]; /* of each item */
};

const struct dynamodb_stage *dynamodb_batch_begin(const struct remote_context *context,
						  struct remote_call *call)
{
	struct dynamodb_call *own = dynamodb_call_of(call);
	const struct cache_op *op = dynamodb_call_op(call);
	const struct dynamodb_stage *stage =
		dynamodb_prepare_write(context, call, op->ns, &look_stage);
	struct plan *plan;

	if (stage != &look_stage) /* which may read, with a plan of its own */
		return stage;
	own->plan = plan = calloc(1, sizeof(*plan) + op->item_count * sizeof(struct found));
	if (!plan) {
		(void)dynamodb_call_fail(call, CACHE_NO_MEMORY, NULL);
		return NULL;
	}
	for (size_t i = 0; i < op->item_count; i++)
		if (dynamodb_wire_is_long(op->items[i].key))
			plan->founds[i].name_len =
				dynamodb_wire_name(op->items[i].key, plan->founds[i].name).len;
	return stage;
}

/* ---- Looking ---- */

static bool look_write(const struct remote_context *context, struct remote_call *call, size_t part,
		       struct buffer *out)
{
	const struct dynamodb_state *state = dynamodb_state_of(context);
	const struct cache_op *op = dynamodb_call_op(call);

	(void)part;
	buffer_append(out, SLICE("{\"RequestItems\":{\""));
	buffer_append(out, slice_of(state->settings.table));
	buffer_append(out, SLICE("\":{\"ConsistentRead\":true,\"ProjectionExpression\":"
				 "\"k,w,s,u,x,f,c\",\"Keys\":["));
	for (size_t i = 0; i < op->item_count; i++) {
		if (i > 0)
			buffer_append_char(out, ',');
		dynamodb_wire_entry_key(out, state, op->ns, op->items[i].key);
	}
	buffer_append(out, SLICE("]}}}"));
	return true;
}

static struct slice name_of(const struct cache_op *op, const struct plan *plan, size_t i)
{
	const struct found *found = &plan->founds[i];

	return found->name_len > 0 ? (struct slice){.data = found->name, .len = found->name_len}
				   : op->items[i].key;
}

static bool take_look(const struct cache_op *op, int64_t now_us, const json_t *items,
		      struct plan *plan)
{
	const json_t *found;
	size_t n;

	if (!json_is_array(items))
		return false;
	for (size_t i = 0; i < op->item_count; i++)
		plan->founds[i].old = (struct dynamodb_old){0};
	json_array_foreach(items, n, found)
	{
		char room[1024];
		struct slice name;
		size_t i = 0;

		if (!dynamodb_wire_read_sort_key(found, 'k', room, &name))
			return false;
		while (i < op->item_count && !slice_equal(name_of(op, plan, i), name))
			i++;
		if (i == op->item_count)
			return false;
		dynamodb_wire_read_old(found, now_us, &plan->founds[i].old);
	}
	return true;
}

static enum remote_step look_read(const struct remote_context *context, struct remote_call *call,
				  size_t part, const struct dynamodb_reply *reply)
{
	struct dynamodb_state *state = dynamodb_state_of(context);
	struct dynamodb_call *own = dynamodb_call_of(call);
	const struct cache_op *op = dynamodb_call_op(call);
	const json_t *items =
		json_object_get(json_object_get(reply->root, "Responses"), state->settings.table);
	struct plan *plan = own->plan;

	(void)part;
	if (!op)
		return STEP_DONE;
	/* All at once, as it is the state of one moment that the transaction asks for. */
	if (json_object_size(json_object_get(reply->root, "UnprocessedKeys")) > 0)
		return dynamodb_call_again(context, call, &look_stage);
	own->now_us = dynamodb_now_us(context);
	if (!take_look(op, own->now_us, items, plan))
		return STEP_BAD;
	dynamodb_state_name(state, plan->token);
	return dynamodb_call_next(call, &transact_stage);
}

static const struct dynamodb_stage look_stage = {
	.target = "BatchGetItem",
	.write = look_write,
	.read = look_read,
};

/* ---- Writing ---- */

static void init_update(const struct remote_context *context, const struct remote_call *call,
			size_t i, struct dynamodb_update *update)
{
	const struct dynamodb_call *own = dynamodb_call_of(call);
	const struct plan *plan = own->plan;
	const struct cache_op *op = dynamodb_call_op(call);
	const struct dynamodb_space *space =
		dynamodb_space_find(&dynamodb_state_of(context)->spaces, op->ns);

	dynamodb_update_init(update, op, &op->items[i], &space->settings, own->now_us, own->name);
	dynamodb_update_follow(update, &plan->founds[i].old);
	update->before = plan->founds[i].old.name;
}

static bool transact_write(const struct remote_context *context, struct remote_call *call,
			   size_t part, struct buffer *out)
{
	const struct plan *plan = dynamodb_call_of(call)->plan;
	const struct cache_op *op = dynamodb_call_op(call);

	(void)part;
	buffer_printf(out, "{\"ClientRequestToken\":\"%s\",\"TransactItems\":[", plan->token);
	for (size_t i = 0; i < op->item_count; i++) {
		struct dynamodb_update update;

		init_update(context, call, i, &update);
		buffer_append(out, i > 0 ? SLICE(",{\"Update\":") : SLICE("{\"Update\":"));
		dynamodb_update_write(&update, dynamodb_state_of(context), out);
		buffer_append(out, SLICE("}}"));
	}
	buffer_append(out, SLICE("]}"));
	return true;
}

/* Whether the transaction was refused for what does not change by itself. */
static bool is_hopeless(const json_t *root)
{
	const json_t *reason;
	size_t i;

	json_array_foreach(json_object_get(root, "CancellationReasons"), i, reason)
	{
		const char *code = json_string_value(json_object_get(reason, "Code"));

		if (code && strcmp(code, "ValidationError") == 0)
			return true;
	}
	return false;
}

static enum remote_step transact_read(const struct remote_context *context,
				      struct remote_call *call, size_t part,
				      const struct dynamodb_reply *reply)
{
	const struct plan *plan = dynamodb_call_of(call)->plan;
	struct cache_op *op = dynamodb_call_op(call);

	(void)part;
	if (!op)
		return STEP_DONE;
	if (reply->error.len > 0 && is_hopeless(reply->root))
		return dynamodb_call_fail(call, CACHE_TOO_LARGE,
					  dynamodb_verdict_sentences[SENTENCE_TOO_LARGE]);
	if (reply->error.len > 0)
		return dynamodb_call_again(context, call, &look_stage);
	for (size_t i = 0; i < op->item_count; i++) {
		struct dynamodb_update update;

		init_update(context, call, i, &update);
		dynamodb_write_done(context, op, &op->items[i], update.now_us, update.expires_us,
				    &plan->founds[i].old);
	}
	remote_namespaces_count(context->namespaces, op, op->items);
	remote_job_succeed(call->jobs.first);
	return STEP_DONE;
}

static const struct dynamodb_stage transact_stage = {
	.target = "TransactWriteItems",
	.exception = "TransactionCanceledException",
	.write = transact_write,
	.read = transact_read,
};
