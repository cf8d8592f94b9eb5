#include "backends/dynamodb/update.h"

#include "store/rules.h"

/* DynamoDB removes what is past its end for so long; the sweep of a server comes before, and counts
 * it. */
#define TTL_GRACE_S 86400

#define IS_LIVE     "(attribute_exists(k) AND (attribute_not_exists(x) OR x>:n))"
#define IS_NOT_LIVE "(attribute_not_exists(k) OR x<=:n)"
/* Operands of one IN. */
#define IN_MAX 100

uint64_t dynamodb_update_used(const struct cache_item *item)
{
	return cache_used_bytes(item->key.len, cache_value_head(item->value).len, item->size_bytes);
}

int64_t dynamodb_update_ttl_s(int64_t expires_us, int64_t stale_ttl_s)
{
	return expires_us / US_PER_S + stale_ttl_s + TTL_GRACE_S;
}

void dynamodb_update_init(struct dynamodb_update *update, const struct cache_op *op,
			  const struct cache_item *item, const struct namespace_settings *settings,
			  int64_t now_us, const char *name)
{
	const struct cache_history *history = item->history;

	*update = (struct dynamodb_update){
		.op = op,
		.item = item,
		.name = name,
		.now_us = now_us,
		.expires_us = rules_expiry_us(item, settings->default_ttl_s, now_us),
		.stale_ttl_s = settings->stale_ttl_s,
		.has_history = history != NULL,
		.frequency = history && history->frequency ? (int64_t)history->frequency : 1,
		.created_us = now_us,
		.last_access_us = now_us,
	};
	if (history && rules_is_past(history->created_at_us, now_us))
		update->created_us = history->created_at_us;
	if (history && rules_is_past(history->last_access_us, now_us))
		update->last_access_us = history->last_access_us;
	if (item->condition.kind != CONDITION_NONE && op->item_count == 1)
		update->condition = &item->condition;
}

void dynamodb_update_follow(struct dynamodb_update *update, const struct dynamodb_old *old)
{
	if (!update->has_history && old->is_live) {
		update->frequency = old->frequency + 1;
		update->created_us = old->created_us;
	}
	update->has_history = true;
}

/* ---- Conditions ---- */

static void write_tags(struct buffer *out, const struct cache_condition *condition)
{
	buffer_append_char(out, '(');
	for (size_t i = 0; i < condition->etag_count; i++) {
		if (i % IN_MAX == 0)
			buffer_append(out, i == 0 ? SLICE("e IN (") : SLICE(") OR e IN ("));
		buffer_printf(out, "%s:e%zu", i % IN_MAX ? "," : "", i);
	}
	buffer_append(out, condition->etag_count > 0 ? SLICE("))") : SLICE(":n<>:n)"));
}

void dynamodb_update_condition(struct buffer *out, const struct cache_condition *condition)
{
	buffer_append(out, SLICE(",\"ConditionExpression\":\""));
	if (condition->kind == CONDITION_ABSENT)
		buffer_append(out, SLICE(IS_NOT_LIVE));
	else if (condition->kind == CONDITION_NONE_MATCH)
		buffer_append(out, SLICE(IS_NOT_LIVE " OR NOT "));
	else
		buffer_append(out, SLICE(IS_LIVE));
	if (condition->kind == CONDITION_MATCH)
		buffer_append(out, SLICE(" AND "));
	if (condition->kind == CONDITION_MATCH || condition->kind == CONDITION_NONE_MATCH)
		write_tags(out, condition);
	buffer_append_char(out, '"');
}

void dynamodb_update_condition_values(struct buffer *out, const struct cache_condition *condition)
{
	char name[32];

	if (condition->kind != CONDITION_MATCH && condition->kind != CONDITION_NONE_MATCH)
		return;
	for (size_t i = 0; i < condition->etag_count; i++) {
		(void)snprintf(name, sizeof(name), ":e%zu", i);
		dynamodb_wire_bytes(out, name,
				    (struct slice){(const char *)condition->etags[i].bytes,
						   sizeof(condition->etags[i].bytes)});
	}
}

