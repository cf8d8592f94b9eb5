/* An EXPIRE is an UpdateItem for each item, on the condition that its entry is live. It gives the
 * entry another name of a write, so that a sweep which has found it due does not remove it.
 *
 * Of the conditions that hold where there is nothing an UpdateItem that fails does not tell whether
 * there was: so the entry is looked at before, and updated if it is still the one that was seen. */
#include "backends/dynamodb/expire.h"

#include <stdlib.h>

#include "backends/dynamodb/update.h"
#include "backends/dynamodb/wire.h"
#include "store/rules.h"

static const struct dynamodb_stage expire_stage, look_stage;

static const struct cache_condition *condition_of(const struct cache_op *op)
{
	static const struct cache_condition none;

	return op->item_count == 1 ? &op->items[0].condition : &none;
}

static bool looks(const struct cache_op *op)
{
	const struct cache_condition *condition = condition_of(op);

	return condition->kind == CONDITION_ABSENT || condition->kind == CONDITION_NONE_MATCH;
}

const struct dynamodb_stage *dynamodb_expire_begin(const struct remote_context *context,
						   struct remote_call *call)
{
	(void)context;
	return looks(dynamodb_call_op(call)) ? &look_stage : &expire_stage;
}

/* ---- Looking ---- */

static bool look_write(const struct remote_context *context, struct remote_call *call, size_t part,
		       struct buffer *out)
{
	const struct dynamodb_state *state = dynamodb_state_of(context);
	const struct cache_op *op = dynamodb_call_op(call);

	(void)part;
	dynamodb_wire_begin(out, state);
	buffer_append(out, SLICE(",\"Key\":"));
	dynamodb_wire_entry_key(out, state, op->ns, op->items[0].key);
	buffer_append(out, SLICE(",\"ConsistentRead\":true,\"ProjectionExpression\":\"e,x\"}"));
	return true;
}

static bool read_tag(const json_t *item, struct etag *ret)
{
	struct slice tag = dynamodb_wire_read_base64(item, "e");
	char room[32];
	size_t len = 0;

	if (dynamodb_answer_decoded_max(tag) > sizeof(room) ||
	    !dynamodb_answer_decode(tag, room, &len) || len != sizeof(ret->bytes))
		return false;
	memcpy(ret->bytes, room, len);
	return true;
}

static enum remote_step end(struct remote_call *call, struct cache_op *op, enum cache_status status)
{
	op->items[0].status = status;
	remote_job_succeed(call->jobs.first);
	return STEP_DONE;
}

static enum remote_step look_read(const struct remote_context *context, struct remote_call *call,
				  size_t part, const struct dynamodb_reply *reply)
{
	struct dynamodb_call *own = dynamodb_call_of(call);
	struct cache_op *op = dynamodb_call_op(call);
	const json_t *item = json_object_get(reply->root, "Item");
	struct etag *seen = own->plan ? own->plan : malloc(sizeof(*seen));

	(void)context;
	(void)part;
	own->plan = seen;
	if (!seen)
		return STEP_NO_MEMORY;
	if (!op)
		return STEP_DONE;
	if (!item || !rules_is_live(dynamodb_wire_read_number(item, "x", 0), own->now_us))
		return end(call, op, CACHE_NOT_FOUND);
	if (!read_tag(item, seen))
		return STEP_BAD;
	if (!cache_condition_holds(condition_of(op), seen))
		return end(call, op, CACHE_PRECONDITION_FAILED);
	return dynamodb_call_next(call, &expire_stage);
}

static const struct dynamodb_stage look_stage = {
	.target = "GetItem",
	.write = look_write,
	.read = look_read,
};

/* ---- The updates ---- */

static const struct namespace_settings *
settings_of(const struct remote_context *context, struct slice ns, struct namespace_settings *room)
{
	const struct dynamodb_space *space =
		dynamodb_space_find(&dynamodb_state_of(context)->spaces, ns);

	if (space)
		return &space->settings;
	dynamodb_space_defaults(context->config, ns, room);
	return room;
}

