#include "handlers/transfer/export_line.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/json_out.h"
#include "handlers/json/entry_json.h"
#include "handlers/json/head_json.h"
#include "handlers/respond/status.h"

/* How much of a value is written at a time; a multiple of three, so that base64 has no padding in
 * the middle. */
#define PIECE_BYTES 49152

void export_line_append_header(struct buffer *out, const char *version, int64_t now_us)
{
	buffer_printf(out, "{\"steadycache_export\":%d,\"server_version\":", EXPORT_FORMAT);
	json_out_string(out, slice_of(version));
	json_out_raw(out, ",\"created_at\":");
	json_out_time(out, now_us);
	json_out_raw(out, "}\n");
}

static struct slice unquoted(const struct buffer *buffer)
{
	return buffer->len < 2 ? (struct slice){0}
			       : (struct slice){.data = buffer->data + 1, .len = buffer->len - 2};
}

/* Whether a value is written as base64: it is not text, or would be longer as text. */
static bool is_longer_as_text(const struct cache_value *value)
{
	struct slice bytes = cache_value_bytes(value);
	size_t escapes = 0;

	if (value->flags & CACHE_VALUE_JSON_PLAIN)
		return false;
	if (!(value->flags & CACHE_VALUE_UTF8))
		return true;
	for (size_t i = 0; i < bytes.len; i++) {
		unsigned char c = (unsigned char)bytes.data[i];

		escapes += c == '"' || c == '\\' ? 1 : c >= 0x20 ? 0 : 5;
	}
	return escapes > bytes.len / 3 + 8;
}

/* Types that were stored before they had to be visible ASCII may contain any bytes. */
static void append_type(struct buffer *out, struct slice type)
{
	bool is_valid = content_type_is_valid(type);

	json_out_raw(out, is_valid ? ",\"content_type\":" : ",\"content_type_base64\":");
	if (is_valid)
		json_out_string(out, type);
	else
		json_out_base64(out, type);
}

static void begin(struct buffer *out, struct export_line *line)
{
	const struct cache_entry_info *info = line->info;
	const struct cache_value *value = line->value;

	line->is_begun = true;
	line->is_base64 = line->body || is_longer_as_text(value);
	json_out_raw(out, "{\"namespace\":");
	json_out_string(out, slice_of(line->ns));
	json_out_raw(out, ",");
	entry_json_append_key(out, info->key);
	append_type(out, slice_of(cache_value_content_type(value)));
	head_json_append(out, value);
	entry_json_append_history(out, info, value->expires_at_us);
	if (value->modified_at_us > 0) {
		json_out_raw(out, ",\"modified_at\":");
		json_out_time(out, value->modified_at_us);
	}
	/* The size that counts against the limits, if it is larger than the value. */
	if (info->size_bytes > cache_value_whole_len(value) &&
	    etag_equal(&info->etag, &value->etag))
		buffer_printf(out, ",\"size\":%" PRIu64, info->size_bytes);
	json_out_raw(out, line->is_base64 ? ",\"value_base64\":\"" : ",\"value\":\"");
}

static void append_piece(struct buffer *out, struct export_line *line)
{
	struct slice piece = cache_value_bytes(line->value);
	struct buffer quoted = {0};

	piece.data += line->at;
	piece.len -= line->at;
	if (piece.len > PIECE_BYTES)
		piece.len = PIECE_BYTES;
	line->at += piece.len;
	if (line->value->flags & CACHE_VALUE_JSON_PLAIN) {
		buffer_append(out, piece);
		return;
	}
	/* Escapes are of single bytes, so text may be cut anywhere. */
	if (line->is_base64)
		json_out_base64(&quoted, piece);
	else
		json_out_string(&quoted, piece);
	buffer_append(out, unquoted(&quoted));
	out->failed |= quoted.failed;
	buffer_deinit(&quoted);
}

/* ---- Bodies ---- */

/* What has been read and not been written. */
struct export_body {
	struct body_reader *reader;
	size_t len;
	char bytes[PIECE_BYTES];
};

static bool open_body(struct export_line *line)
{
	struct cache_body *body = cache_value_body(line->value);
	struct export_body *made = malloc(sizeof(*made));

	if (made) {
		made->len = 0;
		made->reader =
			body->ops->open(body, 0, body->len_bytes, line->wake, line->wake_user);
	}
	if (made && made->reader) {
		line->body = made;
		return true;
	}
	free(made);
	line->failure = status_text(CACHE_NO_MEMORY);
	return false;
}

/* Fills a piece, which only the last may fail to be. */
static enum export_line_step read_piece(struct export_line *line)
{
	struct export_body *body = line->body;
	struct body_reader *reader = body->reader;
	uint64_t whole = cache_value_whole_len(line->value);
	size_t len = 0;

	while (body->len < PIECE_BYTES && line->at + body->len < whole) {
		switch (reader->ops->read(reader, body->bytes + body->len, PIECE_BYTES - body->len,
					  &len)) {
		case BODY_STEP_BYTES:
			body->len += len;
			break;
		case BODY_STEP_WAIT:
			return EXPORT_LINE_WAITS;
		case BODY_STEP_END:
			line->failure = status_text(CACHE_CORRUPT);
			return EXPORT_LINE_FAILS;
		case BODY_STEP_FAILED:
			line->failure =
				reader->detail ? reader->detail : status_text(reader->failure);
			return EXPORT_LINE_FAILS;
		}
	}
	return EXPORT_LINE_GOES_ON;
}

static enum export_line_step append_body(struct buffer *out, struct export_line *line, size_t goal)
{
	while (line->at < cache_value_whole_len(line->value) && out->len < goal) {
		enum export_line_step step = read_piece(line);
		struct buffer quoted = {0};

		if (step != EXPORT_LINE_GOES_ON)
			return step;
		json_out_base64(&quoted,
				(struct slice){.data = line->body->bytes, .len = line->body->len});
		buffer_append(out, unquoted(&quoted));
		out->failed |= quoted.failed;
		buffer_deinit(&quoted);
		line->at += line->body->len;
		line->body->len = 0;
	}
	return EXPORT_LINE_GOES_ON;
}

void export_line_deinit(struct export_line *line)
{
	if (line->body) {
		line->body->reader->ops->close(line->body->reader);
		free(line->body);
	}
	*line = (struct export_line){0};
}

/* ---- Lines ---- */

enum export_line_step export_line_append(struct buffer *out, struct export_line *line, size_t goal)
{
	uint64_t whole = cache_value_whole_len(line->value);
	bool is_body = cache_value_body(line->value) != NULL;

	if (!line->is_begun && is_body && !open_body(line))
		return EXPORT_LINE_FAILS;
	if (!line->is_begun)
		begin(out, line);
	if (is_body) {
		enum export_line_step step = append_body(out, line, goal);

		if (step != EXPORT_LINE_GOES_ON)
			return step;
	}
	while (!is_body && line->at < whole && out->len < goal)
		append_piece(out, line);
	if (line->at < whole)
		return EXPORT_LINE_GOES_ON;
	json_out_raw(out, "\"}\n");
	return EXPORT_LINE_ENDS;
}
