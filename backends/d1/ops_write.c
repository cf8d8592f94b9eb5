/* Requests of POST /ops. */
#include "backends/d1/ops_write.h"

#include <stdlib.h>

#include "backends/d1/defaults.h"
#include "backends/d1/ops_check.h"
#include "backends/d1/ops_group.h"
#include "backends/remote/namespaces.h"
#include "backends/remote/wire.h"
#include "base/json_out.h"

/* ---- Parts of an op ---- */

static void write_settings(struct buffer *out, const struct namespace_settings *settings)
{
	remote_wire_write_integer(out, "max_size_bytes", (int64_t)settings->max_size_bytes);
	buffer_append_char(out, ',');
	remote_wire_write_integer(out, "capacity", settings->capacity);
	buffer_append_char(out, ',');
	remote_wire_write_integer(out, "default_ttl_s", settings->default_ttl_s);
	buffer_append_char(out, ',');
	remote_wire_write_text(out, "policy", slice_of(eviction_policy_name(settings->policy)));
}

static void write_defaults(const struct remote_context *context, struct buffer *out,
			   struct slice ns)
{
	struct namespace_settings settings;

	d1_defaults_of(context, ns, &settings);
	buffer_append(out, SLICE(",\"defaults\":{"));
	write_settings(out, &settings);
	buffer_append_char(out, '}');
}

/* Of all namespaces that are known here, by name. */
static void write_all_defaults(const struct remote_context *context, struct buffer *out)
{
	const struct remote_ns_counters *ns = NULL;
	struct namespace_settings settings;

	buffer_append(out, SLICE(",\"defaults\":{"));
	while ((ns = remote_namespaces_next(context->namespaces, ns))) {
		if (out->data[out->len - 1] == '}')
			buffer_append_char(out, ',');
		d1_defaults_of(context, slice_of(ns->name), &settings);
		json_out_string(out, slice_of(ns->name));
		buffer_append(out, SLICE(":{"));
		write_settings(out, &settings);
		buffer_append_char(out, '}');
	}
	buffer_append_char(out, '}');
}

static void write_condition(struct buffer *out, const struct cache_condition *condition)
{
	static const char *const kinds[] = {
		[CONDITION_ABSENT] = "absent",
		[CONDITION_PRESENT] = "present",
		[CONDITION_MATCH] = "match",
		[CONDITION_NONE_MATCH] = "none_match",
	};
	char text[ETAG_TEXT_LEN + 1];

	buffer_append(out, SLICE(",\"if\":{"));
	remote_wire_write_text(out, "kind", slice_of(kinds[condition->kind]));
	if (condition->kind == CONDITION_MATCH || condition->kind == CONDITION_NONE_MATCH) {
		buffer_append(out, SLICE(",\"etags\":["));
		for (size_t i = 0; i < condition->etag_count; i++) {
			if (i > 0)
				buffer_append_char(out, ',');
			etag_format(&condition->etags[i], text);
			json_out_string(out, slice_of(text));
		}
		buffer_append_char(out, ']');
	}
	buffer_append_char(out, '}');
}

static void write_history(struct buffer *out, const struct cache_history *history)
{
	buffer_append(out, SLICE(",\"history\":{"));
	remote_wire_write_integer(out, "frequency",
				  history->frequency ? (int64_t)history->frequency : 1);
	buffer_append_char(out, ',');
	remote_wire_write_integer(out, "created_us", history->created_at_us);
	buffer_append_char(out, ',');
	remote_wire_write_integer(out, "last_access_us", history->last_access_us);
	if (history->expires_at_us != HISTORY_TTL) {
		buffer_append_char(out, ',');
		remote_wire_write_integer(out, "expires_us", history->expires_at_us);
	}
	buffer_append_char(out, '}');
}

/* The value, or `"reference":{...}` in its place; a compressed one with the ETag and the flags of
 * what it decodes to. */
