#include "server/http/answer.h"

#include "server/http/answer_body.h"
#include "server/http/answer_stream.h"

/* Headers that make browsers treat a stored value, whatever its type, as mere bytes and not as a
 * page of this server: otherwise anybody who may write could have scripts run that read and clear
 * everything. */
#define GUARD_NAME "X-Content-Type-Options"
static const char guard_value[] = "nosniff\r\n"
				  "Content-Security-Policy: sandbox; default-src 'none'\r\n"
				  "X-Frame-Options: DENY\r\n"
				  "Cross-Origin-Resource-Policy: same-origin";
#define GUARD_LEN (sizeof(guard_value) - 1)

/* Room for all header lines of a response in one. */
#define BLOCK_BYTES (RESPONSE_HEADER_BYTES + RESPONSE_MAX_HEADERS * 64 + GUARD_LEN)

static void release_value(void *value)
{
	cache_value_release(value);
}

static struct MHD_Response *make_body(struct exchange *exchange)
{
	struct response *response = &exchange->response;
	struct MHD_Response *made = NULL;

	switch (response->body) {
	case BODY_NONE:
		made = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
		break;
	case BODY_STATIC:
		made = MHD_create_response_from_buffer(
			response->static_body.len, (void *)(uintptr_t)response->static_body.data,
			MHD_RESPMEM_PERSISTENT);
		break;
	case BODY_BUFFER:
		made = MHD_create_response_from_buffer(response->buffer.len, response->buffer.data,
						       MHD_RESPMEM_MUST_FREE);
		if (made)
			response->buffer = (struct buffer){0};
		break;
	case BODY_VALUE:
		if (answer_body_is_one(exchange))
			return answer_body_make(exchange);
		made = MHD_create_response_from_buffer_with_free_callback_cls(
			response->value_len,
			cache_value_data(response->value) + response->value_offset, release_value,
			response->value);
		if (made)
			response->value = NULL;
		break;
	case BODY_STREAM:
		made = answer_stream_make(exchange);
		break;
	}
	return made;
}

/* The header lines after the first name, with two spaces instead of line breaks, and as many dashes
 * as the guards have bytes. */
struct block {
	size_t len;
	size_t break_count;
	size_t breaks[RESPONSE_MAX_HEADERS + 1];
	size_t guard_at; /* 0: it has none */
	char text[BLOCK_BYTES];
};

static bool append(struct block *block, const char *text, size_t len)
{
	if (len >= sizeof(block->text) - block->len)
		return false;
	memcpy(block->text + block->len, text, len);
	block->len += len;
	return true;
}

/* Appends the end of a line and the name of the next. */
static bool append_name(struct block *block, const char *name, size_t len)
{
	char *at = block->text + block->len;

	if (len + 4 >= sizeof(block->text) - block->len)
		return false;
	block->breaks[block->break_count++] = block->len;
	memset(at, ' ', 2);
	memcpy(at + 2, name, len);
	memcpy(at + 2 + len, ": ", 2);
	block->len += len + 4;
	return true;
}

static bool append_guards(struct block *block)
{
	if (!append_name(block, GUARD_NAME, sizeof(GUARD_NAME) - 1) ||
	    GUARD_LEN >= sizeof(block->text) - block->len)
		return false;
	block->guard_at = block->len;
	memset(block->text + block->len, '-', GUARD_LEN);
	block->len += GUARD_LEN;
	return true;
}

static bool build_block(struct block *block, const struct response *response, bool guarded)
{
	const struct response_header *headers = response->headers;

	block->len = 0;
	block->break_count = 0;
	block->guard_at = 0;
	for (size_t i = 0; i < response->header_count; i++)
		if ((i > 0 && !append_name(block, headers[i].name, headers[i].name_len)) ||
		    !append(block, headers[i].value, strlen(headers[i].value)))
			return false;
	if (guarded && !append_guards(block))
		return false;
	block->text[block->len] = '\0';
	return true;
}

/* The library needs three allocations for a header, and a hit has a dozen headers: a fifth of its
 * time. So all of them are added as one. The library rightly refuses line breaks, because it cannot
 * know where they come from, so they are inserted afterwards where we know that they belong. A
 * value that itself contains a line break is still refused. False: nothing was added. */
