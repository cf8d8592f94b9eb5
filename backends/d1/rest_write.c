/* The statements of REST mode and their parameters, which are texts: a JSON object with the request
 * (?1), a JSON array with the items (?2), and what is too large for them. */
#include <nettle/sha2.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "backends/base/json_out.h"
#include "backends/base/utf8.h"
#include "backends/d1/d1.h"
#include "backends/d1/rest.h"
#include "backends/d1/wire.h"

#define INDEXED_KEY_BYTES 64
/* Values go to put_contents together up to so many bytes. */
#define PIECE_MAX_BYTES 300000

struct writer {
	const struct d1_context *context;
	struct buffer *body;
	size_t statements;
	struct buffer head, items; /* ?1, ?2 */
};

/* ---- Statements ---- */

static void begin_statement(struct writer *writer, const char *name)
{
	const char *sql = d1_sql_find(writer->context->sql, name);

	if (writer->body->len > 0 && writer->body->data[writer->body->len - 1] == '}')
		buffer_append_char(writer->body, ',');
	writer->statements++;
	buffer_append(writer->body, SLICE("{\"sql\":"));
	json_out_string(writer->body, slice_of(sql));
	buffer_append(writer->body, SLICE(",\"params\":["));
}

static void add_param(struct writer *writer, struct slice text)
{
	if (writer->body->len > 0 && writer->body->data[writer->body->len - 1] != '[')
		buffer_append_char(writer->body, ',');
	json_out_string(writer->body, text);
}

static void end_statement(struct writer *writer)
{
	buffer_append(writer->body, SLICE("]}"));
}

static void add_statement(struct writer *writer, const char *name)
{
	begin_statement(writer, name);
	add_param(writer, buffer_bytes(&writer->head));
	end_statement(writer);
}

static void add_statement_on(struct writer *writer, const char *name, struct slice items)
{
	begin_statement(writer, name);
	add_param(writer, buffer_bytes(&writer->head));
	add_param(writer, items);
	end_statement(writer);
}

static void add_on_items(struct writer *writer, const char *name)
{
	add_statement_on(writer, name, buffer_bytes(&writer->items));
}

/* ---- ?1 ---- */

static void begin_head(struct writer *writer, struct slice ns)
{
	const struct cache_clock *clock = writer->context->config->clock;

	writer->head.len = 0;
	buffer_append_char(&writer->head, '{');
	if (ns.len > 0)
		d1_write_text(&writer->head, "ns", ns);
	else
		buffer_append(&writer->head, SLICE("\"ns\":null"));
	buffer_append_char(&writer->head, ',');
	d1_write_integer(&writer->head, "now", cache_clock_now_us(clock ? clock : &system_clock));
}

static void add_member(struct writer *writer, const char *name, int64_t number)
{
	buffer_append_char(&writer->head, ',');
	d1_write_integer(&writer->head, name, number);
}

static void add_text_member(struct writer *writer, const char *name, struct slice text)
{
	buffer_append_char(&writer->head, ',');
	d1_write_text(&writer->head, name, text);
}

static void end_head(struct writer *writer)
{
	buffer_append_char(&writer->head, '}');
}

static void add_defaults(struct writer *writer, struct slice ns)
{
	struct namespace_settings settings;
	unsigned max = writer->context->config->max_namespaces;

	d1_default_settings(writer->context, ns, &settings);
	add_member(writer, "max_size", (int64_t)settings.max_size_bytes);
	add_member(writer, "capacity", settings.capacity);
	add_member(writer, "default_ttl", settings.default_ttl_s);
	add_text_member(writer, "policy", slice_of(eviction_policy_name(settings.policy)));
	add_member(writer, "max_namespaces", max ? (int64_t)max : INT32_MAX);
}

static void append_hex(struct buffer *out, struct slice bytes)
{
	static const char digits[] = "0123456789abcdef";

	if (!buffer_reserve(out, bytes.len * 2))
		return;
	for (size_t i = 0; i < bytes.len; i++) {
		unsigned char byte = (unsigned char)bytes.data[i];

		out->data[out->len++] = digits[byte >> 4];
		out->data[out->len++] = digits[byte & 15];
	}
}