static size_t expire_parts(const struct remote_context *context, struct remote_call *call)
{
	(void)context;
	return call->jobs.first->item_count;
}

static void write_values(const struct remote_call *call, const struct cache_condition *condition,
			 int64_t expires_us, int64_t stale_ttl_s, struct buffer *out)
{
	const struct dynamodb_call *own = dynamodb_call_of(call);

	buffer_append(out, SLICE(",\"ExpressionAttributeValues\":{"));
	dynamodb_wire_number(out, ":n", own->now_us);
	dynamodb_wire_text(out, ":w", slice_of(own->name));
	if (expires_us > 0) {
		dynamodb_wire_number(out, ":x", expires_us);
		dynamodb_wire_number(out, ":t", dynamodb_update_ttl_s(expires_us, stale_ttl_s));
	}
	dynamodb_update_condition_values(out, condition);
	buffer_append(out, SLICE("}}"));
}

static bool expire_write(const struct remote_context *context, struct remote_call *call,
			 size_t part, struct buffer *out)
{
	const struct dynamodb_state *state = dynamodb_state_of(context);
	const struct dynamodb_call *own = dynamodb_call_of(call);
	const struct cache_op *op = dynamodb_call_op(call);
	struct namespace_settings room;
	const struct namespace_settings *settings = settings_of(context, op->ns, &room);
	struct cache_condition condition = *condition_of(op);
	int64_t expires_us =
		rules_expiry_us(&op->items[part], settings->default_ttl_s, own->now_us);

	if (own->plan) /* that was seen */
		condition = (struct cache_condition){
			.kind = CONDITION_MATCH, .etags = own->plan, .etag_count = 1};
	dynamodb_wire_begin(out, state);
	buffer_append(out, SLICE(",\"Key\":"));
	dynamodb_wire_entry_key(out, state, op->ns, op->items[part].key);
	buffer_append(out, expires_us > 0 ? SLICE(",\"UpdateExpression\":\"SET w=:w,x=:x,t=:t\"")
					  : SLICE(",\"UpdateExpression\":\"SET w=:w REMOVE x,t\""));
	dynamodb_update_condition(out, &condition);
	write_values(call, &condition, expires_us, settings->stale_ttl_s, out);
	return true;
}

static void take(const struct remote_context *context, const struct remote_call *call,
		 const struct cache_op *op, struct cache_item *item,
		 const struct dynamodb_reply *reply)
{
	struct dynamodb_space *space =
		dynamodb_space_find(&dynamodb_state_of(context)->spaces, op->ns);
	bool is_conditional = condition_of(op)->kind != CONDITION_NONE;

	item->status = CACHE_OK;
	if (reply->error.len > 0)
		item->status = is_conditional ? CACHE_PRECONDITION_FAILED : CACHE_NOT_FOUND;
	else if (space)
		dynamodb_space_ends(space, rules_expiry_us(item, space->settings.default_ttl_s,
							   dynamodb_call_of(call)->now_us));
}

static enum remote_step expire_read(const struct remote_context *context, struct remote_call *call,
				    size_t part, const struct dynamodb_reply *reply)
{
	struct cache_op *op = dynamodb_call_op(call);

	if (op && reply->error.len > 0 && dynamodb_call_of(call)->plan)
		return dynamodb_call_next(call, &look_stage); /* it is another one now */
	if (op)
		take(context, call, op, &op->items[part], reply);
	if (call->open > 0)
		return STEP_MORE;
	remote_job_succeed(call->jobs.first);
	return STEP_DONE;
}

static const struct dynamodb_stage expire_stage = {
	.target = "UpdateItem",
	.exception = "ConditionalCheckFailedException",
	.parts = expire_parts,
	.write = expire_write,
	.read = expire_read,
};