/* ---- The update ---- */

static void write_expression(const struct dynamodb_update *update, struct buffer *out)
{
	bool is_empty = update->item->value->len_bytes == 0;

	buffer_append(out, SLICE(",\"UpdateExpression\":\"SET y=:y,e=:e,g=:g,s=:s,u=:u,m=:n,a=:a,"
				 "w=:w"));
	buffer_append(out, update->has_history
				   ? SLICE(",c=:c,f=:f")
				   : SLICE(",c=if_not_exists(c,:n),f=if_not_exists(f,:z)+:f"));
	if (!is_empty)
		buffer_append(out, SLICE(",v=:v"));
	if (dynamodb_wire_is_long(update->item->key))
		buffer_append(out, SLICE(",K=:K"));
	if (update->expires_us > 0)
		buffer_append(out, SLICE(",x=:x,t=:t"));
	if (is_empty || update->expires_us == 0)
		buffer_append(out, SLICE(" REMOVE "));
	if (is_empty)
		buffer_append(out, update->expires_us == 0 ? SLICE("v,") : SLICE("v"));
	if (update->expires_us == 0)
		buffer_append(out, SLICE("x,t"));
	buffer_append_char(out, '"');
}

static void write_values(const struct dynamodb_update *update, struct buffer *out)
{
	const struct cache_item *item = update->item;
	const struct cache_value *value = item->value;

	buffer_append(out, SLICE(",\"ExpressionAttributeValues\":{"));
	if (value->len_bytes > 0)
		dynamodb_wire_bytes(out, ":v", cache_value_bytes(value));
	if (dynamodb_wire_is_long(item->key))
		dynamodb_wire_bytes(out, ":K", item->key);
	dynamodb_wire_text(out, ":y", cache_value_head(value));
	dynamodb_wire_bytes(
		out, ":e",
		(struct slice){(const char *)value->etag.bytes, sizeof(value->etag.bytes)});
	dynamodb_wire_number(out, ":g", value->flags);
	dynamodb_wire_number(out, ":s", (int64_t)item->size_bytes);
	dynamodb_wire_number(out, ":u", (int64_t)dynamodb_update_used(item));
	dynamodb_wire_number(out, ":n", update->now_us);
	dynamodb_wire_number(out, ":a", update->last_access_us);
	dynamodb_wire_text(out, ":w", slice_of(update->name));
	dynamodb_wire_number(out, ":f", update->frequency);
	if (update->has_history)
		dynamodb_wire_number(out, ":c", update->created_us);
	else
		dynamodb_wire_number(out, ":z", 0);
	if (update->expires_us > 0) {
		dynamodb_wire_number(out, ":x", update->expires_us);
		dynamodb_wire_number(
			out, ":t", dynamodb_update_ttl_s(update->expires_us, update->stale_ttl_s));
	}
	if (update->condition)
		dynamodb_update_condition_values(out, update->condition);
	if (update->before && *update->before)
		dynamodb_wire_text(out, ":b", slice_of(update->before));
	buffer_append_char(out, '}');
}

void dynamodb_update_write(const struct dynamodb_update *update, const struct dynamodb_state *state,
			   struct buffer *out)
{
	(void)buffer_reserve(out, update->item->value->len_bytes / 3 * 4 + 2048);
	dynamodb_wire_begin(out, state);
	buffer_append(out, SLICE(",\"Key\":"));
	dynamodb_wire_entry_key(out, state, update->op->ns, update->item->key);
	write_expression(update, out);
	if (update->condition)
		dynamodb_update_condition(out, update->condition);
	else if (update->before)
		buffer_append(out, *update->before ? SLICE(",\"ConditionExpression\":\"w=:b\"")
						   : SLICE(",\"ConditionExpression\":"
							   "\"attribute_not_exists(k)\""));
	write_values(update, out);
}