static void append_etag(struct buffer *out, const struct etag *etag)
{
	buffer_append_char(out, '"');
	append_hex(out,
		   (struct slice){.data = (const char *)etag->bytes, .len = sizeof(etag->bytes)});
	buffer_append_char(out, '"');
}

static void add_condition(struct writer *writer, const struct cache_op *op)
{
	static const char *const kinds[] = {
		[CONDITION_NONE] = "null",
		[CONDITION_ABSENT] = "\"absent\"",
		[CONDITION_PRESENT] = "\"present\"",
		[CONDITION_MATCH] = "\"match\"",
		[CONDITION_NONE_MATCH] = "\"none_match\"",
	};
	const struct cache_condition *condition = &op->items[0].condition;
	bool is_one = op->item_count == 1;

	buffer_append(&writer->head, SLICE(",\"kind\":"));
	buffer_append(&writer->head, slice_of(kinds[is_one ? condition->kind : CONDITION_NONE]));
	buffer_append(&writer->head, SLICE(",\"etags\":["));
	for (size_t i = 0; is_one && i < condition->etag_count; i++) {
		if (i > 0)
			buffer_append_char(&writer->head, ',');
		append_etag(&writer->head, &condition->etags[i]);
	}
	buffer_append_char(&writer->head, ']');
}

/* ---- Keys ---- */

/* Where the entry of a key is: the first bits of SHA-256 over "namespace NUL key". */
static void append_place(struct buffer *out, struct slice ns, struct slice key)
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx context;
	uint64_t id = 0;

	sha256_init(&context);
	sha256_update(&context, ns.len, (const uint8_t *)ns.data);
	sha256_update(&context, 1, (const uint8_t *)"");
	sha256_update(&context, key.len, (const uint8_t *)key.data);
	sha256_digest(&context, sizeof(digest), digest);
	for (size_t i = 0; i < 8; i++)
		id = id << 8 | digest[i];
	buffer_printf(out, "%llu", (unsigned long long)(id >> 1));
	buffer_append(out, SLICE(",\""));
	append_hex(out, (struct slice){.data = (const char *)digest + 8, .len = 8});
	buffer_append_char(out, '"');
}

static bool is_plain(struct slice bytes)
{
	return utf8_is_valid(bytes) && (bytes.len == 0 || !memchr(bytes.data, '\0', bytes.len));
}

/* Text as it is, or hex: as a statement takes keys. */
static struct slice carry(struct buffer *scratch, struct slice key)
{
	if (is_plain(key))
		return key;
	scratch->len = 0;
	append_hex(scratch, key);
	return buffer_bytes(scratch);
}

/* [[id, "tag"], ...] */
static void write_places(struct writer *writer, const struct rest_group *group)
{
	size_t count = 0;

	writer->items.len = 0;
	buffer_append_char(&writer->items, '[');
	for (struct d1_job *job = group->ops.first; job; job = job->grouped) {
		job->first_item = count;
		for (size_t i = 0; job->op && i < job->op->item_count; i++) {
			buffer_append(&writer->items, count++ == 0 ? SLICE("[") : SLICE(",["));
			append_place(&writer->items, job->op->ns, job->op->items[i].key);
			buffer_append_char(&writer->items, ']');
		}
	}
	buffer_append_char(&writer->items, ']');
}

/* ---- Set ---- */

/* [[id, "tag", size, ttl or null, "etag"], ...] */
static void write_set_items(struct writer *writer, const struct cache_op *op)
{
	struct buffer *out = &writer->items;

	out->len = 0;
	buffer_append_char(out, '[');
	for (size_t i = 0; i < op->item_count; i++) {
		const struct cache_item *item = &op->items[i];

		buffer_append(out, i > 0 ? SLICE(",[") : SLICE("["));
		append_place(out, op->ns, item->key);
		buffer_printf(out, ",%llu,", (unsigned long long)item->size_bytes);
		if (item->ttl_s == TTL_DEFAULT)
			buffer_append(out, SLICE("null"));
		else
			json_out_integer(out, item->ttl_s);
		buffer_append_char(out, ',');
		append_etag(out, &item->value->etag);
		buffer_append_char(out, ']');
	}
	buffer_append_char(out, ']');
}

