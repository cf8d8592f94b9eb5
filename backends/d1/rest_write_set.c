/* The statements of a set in REST mode, and the items and values that they carry. */
#include <stdatomic.h>
#include <unistd.h>

#include "backends/base/json_out.h"
#include "backends/d1/rest_params.h"

/* Values go to put_contents together up to so many bytes. */
#define PIECE_MAX_BYTES 300000

/* ---- Items ---- */

/* Of an item with a history: frequency, created, last access (0: now), expires (null: by the ttl).
 */
static void write_history(struct buffer *out, const struct cache_history *history)
{
	buffer_printf(out, ",%llu,%lld,%lld,",
		      (unsigned long long)(history->frequency ? history->frequency : 1),
		      (long long)history->created_at_us, (long long)history->last_access_us);
	if (history->expires_at_us == HISTORY_TTL)
		buffer_append(out, SLICE("null"));
	else
		json_out_integer(out, history->expires_at_us);
}

/* [[id, "tag", size, ttl or null, "etag"], ...] */
static void write_set_items(struct rest_writer *writer, const struct cache_op *op)
{
	struct buffer *out = &writer->items;

	out->len = 0;
	buffer_append_char(out, '[');
	for (size_t i = 0; i < op->item_count; i++) {
		const struct cache_item *item = &op->items[i];

		buffer_append(out, i > 0 ? SLICE(",[") : SLICE("["));
		rest_append_place(out, op->ns, item->key);
		buffer_printf(out, ",%llu,", (unsigned long long)item->size_bytes);
		if (item->ttl_s == TTL_DEFAULT)
			buffer_append(out, SLICE("null"));
		else
			json_out_integer(out, item->ttl_s);
		buffer_append_char(out, ',');
		rest_append_etag(out, &item->value->etag);
		if (item->history)
			write_history(out, item->history);
		buffer_append_char(out, ']');
	}
	buffer_append_char(out, ']');
}

/* ---- Values ---- */

static void append_id(struct buffer *out, struct slice ns, struct slice key)
{
	rest_append_place(out, ns, key);
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
static void add_content(struct rest_writer *writer, const struct cache_op *op,
			const struct cache_item *item, bool is_text, struct buffer *scratch)
{
	struct buffer small = {0};

	buffer_append_char(&small, '[');
	append_id(&small, op->ns, item->key);
	buffer_printf(&small, ",%d,", rest_is_plain(item->key));
	json_out_string(&small, slice_of(cache_value_content_type(item->value)));
	buffer_printf(&small, ",%d]", !is_text);
	rest_begin_statement(writer, "put_content");
	rest_add_param(writer, buffer_bytes(&writer->head));
	rest_add_param(writer, buffer_bytes(&small));
	rest_add_param(writer, rest_carry(scratch, item->key));
	buffer_append_char(writer->body, ',');
	append_value(writer->body, item->value, is_text);
	rest_end_statement(writer);
	buffer_deinit(&small);
}

static void flush_contents(struct rest_writer *writer, struct buffer *piece)
{
	if (piece->len == 0)
		return;
	buffer_append_char(piece, ']');
	rest_add_statement_on(writer, "put_contents", buffer_bytes(piece));
	piece->len = 0;
}

static void add_contents(struct rest_writer *writer, const struct cache_op *op)
{
	struct buffer piece = {0};
	struct buffer scratch = {0};

	for (size_t i = 0; i < op->item_count; i++) {
		const struct cache_item *item = &op->items[i];
		bool is_text = rest_is_plain(cache_value_bytes(item->value));
		size_t len = item->value->len_bytes + item->key.len;

		if (len > PIECE_MAX_BYTES / 2) {
			add_content(writer, op, item, is_text, &scratch);
			continue;
		}
		if (piece.len + len > PIECE_MAX_BYTES)
			flush_contents(writer, &piece);
		buffer_append(&piece, piece.len ? SLICE(",[") : SLICE("[["));
		append_id(&piece, op->ns, item->key);
		buffer_printf(&piece, ",%d,", rest_is_plain(item->key));
		json_out_string(&piece, rest_carry(&scratch, item->key));
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

/* ---- The set ---- */

static void add_token(struct rest_writer *writer)
{
	static _Atomic uint64_t count;
	uint64_t token[2] = {(uint64_t)monotonic_now_us() ^ (uint64_t)(uintptr_t)writer->context,
			     atomic_fetch_add(&count, 1)};

	if (getentropy(&token[0], sizeof(token[0])) != 0)
		token[1] ^= (uint64_t)cache_clock_now_us(&system_clock) << 20;
	buffer_append(&writer->head, SLICE(",\"token\":\""));
	rest_append_hex(&writer->head,
			(struct slice){.data = (const char *)token, .len = sizeof(token)});
	buffer_append_char(&writer->head, '"');
}

void rest_write_set(struct rest_writer *writer, const struct rest_group *group)
{
	const struct cache_op *op = group->ops.first->op;

	rest_begin_head(writer, op->ns);
	rest_add_defaults(writer, op->ns);
	rest_add_condition(writer, op);
	add_token(writer);
	rest_add_member(writer, "continuing", group->continuing);
	rest_add_member(writer, "strict", group->round < REST_STRICT_ROUNDS);
	rest_add_member(writer, "sweep_max", REST_SWEEP_MAX);
	rest_add_member(writer, "evict_max", REST_EVICT_MAX);
	rest_end_head(writer);
	rest_write_places(writer, group);
	struct buffer spared = writer->items;
	writer->items = (struct buffer){0};
	write_set_items(writer, op);
	if (group->round == 0)
		rest_add_statement(writer, "ensure_namespace");
	if (group->mark)
		rest_add_statement(writer, "mark_fifo");
	rest_add_statement(writer, "sweep");
	rest_add_on_items(writer, "probe");
	rest_add_on_items(writer, "plan");
	rest_add_statement_on(writer, "evict", buffer_bytes(&spared));
	rest_add_on_items(writer, "admit");
	rest_add_on_items(writer, "make_way");
	rest_add_on_items(writer, "put_entries");
	add_contents(writer, op);
	rest_add_statement(writer, "set_result");
	rest_add_statement(writer, "settle");
	writer->body->failed |= spared.failed;
	buffer_deinit(&spared);
}