static void write_value(struct buffer *out, const struct cache_value *value)
{
	char etag[ETAG_TEXT_LEN + 1];

	if (!(value->flags & (CACHE_VALUE_REFERENCE | CACHE_VALUE_ZSTD))) {
		remote_wire_write_bytes(out, "value", cache_value_bytes(value));
		return;
	}
	etag_format(&value->etag, etag);
	if (value->flags & CACHE_VALUE_REFERENCE) {
		buffer_append(out, SLICE("\"reference\":{"));
		remote_wire_write_text(out, "text", cache_value_bytes(value));
	} else {
		/* Its first bytes are not UTF-8. */
		buffer_append(out, SLICE("\"value\":{"));
		remote_wire_write_bytes(out, "zstd", cache_value_bytes(value));
	}
	buffer_append_char(out, ',');
	remote_wire_write_text(out, "etag", slice_of(etag));
	buffer_append_char(out, ',');
	remote_wire_write_integer(out, "flags", value->flags & OPS_FLAGS);
	buffer_append_char(out, '}');
}

static void write_item(struct buffer *out, const struct cache_op *op, const struct cache_item *item)
{
	buffer_append_char(out, '{');
	remote_wire_write_bytes(out, "key", item->key);
	if (op->type == CACHE_OP_SET) {
		buffer_append_char(out, ',');
		write_value(out, item->value);
		buffer_append_char(out, ',');
		remote_wire_write_bytes(out, "content_type", cache_value_head(item->value));
		buffer_append_char(out, ',');
		remote_wire_write_integer(out, "size", (int64_t)item->size_bytes);
		if (item->history)
			write_history(out, item->history);
	}
	if ((op->type == CACHE_OP_SET || op->type == CACHE_OP_EXPIRE) &&
	    item->ttl_s != TTL_DEFAULT) {
		buffer_append_char(out, ',');
		remote_wire_write_integer(out, "ttl_s", item->ttl_s);
	}
	if (op->type != CACHE_OP_GET && op->type != CACHE_OP_EXISTS && op->item_count == 1 &&
	    item->condition.kind != CONDITION_NONE)
		write_condition(out, &item->condition);
	buffer_append_char(out, '}');
}

static void write_items(struct buffer *out, const struct ops_group *group)
{
	bool is_first = true;

	buffer_append(out, SLICE(",\"items\":["));
	for (const struct remote_job *job = group->first; job; job = job->grouped) {
		for (size_t i = 0; i < job->op->item_count; i++) {
			if (!is_first)
				buffer_append_char(out, ',');
			is_first = false;
			write_item(out, job->op, &job->op->items[i]);
		}
	}
	buffer_append_char(out, ']');
}

static void write_configure(struct buffer *out, const struct cache_op *op)
{
	const struct namespace_settings *settings = &op->settings;

	if (op->settings_mask & SETTING_MAX_SIZE)
		buffer_printf(out, ",\"max_size_bytes\":%llu",
			      (unsigned long long)settings->max_size_bytes);
	if (op->settings_mask & SETTING_CAPACITY)
		buffer_printf(out, ",\"capacity\":%lld", (long long)settings->capacity);
	if (op->settings_mask & SETTING_DEFAULT_TTL)
		buffer_printf(out, ",\"default_ttl_s\":%lld", (long long)settings->default_ttl_s);
	if (op->settings_mask & SETTING_STALE_TTL)
		buffer_printf(out, ",\"stale_ttl_s\":%lld", (long long)settings->stale_ttl_s);
	if (op->settings_mask & SETTING_MAX_IDLE)
		buffer_printf(out, ",\"max_idle_s\":%lld", (long long)settings->max_idle_s);
	if (op->settings_mask & SETTING_COMPRESSION)
		buffer_printf(out, ",\"compression\":\"%s\"",
			      compression_name(settings->compression));
	if (op->settings_mask & SETTING_PUT_STATUS)
		buffer_printf(out, ",\"put_status\":%u", settings->put_status);
	if (op->settings_mask & SETTING_POLICY)
		buffer_printf(out, ",\"policy\":\"%s\"", eviction_policy_name(settings->policy));
}

