/* A SET of one item is one UpdateItem, which makes a new entry, or continues the history of the one
 * that is there, and answers with what was there before. If that was an entry past its time, which
 * no condition can tell in the same request without a second one for all others, the history is
 * begun anew by a further request.
 *
 * A DELETE is a DeleteItem for each item, as BatchWriteItem tells nothing of what was there. */
#include "backends/dynamodb/write.h"

#include "backends/dynamodb/accounts.h"
#include "backends/dynamodb/prepare.h"
#include "backends/dynamodb/update.h"
#include "backends/remote/namespaces.h"
#include "store/rules.h"

static const struct dynamodb_stage set_stage, renew_stage, delete_stage;

static struct dynamodb_space *space_of(const struct remote_context *context,
				       const struct cache_op *op)
{
	return dynamodb_space_find(&dynamodb_state_of(context)->spaces, op->ns);
}

/* ---- SET ---- */

const struct dynamodb_stage *dynamodb_write_begin_set(const struct remote_context *context,
						      struct remote_call *call)
{
	return dynamodb_prepare_write(context, call, dynamodb_call_op(call)->ns, &set_stage);
}

static void init_update(const struct remote_context *context, const struct remote_call *call,
			struct dynamodb_update *update)
{
	const struct dynamodb_call *own = dynamodb_call_of(call);
	const struct cache_op *op = dynamodb_call_op(call);

	dynamodb_update_init(update, op, &op->items[0], &space_of(context, op)->settings,
			     own->now_us, own->name);
	/* What follows on nothing that lives has a history of its own. */
	if (update->condition && update->condition->kind == CONDITION_ABSENT)
		update->has_history = true;
}

static bool set_write(const struct remote_context *context, struct remote_call *call, size_t part,
		      struct buffer *out)
{
	struct dynamodb_update update;

	(void)part;
	init_update(context, call, &update);
	dynamodb_update_write(&update, dynamodb_state_of(context), out);
	buffer_append(out, SLICE(",\"ReturnValues\":\"ALL_OLD\"}"));
	return true;
}

void dynamodb_write_done(const struct remote_context *context, const struct cache_op *op,
			 struct cache_item *item, int64_t now_us, int64_t expires_us,
			 const struct dynamodb_old *old)
{
	struct dynamodb_space *space = space_of(context, op);

	item->status = CACHE_OK;
	item->created = !old->is_live;
	item->value->modified_at_us = now_us;
	item->value->expires_at_us = expires_us;
	dynamodb_accounts_add(dynamodb_state_of(context), space, old->exists ? 0 : 1,
			      (int64_t)item->size_bytes - old->size,
			      (int64_t)dynamodb_update_used(item) - old->used);
	if (old->exists && !old->is_live)
		remote_namespaces_find(context->namespaces, op->ns)->expirations++;
	dynamodb_space_ends(space, expires_us);
}

/* What an earlier try of this write found, whose answer is lost. If it made the entry, that shows;
 * if not, the sizes before it are not known any more, and count as the present ones. */
static void recall(const struct dynamodb_update *update, struct dynamodb_old *old)
{
	if (old->created_us == update->now_us && old->frequency == 1 && !update->item->history)
		*old = (struct dynamodb_old){0};
	else
		old->used = (int64_t)dynamodb_update_used(update->item);
}

static enum remote_step set_read(const struct remote_context *context, struct remote_call *call,
				 size_t part, const struct dynamodb_reply *reply)
{
	struct cache_op *op = dynamodb_call_op(call);
	struct dynamodb_update update;
	struct dynamodb_old old;

	(void)part;
	if (!op)
		return STEP_DONE;
	if (dynamodb_reply_is(reply, "ConditionalCheckFailedException")) {
		op->items[0].status = CACHE_PRECONDITION_FAILED;
		remote_job_succeed(call->jobs.first);
		return STEP_DONE;
	}
	init_update(context, call, &update);
	dynamodb_wire_read_old(json_object_get(reply->root, "Attributes"), update.now_us, &old);
	if (strcmp(old.name, update.name) == 0)
		recall(&update, &old);
	dynamodb_write_done(context, op, &op->items[0], update.now_us, update.expires_us, &old);
	remote_namespaces_count(context->namespaces, op, op->items);
	if (old.exists && !old.is_live && !update.has_history)
		return dynamodb_call_next(call, &renew_stage);
	remote_job_succeed(call->jobs.first);
	return STEP_DONE;
}

static const struct dynamodb_stage set_stage = {
	.target = "UpdateItem",
	.exception = "ConditionalCheckFailedException",
	.write = set_write,
	.read = set_read,
};

