/* The statements of each operation in REST mode. */
#include "backends/d1/rest_params.h"

#define INDEXED_KEY_BYTES 64

/* ---- Reads and deletes ---- */

static void write_get(struct rest_writer *writer, const struct rest_group *group, bool touch)
{
	rest_begin_head(writer, group->ops.first->op->ns);
	if (group->ops.first->op->serve_stale)
		rest_add_member(writer, "stale", 1);
	rest_end_head(writer);
	rest_write_places(writer, group);
	rest_add_on_items(writer, "get_items");
	if (!touch)
		return;
	rest_add_on_items(writer, "touch_items");
	rest_add_on_items(writer, "count_gets");
}

static void write_exists(struct rest_writer *writer, const struct rest_group *group)
{
	rest_begin_head(writer, group->ops.first->op->ns);
	rest_end_head(writer);
	rest_write_places(writer, group);
	rest_add_on_items(writer, "exist_items");
}

static void write_delete(struct rest_writer *writer, const struct rest_group *group)
{
	rest_begin_head(writer, group->ops.first->op->ns);
	rest_add_condition(writer, group->ops.first->op);
	rest_end_head(writer);
	rest_write_places(writer, group);
	rest_add_on_items(writer, "probe");
	rest_add_on_items(writer, "count_deletes");
	rest_add_on_items(writer, "delete_items");
}

/* ---- What passes over many entries ---- */

/* Bounds, in hex, of what the index of keys holds of keys that begin with the prefix and come after
 * `after` (NULL: all). */
static void add_bounds(struct rest_writer *writer, struct slice prefix, const struct slice *after)
{
	struct slice low = {.data = prefix.data,
			    .len = prefix.len < INDEXED_KEY_BYTES ? prefix.len : INDEXED_KEY_BYTES};
	char high[INDEXED_KEY_BYTES + 1];
	size_t high_len = low.len;

	if (low.len > 0)
		memcpy(high, low.data, low.len);
	while (high_len > 0 && high[high_len - 1] == '\xFF')
		high_len--;
	if (high_len > 0) {
		high[high_len - 1]++;
	} else {
		high_len = sizeof(high);
		memset(high, 0xFF, sizeof(high));
	}
	if (after) {
		struct slice from = {.data = after->data,
				     .len = after->len < INDEXED_KEY_BYTES ? after->len
									   : INDEXED_KEY_BYTES};

		if (slice_compare(from, low) > 0)
			low = from;
	}
	buffer_append(&writer->head, SLICE(",\"low\":\""));
	rest_append_hex(&writer->head, low);
	buffer_append(&writer->head, SLICE("\",\"high\":\""));
	rest_append_hex(&writer->head, (struct slice){.data = high, .len = high_len});
	buffer_append_char(&writer->head, '"');
	rest_add_member(writer, "prefix_is_text", rest_is_plain(prefix));
	rest_add_member(writer, "prefix_length", (int64_t)prefix.len);
}

static void write_clear(struct rest_writer *writer, const struct rest_group *group)
{
	const struct cache_op *op = group->ops.first->op;
	struct buffer scratch = {0};

	rest_begin_head(writer, op->ns);
	if (group->accounts) {
		rest_add_member(writer, "deletes", (int64_t)group->deleted);
		rest_end_head(writer);
		rest_add_statement(writer, "add_deletes");
		return;
	}
	if (op->prefix.len > 0) {
		add_bounds(writer, op->prefix, NULL);
		rest_add_member(writer, "limit", REST_CLEAR_MAX);
		rest_end_head(writer);
		rest_add_statement_on(writer, "clear_prefix", rest_carry(&scratch, op->prefix));
		buffer_deinit(&scratch);
		return;
	}
	rest_add_member(writer, "sweep_max", REST_CLEAR_MAX);
	rest_end_head(writer);
	rest_add_statement(writer, "clear_count");
	rest_add_statement(writer, "clear_drop");
	rest_add_statement(writer, "clear_renew");
	rest_add_statement(writer, "sweep");
	rest_begin_statement(writer, "forget_dropped");
	rest_end_statement(writer);
}