static bool add_block(struct MHD_Response *made, const struct response *response, bool guarded)
{
	const char *first = response->headers[0].name;
	struct block block;

	if (!build_block(&block, response, guarded) ||
	    MHD_add_response_header(made, first, block.text) != MHD_YES)
		return false;
	/* Not shared yet: nobody else sees the bytes change. */
	char *kept = (char *)(uintptr_t)MHD_get_response_header(made, first);
	if (!kept)
		return false;
	for (size_t i = 0; i < block.break_count; i++)
		memcpy(kept + block.breaks[i], "\r\n", 2);
	if (block.guard_at > 0)
		memcpy(kept + block.guard_at, guard_value, GUARD_LEN);
	return true;
}

/* The longest value of one header. */
#define VALUE_BYTES                                                                                \
	(RESPONSE_HEADER_BYTES > VALUE_HEADERS_MAX_LEN ? RESPONSE_HEADER_BYTES                     \
						       : VALUE_HEADERS_MAX_LEN)

/* Adds one header, whose value may contain a tab, which the library refuses. False: out of
 * memory. */
static bool add_one(struct MHD_Response *made, const char *name, const char *value)
{
	char masked[VALUE_BYTES];
	size_t len = strlen(value);

	if (MHD_add_response_header(made, name, value) == MHD_YES)
		return true;
	/* Never sent: the library rightly refuses these. */
	if (len == 0 || len >= sizeof(masked) || strpbrk(value, "\r\n"))
		return true;
	if (!strchr(value, '\t'))
		return false;
	for (size_t i = 0; i <= len; i++)
		masked[i] = value[i];
	for (size_t i = 0; i < len; i++)
		if (masked[i] == '\t')
			masked[i] = ' ';
	if (MHD_add_response_header(made, name, masked) != MHD_YES)
		return false;
	char *kept = (char *)(uintptr_t)MHD_get_response_header(made, name);
	if (kept)
		memcpy(kept, value, len);
	return kept != NULL;
}

/* Adds them one by one. False: a required one is missing. */
static bool add_each(struct MHD_Response *made, const struct response *response, bool guarded)
{
	char dashes[GUARD_LEN + 1];

	for (size_t i = 0; i < response->header_count; i++)
		if (!add_one(made, response->headers[i].name, response->headers[i].value))
			return false;
	if (!guarded)
		return true;
	memset(dashes, '-', GUARD_LEN);
	dashes[GUARD_LEN] = '\0';
	(void)MHD_add_response_header(made, GUARD_NAME, dashes);
	char *kept = (char *)(uintptr_t)MHD_get_response_header(made, GUARD_NAME);
	if (kept)
		memcpy(kept, guard_value, GUARD_LEN);
	return kept != NULL;
}

/* Adds the header lines of a value. */
static bool add_kept(struct MHD_Response *made, const struct response *response)
{
	struct slice lines = response->kept;
	char name_text[VALUE_HEADER_NAME_MAX_LEN + 1], value_text[VALUE_BYTES];
	struct slice name, value;

	while (value_head_next(&lines, &name, &value)) {
		if (response->drops_encoding && slice_equal(name, SLICE("Content-Encoding")))
			continue;
		memcpy(name_text, name.data, name.len);
		name_text[name.len] = '\0';
		memcpy(value_text, value.data, value.len);
		value_text[value.len] = '\0';
		if (!add_one(made, name_text, value_text))
			return false;
	}
	return true;
}

enum MHD_Result answer_queue(struct exchange *exchange, bool close)
{
	const struct response *response = &exchange->response;
	bool guarded = response->status != MHD_HTTP_NOT_MODIFIED &&
		       (response->body == BODY_VALUE || response->is_guarded);
	struct MHD_Response *made = make_body(exchange);

	if (!made)
		return MHD_NO;
	if ((response->header_count > 0 && !add_block(made, response, guarded) &&
	     !add_each(made, response, guarded)) ||
	    (response->kept.len > 0 && !add_kept(made, response))) {
		MHD_destroy_response(made);
		return MHD_NO;
	}
	if (close)
		(void)MHD_add_response_header(made, MHD_HTTP_HEADER_CONNECTION, "close");
	enum MHD_Result queued = MHD_queue_response(exchange->connection, response->status, made);
	MHD_destroy_response(made);
	return queued;
}