static void append_id(struct buffer *out, struct slice ns, struct slice key)
{
	append_place(out, ns, key);
	while (out->data && out->data[out->len - 1] != ',') /* less the tag */
		out->len--;
	if (out->data)
		out->len--;
}

static void append_value(struct buffer *out, const struct cache_value *value, bool is_text)
{
	if (is_text)
		json_out_string(out, cache_value_bytes(value));
	else
		json_out_base64(out, cache_value_bytes(value));
}

/* put_content for one large item: key and value are parameters of their own. */
static void add_content(struct writer *writer, const struct cache_op *op,
			const struct cache_item *item, bool is_text, struct buffer *scratch)
{
	struct buffer small = {0};

	buffer_append_char(&small, '[');
	append_id(&small, op->ns, item->key);
	buffer_printf(&small, ",%d,", is_plain(item->key));
	json_out_string(&small, slice_of(cache_value_content_type(item->value)));
	buffer_printf(&small, ",%d]", !is_text);
	begin_statement(writer, "put_content");
	add_param(writer, buffer_bytes(&writer->head));
	add_param(writer, buffer_bytes(&small));
	add_param(writer, carry(scratch, item->key));
	buffer_append_char(writer->body, ',');
	append_value(writer->body, item->value, is_text);
	end_statement(writer);
	buffer_deinit(&small);
}

static void flush_contents(struct writer *writer, struct buffer *piece)
{
	if (piece->len == 0)
		return;
	buffer_append_char(piece, ']');
	add_statement_on(writer, "put_contents", buffer_bytes(piece));
	piece->len = 0;
}

static void add_contents(struct writer *writer, const struct cache_op *op)
{
	struct buffer piece = {0};
	struct buffer scratch = {0};

	for (size_t i = 0; i < op->item_count; i++) {
		const struct cache_item *item = &op->items[i];
		bool is_text = is_plain(cache_value_bytes(item->value));
		size_t len = item->value->len_bytes + item->key.len;

		if (len > PIECE_MAX_BYTES / 2) {
			add_content(writer, op, item, is_text, &scratch);
			continue;
		}
		if (piece.len + len > PIECE_MAX_BYTES)
			flush_contents(writer, &piece);
		buffer_append(&piece, piece.len ? SLICE(",[") : SLICE("[["));
		append_id(&piece, op->ns, item->key);
		buffer_printf(&piece, ",%d,", is_plain(item->key));
		json_out_string(&piece, carry(&scratch, item->key));
		buffer_append_char(&piece, ',');
		json_out_string(&piece, slice_of(cache_value_content_type(item->value)));
		buffer_printf(&piece, ",%d,", !is_text);
		append_value(&piece, item->value, is_text);
		buffer_append_char(&piece, ']');
	}
	flush_contents(writer, &piece);
	writer->body->failed |= piece.failed || scratch.failed;
	buffer_deinit(&piece);
	buffer_deinit(&scratch);
}

static void add_token(struct writer *writer)
{
	static _Atomic uint64_t count;
	uint64_t token[2] = {(uint64_t)monotonic_now_us() ^ (uint64_t)(uintptr_t)writer->context,
			     atomic_fetch_add(&count, 1)};

	if (getentropy(&token[0], sizeof(token[0])) != 0)
		token[1] ^= (uint64_t)cache_clock_now_us(&system_clock) << 20;
	buffer_append(&writer->head, SLICE(",\"token\":\""));
	append_hex(&writer->head,
		   (struct slice){.data = (const char *)token, .len = sizeof(token)});
	buffer_append_char(&writer->head, '"');
}

