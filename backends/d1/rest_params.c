#include "backends/d1/rest_params.h"

#include <nettle/sha2.h>

#include "backends/base/json_out.h"
#include "backends/base/utf8.h"
#include "backends/d1/wire.h"

/* ---- Statements ---- */

void rest_begin_statement(struct rest_writer *writer, const char *name)
{
	const char *sql = d1_sql_find(writer->context->sql, name);

	if (writer->body->len > 0 && writer->body->data[writer->body->len - 1] == '}')
		buffer_append_char(writer->body, ',');
	writer->statements++;
	buffer_append(writer->body, SLICE("{\"sql\":"));
	json_out_string(writer->body, slice_of(sql));
	buffer_append(writer->body, SLICE(",\"params\":["));
}

void rest_add_param(struct rest_writer *writer, struct slice text)
{
	if (writer->body->len > 0 && writer->body->data[writer->body->len - 1] != '[')
		buffer_append_char(writer->body, ',');
	json_out_string(writer->body, text);
}

void rest_end_statement(struct rest_writer *writer)
{
	buffer_append(writer->body, SLICE("]}"));
}

void rest_add_statement(struct rest_writer *writer, const char *name)
{
	rest_begin_statement(writer, name);
	rest_add_param(writer, buffer_bytes(&writer->head));
	rest_end_statement(writer);
}

void rest_add_statement_on(struct rest_writer *writer, const char *name, struct slice items)
{
	rest_begin_statement(writer, name);
	rest_add_param(writer, buffer_bytes(&writer->head));
	rest_add_param(writer, items);
	rest_end_statement(writer);
}

void rest_add_on_items(struct rest_writer *writer, const char *name)
{
	rest_add_statement_on(writer, name, buffer_bytes(&writer->items));
}

/* ---- ?1 ---- */

void rest_begin_head(struct rest_writer *writer, struct slice ns)
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

void rest_add_member(struct rest_writer *writer, const char *name, int64_t number)
{
	buffer_append_char(&writer->head, ',');
	d1_write_integer(&writer->head, name, number);
}

void rest_add_text_member(struct rest_writer *writer, const char *name, struct slice text)
{
	buffer_append_char(&writer->head, ',');
	d1_write_text(&writer->head, name, text);
}

void rest_end_head(struct rest_writer *writer)
{
	buffer_append_char(&writer->head, '}');
}

void rest_add_defaults(struct rest_writer *writer, struct slice ns)
{
	struct namespace_settings settings;
	unsigned max = writer->context->config->max_namespaces;

	d1_default_settings(writer->context, ns, &settings);
	rest_add_member(writer, "max_size", (int64_t)settings.max_size_bytes);
	rest_add_member(writer, "capacity", settings.capacity);
	rest_add_member(writer, "default_ttl", settings.default_ttl_s);
	rest_add_text_member(writer, "policy", slice_of(eviction_policy_name(settings.policy)));
	rest_add_member(writer, "max_namespaces", max ? (int64_t)max : INT32_MAX);
}

void rest_append_hex(struct buffer *out, struct slice bytes)
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

void rest_append_etag(struct buffer *out, const struct etag *etag)
{
	buffer_append_char(out, '"');
	rest_append_hex(
		out, (struct slice){.data = (const char *)etag->bytes, .len = sizeof(etag->bytes)});
	buffer_append_char(out, '"');
}

void rest_add_condition(struct rest_writer *writer, const struct cache_op *op)
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
		rest_append_etag(&writer->head, &condition->etags[i]);
	}
	buffer_append_char(&writer->head, ']');
}

/* ---- Keys ---- */

/* Where the entry of a key is: the first bits of SHA-256 over "namespace NUL key". */
void rest_append_place(struct buffer *out, struct slice ns, struct slice key)
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
	rest_append_hex(out, (struct slice){.data = (const char *)digest + 8, .len = 8});
	buffer_append_char(out, '"');
}

bool rest_is_plain(struct slice bytes)
{
	return utf8_is_valid(bytes) && (bytes.len == 0 || !memchr(bytes.data, '\0', bytes.len));
}

/* Text as it is, or hex: as a statement takes keys. */
struct slice rest_carry(struct buffer *scratch, struct slice key)
{
	if (rest_is_plain(key))
		return key;
	scratch->len = 0;
	rest_append_hex(scratch, key);
	return buffer_bytes(scratch);
}

/* [[id, "tag"], ...] */
void rest_write_places(struct rest_writer *writer, const struct rest_group *group)
{
	size_t count = 0;

	writer->items.len = 0;
	buffer_append_char(&writer->items, '[');
	for (struct d1_job *job = group->ops.first; job; job = job->grouped) {
		job->first_item = count;
		for (size_t i = 0; job->op && i < job->op->item_count; i++) {
			buffer_append(&writer->items, count++ == 0 ? SLICE("[") : SLICE(",["));
			rest_append_place(&writer->items, job->op->ns, job->op->items[i].key);
			buffer_append_char(&writer->items, ']');
		}
	}
	buffer_append_char(&writer->items, ']');
}