static bool renew_write(const struct remote_context *context, struct remote_call *call, size_t part,
			struct buffer *out)
{
	const struct dynamodb_state *state = dynamodb_state_of(context);
	const struct dynamodb_call *own = dynamodb_call_of(call);
	const struct cache_op *op = dynamodb_call_op(call);

	(void)part;
	dynamodb_wire_begin(out, state);
	buffer_append(out, SLICE(",\"Key\":"));
	dynamodb_wire_entry_key(out, state, op->ns, op->items[0].key);
	buffer_append(out, SLICE(",\"UpdateExpression\":\"SET c=:n,f=:f\",\"ConditionExpression\":"
				 "\"w=:w\",\"ExpressionAttributeValues\":{"));
	dynamodb_wire_number(out, ":n", own->now_us);
	dynamodb_wire_number(out, ":f", 1);
	dynamodb_wire_text(out, ":w", slice_of(own->name));
	buffer_append(out, SLICE("}}"));
	return true;
}

static enum remote_step renew_read(const struct remote_context *context, struct remote_call *call,
				   size_t part, const struct dynamodb_reply *reply)
{
	(void)context;
	(void)part;
	(void)reply; /* if the condition failed, somebody wrote it again */
	remote_job_succeed(call->jobs.first);
	return STEP_DONE;
}

static const struct dynamodb_stage renew_stage = {
	.target = "UpdateItem",
	.exception = "ConditionalCheckFailedException",
	.write = renew_write,
	.read = renew_read,
};

/* ---- DELETE ---- */

const struct dynamodb_stage *dynamodb_write_begin_delete(const struct remote_context *context,
							 struct remote_call *call)
{
	(void)context;
	(void)call;
	return &delete_stage;
}

static size_t delete_parts(const struct remote_context *context, struct remote_call *call)
{
	(void)context;
	return call->jobs.first->item_count;
}

static const struct cache_condition *condition_of(const struct cache_op *op)
{
	const struct cache_condition *condition = &op->items[0].condition;

	return op->item_count == 1 && condition->kind != CONDITION_NONE ? condition : NULL;
}

static bool delete_write(const struct remote_context *context, struct remote_call *call,
			 size_t part, struct buffer *out)
{
	const struct dynamodb_state *state = dynamodb_state_of(context);
	const struct cache_op *op = dynamodb_call_op(call);
	const struct cache_condition *condition = condition_of(op);

	dynamodb_wire_begin(out, state);
	buffer_append(out, SLICE(",\"Key\":"));
	dynamodb_wire_entry_key(out, state, op->ns, op->items[part].key);
	buffer_append(out, SLICE(",\"ReturnValues\":\"ALL_OLD\""));
	if (condition) {
		dynamodb_update_condition(out, condition);
		buffer_append(out, SLICE(",\"ExpressionAttributeValues\":{"));
		dynamodb_wire_number(out, ":n", dynamodb_call_of(call)->now_us);
		dynamodb_update_condition_values(out, condition);
		buffer_append_char(out, '}');
	}
	buffer_append_char(out, '}');
	return true;
}

static void take_deleted(const struct remote_context *context, const struct remote_call *call,
			 struct cache_op *op, struct cache_item *item,
			 const struct dynamodb_reply *reply)
{
	struct dynamodb_space *space = space_of(context, op);
	struct dynamodb_old old;

	if (dynamodb_reply_is(reply, "ConditionalCheckFailedException")) {
		item->status = CACHE_PRECONDITION_FAILED;
		return;
	}
	dynamodb_wire_read_old(json_object_get(reply->root, "Attributes"),
			       dynamodb_call_of(call)->now_us, &old);
	item->status = old.is_live ? CACHE_OK : CACHE_NOT_FOUND;
	if (!old.exists)
		return;
	if (space)
		dynamodb_accounts_add(dynamodb_state_of(context), space, -1, -old.size, -old.used);
	if (!old.is_live)
		remote_namespaces_find(context->namespaces, op->ns)->expirations++;
}

static enum remote_step delete_read(const struct remote_context *context, struct remote_call *call,
				    size_t part, const struct dynamodb_reply *reply)
{
	struct cache_op *op = dynamodb_call_op(call);

	if (op)
		take_deleted(context, call, op, &op->items[part], reply);
	if (call->open > 0)
		return STEP_MORE;
	if (op)
		remote_namespaces_count(context->namespaces, op, op->items);
	remote_job_succeed(call->jobs.first);
	return STEP_DONE;
}

static const struct dynamodb_stage delete_stage = {
	.target = "DeleteItem",
	.exception = "ConditionalCheckFailedException",
	.parts = delete_parts,
	.write = delete_write,
	.read = delete_read,
};
