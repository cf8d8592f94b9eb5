#include "handlers/transfer/import_large.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "handlers/respond/status.h"
#include "handlers/transfer/import_line.h"

/* A line that is longer has a large value: less has room in memory anyway. */
#define LINE_BYTES ((size_t)2 << 20)
/* How much of a value is decoded and written at a time. */
#define GATHER_BYTES ((size_t)256 << 10)
/* The most that may stand between a value and the end of its line: a brace and blanks. */
#define REST_BYTES 4096

static const char member[] = "\"value_base64\":\"";

static struct slice waiting(const struct import *import)
{
	return (struct slice){.data = import->input.data + import->at,
			      .len = import->input.len - import->at};
}

static void consume(struct import *import, size_t len)
{
	import->at += len;
	import->seen = import->at;
}

/* Reads the line as if its value were empty. Within a text of JSON a quote has a backslash before
 * it, so what looks like the member is one. */
static bool read_head(struct import *import, struct slice head, struct import_entry *ret)
{
	struct import_line_result line;
	char error[IMPORT_ERROR_BYTES];
	char *text = malloc(head.len + 2);
	bool good = false;

	if (!text)
		return false;
	memcpy(text, head.data, head.len);
	memcpy(text + head.len, "\"}", 2);
	if (import_line_read(import->request->context, slice_of(import->ns), text, head.len + 2,
			     &line, error) == LINE_ENTRY) {
		good = request_may_use(import->request, slice_of(line.entry.ns));
		if (good)
			*ret = line.entry;
		else
			import_entry_deinit(&line.entry);
	}
	free(text);
	return good;
}

bool import_large_begin(struct import *import)
{
	const struct handler_context *context = import->request->context;
	struct import_large *large = &import->large;
	struct slice line = waiting(import);

	if (context->intake.max_bytes == 0 || import->drops || line.len < LINE_BYTES ||
	    large->seen_line == import->line + 1)
		return false;
	large->seen_line = import->line + 1;
	const char *found = memmem(line.data, LINE_BYTES, member, sizeof(member) - 1);
	if (!found)
		return false;
	struct slice head = {.data = line.data,
			     .len = (size_t)(found - line.data) + sizeof(member) - 1};
	if (!read_head(import, head, &large->entry))
		return false;
	large->spool = context->backend->ops->spool(context->backend);
	if (!large->spool) {
		import_entry_deinit(&large->entry);
		return false;
	}
	base64_decode_init(&large->decode);
	large->is_whole = false;
	consume(import, head.len);
	return true;
}

void import_large_deinit(struct import *import)
{
	struct import_large *large = &import->large;

	if (large->spool)
		large->spool->ops->close(large->spool);
	large->spool = NULL;
	import_entry_deinit(&large->entry);
}

bool import_large_is_ready(const struct import *import, bool is_end)
{
	struct slice input = waiting(import);
	const char *unseen = import->input.data + import->seen;
	size_t len = import->input.len - import->seen;

	if (is_end || input.len == 0)
		return is_end;
	if (import->large.is_whole ? input.len > REST_BYTES
				   : input.len >= GATHER_BYTES || memchr(unseen, '"', len))
		return true;
	return memchr(unseen, '\n', len);
}

static enum import_large_step fail(struct import *import, const char *error)
{
	import_state_fail_line(import, error);
	import_large_deinit(import);
	return LARGE_FAILED;
}

static enum import_large_step fail_spool(struct import *import)
{
	const struct body_spool *spool = import->large.spool;

	return fail(import, spool->detail ? spool->detail : status_text(spool->failure));
}

static enum import_large_step fail_length(struct import *import)
{
	char error[IMPORT_ERROR_BYTES];

	(void)snprintf(error, sizeof(error),
		       "the value is larger than %" PRIu64
		       " bytes (STEADYCACHE_LARGE_VALUE_MAX_MB)",
		       import->request->context->intake.max_bytes);
	return fail(import, error);
}

/* Decodes the next part of the value in its place, and writes it. */
static enum import_large_step write_part(struct import *import, struct slice part)
{
	struct import_large *large = &import->large;
	char *bytes = import->input.data + import->at;
	size_t len = 0;

	if (!base64_decode_update(&large->decode, &len, (uint8_t *)bytes, part.len, part.data))
		return fail(import, "\"value_base64\" is not base64");
	if (large->spool->len_bytes + len > import->request->context->intake.max_bytes)
		return fail_length(import);
	if (len > 0 &&
	    !large->spool->ops->write(large->spool, (struct slice){.data = bytes, .len = len}))
		return fail_spool(import);
	return LARGE_NEEDS_INPUT;
}

static bool is_end_of_line(struct slice rest)
{
	size_t closed = 0;

	for (size_t i = 0; i < rest.len; i++)
		if (rest.data[i] == '}')
			closed++;
		else if (rest.data[i] != ' ' && rest.data[i] != '\t' && rest.data[i] != '\r')
			return false;
	return closed == 1;
}

static enum import_large_step end(struct import *import, struct import_entry *ret)
{
	struct import_large *large = &import->large;

	if (!base64_decode_final(&large->decode))
		return fail(import, "\"value_base64\" is not base64");
	struct cache_body *body = large->spool->ops->end(large->spool);
	if (!body)
		return fail_spool(import);
	struct cache_value *value =
		cache_value_create_for_body(body, cache_value_head(large->entry.item.value));
	if (!value) {
		cache_body_release(body);
		return fail(import, status_text(CACHE_NO_MEMORY));
	}
	*ret = large->entry;
	large->entry = (struct import_entry){0};
	cache_value_release(ret->item.value);
	ret->item.value = value;
	import_large_deinit(import);
	return LARGE_IS_WHOLE;
}

enum import_large_step import_large_step(struct import *import, bool is_end,
					 struct import_entry *ret)
{
	struct import_large *large = &import->large;
	struct slice input = waiting(import);

	if (!import_large_is_ready(import, is_end)) {
		import->seen = import->input.len;
		return LARGE_NEEDS_INPUT;
	}
	if (!large->is_whole && input.len > 0) {
		const char *quote = memchr(input.data, '"', input.len);
		struct slice part = {.data = input.data,
				     .len = quote ? (size_t)(quote - input.data) : input.len};

		/* The decoder would skip it. */
		if (memchr(part.data, '\n', part.len))
			return fail(import, "the line ends in the middle of its value");
		if (write_part(import, part) == LARGE_FAILED)
			return LARGE_FAILED;
		consume(import, part.len + (quote != NULL));
		large->is_whole = quote != NULL;
		input = waiting(import);
	}
	if (!large->is_whole)
		return is_end ? fail(import, "the line ends in the middle of its value")
			      : LARGE_NEEDS_INPUT;
	const char *feed = input.len > 0 ? memchr(input.data, '\n', input.len) : NULL;
	struct slice rest = {.data = input.data,
			     .len = feed ? (size_t)(feed - input.data) : input.len};
	if (!feed && !is_end && rest.len <= REST_BYTES)
		return LARGE_NEEDS_INPUT;
	if (rest.len > REST_BYTES || !is_end_of_line(rest))
		return fail(import, "a value as large as this must be the last member of its line");
	if (end(import, ret) == LARGE_FAILED)
		return LARGE_FAILED;
	consume(import, rest.len + (feed != NULL));
	return LARGE_IS_WHOLE;
}