static void write_scan(struct buffer *out, const struct cache_op *op)
{
	size_t left = op->limit - op->entry_count;
	bool goes_on = op->entry_count > 0;

	buffer_append_char(out, ',');
	remote_wire_write_bytes(out, "prefix", op->prefix);
	if (goes_on || op->has_after) {
		buffer_append_char(out, ',');
		remote_wire_write_bytes(out, "after",
					goes_on ? op->entries[op->entry_count - 1].key : op->after);
	}
	buffer_append_char(out, ',');
	remote_wire_write_integer(out, "limit",
				  (int64_t)(left < OPS_SCAN_MAX ? left : OPS_SCAN_MAX));
	if (op->max_key_bytes > 0) {
		buffer_append_char(out, ',');
		remote_wire_write_integer(out, "max_key_bytes", (int64_t)op->max_key_bytes);
	}
}

static void write_group(const struct remote_context *context, struct buffer *out,
			const struct ops_group *group)
{
	static const char *const names[CACHE_OP_TYPES] = {
		[CACHE_OP_GET] = "get",       [CACHE_OP_SET] = "set",
		[CACHE_OP_DELETE] = "delete", [CACHE_OP_EXISTS] = "exists",
		[CACHE_OP_EXPIRE] = "expire", [CACHE_OP_CLEAR] = "clear",
		[CACHE_OP_SCAN] = "scan",     [CACHE_OP_STATS] = "stats",
		[CACHE_OP_CHECK] = "check",   [CACHE_OP_CONFIGURE] = "configure",
	};
	const struct cache_op *op = group->first->op;
	/* An older Worker refuses it; of a clear it would do half. */
	bool is_drop = op->type == CACHE_OP_CLEAR && op->drop;

	buffer_append_char(out, '{');
	remote_wire_write_text(out, "op", slice_of(is_drop ? "drop" : names[group->type]));
	if (op->ns.len > 0) {
		buffer_append_char(out, ',');
		remote_wire_write_text(out, "ns", op->ns);
	}
	if (op->type == CACHE_OP_GET)
		buffer_append(out, SLICE(",\"references\":true,\"zstd\":true"));
	if (op->type == CACHE_OP_GET && op->no_touch)
		buffer_append(out, SLICE(",\"touch\":false"));
	if (op->type == CACHE_OP_GET && op->serve_stale)
		buffer_append(out, SLICE(",\"stale\":true"));
	if (op->type == CACHE_OP_SET || op->type == CACHE_OP_EXPIRE ||
	    op->type == CACHE_OP_CONFIGURE || (op->type == CACHE_OP_STATS && op->ns.len > 0))
		write_defaults(context, out, op->ns);
	if (op->type == CACHE_OP_STATS && op->ns.len == 0)
		write_all_defaults(context, out);
	if (cache_op_has_items(op->type))
		write_items(out, group);
	else if (op->type == CACHE_OP_CONFIGURE)
		write_configure(out, op);
	else if (op->type == CACHE_OP_SCAN)
		write_scan(out, op);
	if (op->type == CACHE_OP_CLEAR && op->prefix.len > 0) {
		buffer_append_char(out, ',');
		remote_wire_write_bytes(out, "prefix", op->prefix);
	}
	buffer_append_char(out, '}');
}

bool d1_ops_write(const struct remote_context *context, struct remote_call *call, size_t part,
		  struct remote_request *request)
{
	struct buffer *body = &request->body;

	(void)part;
	request->path = "/ops";
	buffer_append_char(body, '{');
	if (context->config->clock) {
		remote_wire_write_integer(body, "now_us",
					  cache_clock_now_us(context->config->clock));
		buffer_append_char(body, ',');
	}
	buffer_append(body, SLICE("\"ops\":["));
	if (call->kind == CALL_PROBE) {
		buffer_append(body, SLICE("{\"op\":\"check\"}"));
	} else {
		struct ops_state *state = d1_ops_group(call);

		free(call->state);
		call->state = state;
		if (!state)
			return false;
		for (size_t i = 0; i < state->group_count; i++) {
			if (i > 0)
				buffer_append_char(body, ',');
			write_group(context, body, &state->groups[i]);
		}
	}
	buffer_append(body, SLICE("]}"));
	return !body->failed;
}