static void write_scan(struct rest_writer *writer, const struct cache_op *op)
{
	size_t left = op->limit - op->entry_count;
	bool goes_on = op->entry_count > 0;
	bool has_after = goes_on || op->has_after;
	struct slice after = goes_on ? op->entries[op->entry_count - 1].key : op->after;
	struct buffer prefix_hex = {0};
	struct buffer after_hex = {0};

	rest_begin_head(writer, op->ns);
	add_bounds(writer, op->prefix, has_after ? &after : NULL);
	if (has_after)
		rest_add_member(writer, "after_is_text", rest_is_plain(after));
	else
		buffer_append(&writer->head, SLICE(",\"after_is_text\":null"));
	rest_add_member(writer, "limit",
			(int64_t)(left < REST_SCAN_MAX ? left : REST_SCAN_MAX) + 1);
	rest_end_head(writer);
	rest_begin_statement(writer, "scan");
	rest_add_param(writer, buffer_bytes(&writer->head));
	rest_add_param(writer, rest_carry(&prefix_hex, op->prefix));
	rest_add_param(writer, has_after ? rest_carry(&after_hex, after) : SLICE(""));
	rest_end_statement(writer);
	buffer_deinit(&prefix_hex);
	buffer_deinit(&after_hex);
}

static void write_stats(struct rest_writer *writer, const struct cache_op *op)
{
	rest_begin_head(writer, op->ns);
	rest_add_member(writer, "sweep_max", REST_SWEEP_MAX);
	rest_end_head(writer);
	rest_add_statement(writer, "sweep");
	rest_begin_statement(writer, "forget_dropped");
	rest_end_statement(writer);
	rest_add_statement(writer, "stats");
}

/* ---- Settings ---- */

static void add_setting(struct rest_writer *writer, const char *name, bool is_set, int64_t number)
{
	if (is_set)
		rest_add_member(writer, name, number);
	else
		buffer_printf(&writer->head, ",\"%s\":null", name);
}

static void write_configure(struct rest_writer *writer, const struct rest_group *group)
{
	const struct cache_op *op = group->ops.first->op;
	unsigned mask = op->settings_mask;

	rest_begin_head(writer, op->ns);
	rest_add_defaults(writer, op->ns);
	add_setting(writer, "set_max_size", mask & SETTING_MAX_SIZE,
		    (int64_t)op->settings.max_size_bytes);
	add_setting(writer, "set_capacity", mask & SETTING_CAPACITY, op->settings.capacity);
	add_setting(writer, "set_default_ttl", mask & SETTING_DEFAULT_TTL,
		    op->settings.default_ttl_s);
	if (mask & SETTING_POLICY)
		rest_add_text_member(writer, "set_policy",
				     slice_of(eviction_policy_name(op->settings.policy)));
	else
		add_setting(writer, "set_policy", false, 0);
	add_setting(writer, "set_stale_ttl", mask & SETTING_STALE_TTL, op->settings.stale_ttl_s);
	rest_add_member(writer, "continuing", group->continuing);
	rest_add_member(writer, "evict_max", REST_EVICT_MAX);
	rest_end_head(writer);
	if (group->round == 0) {
		rest_add_statement(writer, "ensure_namespace");
		rest_add_statement(writer, "configure");
		if ((mask & SETTING_POLICY) && op->settings.policy == EVICT_FIFO)
			rest_add_statement(writer, "mark_fifo");
		if (mask & SETTING_STALE_TTL)
			rest_add_statement(writer, "mark_kept");
	}
	rest_add_statement(writer, "plan_limits");
	rest_add_statement_on(writer, "evict", SLICE("[]"));
	rest_add_statement(writer, "set_result");
	rest_add_statement(writer, "settle");
}

/* ---- Every operation ---- */

size_t d1_rest_write_group(const struct d1_context *context, struct rest_group *group,
			   struct buffer *body)
{
	struct rest_writer writer = {.context = context, .body = body};
	const struct cache_op *op = group->ops.first->op;

	switch (group->ops.type) {
	case CACHE_OP_GET:
		write_get(&writer, group, !op->no_touch);
		break;
	case CACHE_OP_EXISTS:
		write_exists(&writer, group);
		break;
	case CACHE_OP_SET:
		rest_write_set(&writer, group);
		break;
	case CACHE_OP_DELETE:
		write_delete(&writer, group);
		break;
	case CACHE_OP_CLEAR:
		write_clear(&writer, group);
		break;
	case CACHE_OP_SCAN:
		write_scan(&writer, op);
		break;
	case CACHE_OP_STATS:
		write_stats(&writer, op);
		break;
	case CACHE_OP_CONFIGURE:
		write_configure(&writer, group);
		break;
	default:
		rest_begin_statement(&writer, "check");
		rest_end_statement(&writer);
		break;
	}
	body->failed |= writer.head.failed || writer.items.failed;
	buffer_deinit(&writer.head);
	buffer_deinit(&writer.items);
	return writer.statements;
}