static void write_set(struct writer *writer, const struct rest_group *group)
{
	const struct cache_op *op = group->ops.first->op;

	begin_head(writer, op->ns);
	add_defaults(writer, op->ns);
	add_condition(writer, op);
	add_token(writer);
	add_member(writer, "continuing", group->continuing);
	add_member(writer, "strict", group->round < REST_STRICT_ROUNDS);
	add_member(writer, "sweep_max", REST_SWEEP_MAX);
	add_member(writer, "evict_max", REST_EVICT_MAX);
	end_head(writer);
	write_places(writer, group);
	struct buffer spared = writer->items;
	writer->items = (struct buffer){0};
	write_set_items(writer, op);
	if (group->round == 0)
		add_statement(writer, "ensure_namespace");
	if (group->mark)
		add_statement(writer, "mark_fifo");
	add_statement(writer, "sweep");
	add_on_items(writer, "probe");
	add_on_items(writer, "plan");
	add_statement_on(writer, "evict", buffer_bytes(&spared));
	add_on_items(writer, "admit");
	add_on_items(writer, "make_way");
	add_on_items(writer, "put_entries");
	add_contents(writer, op);
	add_statement(writer, "set_result");
	add_statement(writer, "settle");
	writer->body->failed |= spared.failed;
	buffer_deinit(&spared);
}

/* ---- Reads and deletes ---- */

static void write_get(struct writer *writer, const struct rest_group *group, bool touch)
{
	begin_head(writer, group->ops.first->op->ns);
	end_head(writer);
	write_places(writer, group);
	add_on_items(writer, "get_items");
	if (!touch)
		return;
	add_on_items(writer, "touch_items");
	add_on_items(writer, "count_gets");
}

static void write_exists(struct writer *writer, const struct rest_group *group)
{
	begin_head(writer, group->ops.first->op->ns);
	end_head(writer);
	write_places(writer, group);
	add_on_items(writer, "exist_items");
}

static void write_delete(struct writer *writer, const struct rest_group *group)
{
	begin_head(writer, group->ops.first->op->ns);
	add_condition(writer, group->ops.first->op);
	end_head(writer);
	write_places(writer, group);
	add_on_items(writer, "probe");
	add_on_items(writer, "count_deletes");
	add_on_items(writer, "delete_items");
}

/* ---- What passes over many entries ---- */

/* Bounds, in hex, of what the index of keys holds of keys that begin with the prefix and come after
 * `after` (NULL: all). */
static void add_bounds(struct writer *writer, struct slice prefix, const struct slice *after)
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
	append_hex(&writer->head, low);
	buffer_append(&writer->head, SLICE("\",\"high\":\""));
	append_hex(&writer->head, (struct slice){.data = high, .len = high_len});
	buffer_append_char(&writer->head, '"');
	add_member(writer, "prefix_is_text", is_plain(prefix));
	add_member(writer, "prefix_length", (int64_t)prefix.len);
}

static void write_clear(struct writer *writer, const struct rest_group *group)
{
	const struct cache_op *op = group->ops.first->op;
	struct buffer scratch = {0};

	begin_head(writer, op->ns);
	if (group->accounts) {
		add_member(writer, "deletes", (int64_t)group->deleted);
		end_head(writer);
		add_statement(writer, "add_deletes");
		return;
	}
	if (op->prefix.len > 0) {
		add_bounds(writer, op->prefix, NULL);
		add_member(writer, "limit", REST_CLEAR_MAX);
		end_head(writer);
		add_statement_on(writer, "clear_prefix", carry(&scratch, op->prefix));
		buffer_deinit(&scratch);
		return;
	}
	add_member(writer, "sweep_max", REST_CLEAR_MAX);
	end_head(writer);
	add_statement(writer, "clear_count");
	add_statement(writer, "clear_drop");
	add_statement(writer, "clear_renew");
	add_statement(writer, "sweep");
	begin_statement(writer, "forget_dropped");
	end_statement(writer);
}

static void write_scan(struct writer *writer, const struct cache_op *op)
{
	size_t left = op->limit - op->entry_count;
	bool goes_on = op->entry_count > 0;
	bool has_after = goes_on || op->has_after;
	struct slice after = goes_on ? op->entries[op->entry_count - 1].key : op->after;
	struct buffer prefix_hex = {0};
	struct buffer after_hex = {0};

	begin_head(writer, op->ns);
	add_bounds(writer, op->prefix, has_after ? &after : NULL);
	if (has_after)
		add_member(writer, "after_is_text", is_plain(after));
	else
		buffer_append(&writer->head, SLICE(",\"after_is_text\":null"));
	add_member(writer, "limit", (int64_t)(left < REST_SCAN_MAX ? left : REST_SCAN_MAX) + 1);
	end_head(writer);
	begin_statement(writer, "scan");
	add_param(writer, buffer_bytes(&writer->head));
	add_param(writer, carry(&prefix_hex, op->prefix));
	add_param(writer, has_after ? carry(&after_hex, after) : SLICE(""));
	end_statement(writer);
	buffer_deinit(&prefix_hex);
	buffer_deinit(&after_hex);
}

static void write_stats(struct writer *writer, const struct cache_op *op)
{
	begin_head(writer, op->ns);
	add_member(writer, "sweep_max", REST_SWEEP_MAX);
	end_head(writer);
	add_statement(writer, "sweep");
	begin_statement(writer, "forget_dropped");
	end_statement(writer);
	add_statement(writer, "stats");
}

static void add_setting(struct writer *writer, const char *name, bool is_set, int64_t number)
{
	if (is_set)
		add_member(writer, name, number);
	else
		buffer_printf(&writer->head, ",\"%s\":null", name);
}

static void write_configure(struct writer *writer, const struct rest_group *group)
{
	const struct cache_op *op = group->ops.first->op;
	unsigned mask = op->settings_mask;

	begin_head(writer, op->ns);
	add_defaults(writer, op->ns);
	add_setting(writer, "set_max_size", mask & SETTING_MAX_SIZE,
		    (int64_t)op->settings.max_size_bytes);
	add_setting(writer, "set_capacity", mask & SETTING_CAPACITY, op->settings.capacity);
	add_setting(writer, "set_default_ttl", mask & SETTING_DEFAULT_TTL,
		    op->settings.default_ttl_s);
	if (mask & SETTING_POLICY)
		add_text_member(writer, "set_policy",
				slice_of(eviction_policy_name(op->settings.policy)));
	else
		add_setting(writer, "set_policy", false, 0);
	add_member(writer, "continuing", group->continuing);
	add_member(writer, "evict_max", REST_EVICT_MAX);
	end_head(writer);
	if (group->round == 0) {
		add_statement(writer, "ensure_namespace");
		add_statement(writer, "configure");
		if ((mask & SETTING_POLICY) && op->settings.policy == EVICT_FIFO)
			add_statement(writer, "mark_fifo");
	}
	add_statement(writer, "plan_limits");
	add_statement_on(writer, "evict", SLICE("[]"));
	add_statement(writer, "set_result");
	add_statement(writer, "settle");
}

size_t d1_rest_write_group(const struct d1_context *context, struct rest_group *group,
			   struct buffer *body)
{
	struct writer writer = {.context = context, .body = body};
	const struct cache_op *op = group->ops.first->op;

	switch (group->ops.type) {
	case CACHE_OP_GET:
		write_get(&writer, group, !op->no_touch);
		break;
	case CACHE_OP_EXISTS:
		write_exists(&writer, group);
		break;
	case CACHE_OP_SET:
		write_set(&writer, group);
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
		begin_statement(&writer, "check");
		end_statement(&writer);
		break;
	}
	body->failed |= writer.head.failed || writer.items.failed;
	buffer_deinit(&writer.head);
	buffer_deinit(&writer.items);
	return writer.statements;
}
