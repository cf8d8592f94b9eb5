#include "tests/support/fake_protocol.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fake_upstream.h"

static struct fake_upstream *fake_of(const struct remote_context *context)
{
	return context->user;
}

static enum cache_status accepts_all(const struct remote_context *context, struct cache_op *op)
{
	(void)context;
	(void)op;
	return CACHE_OK;
}

static enum cache_status old_accepts(const struct remote_context *context, struct cache_op *op)
{
	(void)context;
	if (op->type != CACHE_OP_CLEAR)
		return CACHE_OK;
	op->detail = "the old dialect cannot clear";
	return CACHE_UNSUPPORTED;
}

static bool joins_items(const struct remote_call *call, const struct remote_job *job)
{
	return cache_op_has_items(call->jobs.first->op->type) && job->op->type <= CACHE_OP_EXISTS;
}

static bool joins_none(const struct remote_call *call, const struct remote_job *job)
{
	(void)call;
	(void)job;
	return false;
}

/* Writes the lines of an item, or of an op that has none. */
static void write_line(struct remote_request *request, const struct cache_op *op, size_t i)
{
	struct slice value = {0};

	request->replies++;
	if (!op) {
		buffer_append(&request->body, SLICE("gone\n"));
		return;
	}
	if (op->type == CACHE_OP_SET)
		value = cache_value_bytes(op->items[i].value);
	buffer_printf(&request->body, "%s %.*s %.*s %.*s\n", cache_op_name(op->type),
		      (int)op->ns.len, op->ns.data,
		      cache_op_has_items(op->type) ? (int)op->items[i].key.len : 0,
		      op->items[i].key.data, (int)value.len, value.data);
}

static bool write_lines(struct remote_call *call, struct remote_request *request)
{
	if (call->kind == CALL_PROBE)
		buffer_append(&request->body, SLICE("probe\n"));
	for (const struct remote_job *job = call->jobs.first; job; job = job->next)
		for (size_t i = 0; i < job->item_count; i++)
			write_line(request, job->op, i);
	return !request->body.failed;
}

static bool new_write(const struct remote_context *context, struct remote_call *call, size_t part,
		      struct remote_request *request)
{
	(void)context;
	cr_assert_eq(part, 0);
	request->path = "/new";
	return write_lines(call, request);
}

static bool old_write(const struct remote_context *context, struct remote_call *call, size_t part,
		      struct remote_request *request)
{
	(void)context;
	cr_assert_eq(part, 0);
	request->path = "/old";
	return write_lines(call, request);
}

static bool new_is_foreign(const struct remote_answer *answer)
{
	return answer->status == 404;
}

static bool reads(const struct remote_answer *answer)
{
	return answer->status == 200 || answer->status == 0;
}

bool fake_protocol_next_line(const char **at, char *line, size_t size)
{
	size_t len = *at ? strcspn(*at, "\n") : 0;

	if (!*at || (*at)[len] != '\n' || len >= size)
		return false;
	memcpy(line, *at, len);
	line[len] = '\0';
	*at += len + 1;
	return true;
}

static bool take_line(struct cache_op *op, size_t i, const char *line)
{
	bool is_ok = strncmp(line, "ok", 2) == 0;

	if (!is_ok && strcmp(line, "no") != 0)
		return false;
	if (!cache_op_has_items(op->type))
		return true;
	op->items[i].status = is_ok ? CACHE_OK : CACHE_NOT_FOUND;
	if (is_ok && op->type == CACHE_OP_GET)
		op->items[i].value = cache_value_copy(slice_of(line + 3), SLICE(CONTENT_TYPE_TEXT));
	return true;
}

static char *text_of(const struct remote_answer *answer)
{
	return strndup(answer->body.len > 0 ? answer->body.data : "", answer->body.len);
}

/* For a scan that is not at its end. */
static bool asks_for_more(const struct remote_context *context, struct remote_call *call)
{
	const struct remote_job *first = call->jobs.first;
	const struct cache_op *op = first ? first->op : NULL;

	return op && op->type == CACHE_OP_SCAN && ++call->step < fake_of(context)->scan_pages;
}

static enum remote_step read_lines(const struct remote_context *context, struct remote_call *call,
				   size_t part, const struct remote_answer *answer)
{
	char *text = text_of(answer);
	const char *at = text;
	char line[64];
	bool is_sound = true;

	cr_assert_eq(part, 0);
	for (struct remote_job *job = call->jobs.first; job && is_sound; job = job->next)
		for (size_t i = 0; i < job->item_count && is_sound; i++)
			is_sound = fake_protocol_next_line(&at, line, sizeof(line)) &&
				   (!job->op || take_line(job->op, i, line));
	free(text);
	if (!is_sound)
		return STEP_BAD;
	if (asks_for_more(context, call))
		return STEP_AGAIN;
	for (struct remote_job *job = call->jobs.first; job; job = job->next)
		remote_job_succeed(job);
	return STEP_DONE;
}

static size_t parts(const struct remote_context *context, const struct remote_call *call)
{
	(void)context;
	return call->jobs.first->item_count;
}

static bool parts_write(const struct remote_context *context, struct remote_call *call, size_t part,
			struct remote_request *request)
{
	const struct cache_op *op = call->kind == CALL_WORK ? call->jobs.first->op : NULL;

	(void)context;
	request->path = "/parts";
	request->method = op && op->type == CACHE_OP_SET ? "PUT" : "GET";
	remote_request_add_header(request, "X-Part", part ? SLICE("more") : SLICE("first"));
	if (call->kind == CALL_PROBE)
		buffer_append(&request->body, SLICE("probe\n"));
	else
		write_line(request, op, part);
	return !request->body.failed;
}

static enum cache_status parts_sign(const struct remote_context *context,
				    struct remote_request *request, const char **ret_sentence)
{
	char signature[96];

	if (fake_of(context)->sign_refusal) {
		*ret_sentence = fake_of(context)->sign_refusal;
		return CACHE_UNAVAILABLE;
	}
	(void)snprintf(signature, sizeof(signature), "%s %s %zu %s", request->method, request->path,
		       request->body.len, remote_request_next_header(request, NULL));
	remote_request_add_header(request, "X-Signature", slice_of(signature));
	return CACHE_OK;
}

static enum remote_step parts_read(const struct remote_context *context, struct remote_call *call,
				   size_t part, const struct remote_answer *answer)
{
	struct remote_job *job = call->jobs.first;
	char *text = text_of(answer);
	const char *at = text;
	char line[64];
	bool is_sound = fake_protocol_next_line(&at, line, sizeof(line)) &&
			(!job->op || take_line(job->op, part, line));

	(void)context;
	free(text);
	if (!is_sound)
		return STEP_BAD;
	if (call->open > 0)
		return STEP_MORE;
	remote_job_succeed(job);
	return STEP_DONE;
}

static void discard(struct remote_call *call)
{
	call->state = NULL;
}

static const struct remote_dialect new_dialect = {
	.accepts = accepts_all,
	.joins = joins_items,
	.write = new_write,
	.is_foreign = new_is_foreign,
	.reads = reads,
	.read = read_lines,
	.discard = discard,
};

static const struct remote_dialect old_dialect = {
	.accepts = old_accepts,
	.joins = joins_items,
	.write = old_write,
	.reads = reads,
	.read = read_lines,
	.discard = discard,
};

static const struct remote_dialect parts_dialect = {
	.accepts = accepts_all,
	.joins = joins_none,
	.parts = parts,
	.write = parts_write,
	.sign = parts_sign,
	.reads = reads,
	.read = parts_read,
	.discard = discard,
};

static const struct remote_dialect *const lines_dialects[] = {&new_dialect, &old_dialect, NULL};
static const struct remote_dialect *const parts_dialects[] = {&parts_dialect, NULL};

static const char *const sentences[REMOTE_SENTENCES] = {
	[SENTENCE_UNREACHABLE] = "unreachable", [SENTENCE_UNTRUSTED] = "untrusted",
	[SENTENCE_TIMEOUT] = "timeout",         [SENTENCE_BROKEN_OFF] = "broken off",
	[SENTENCE_BAD_ANSWER] = "bad answer",   [SENTENCE_UNAUTHORIZED] = "unauthorized",
	[SENTENCE_NOT_THERE] = "not there",     [SENTENCE_TOO_LARGE] = "too large",
	[SENTENCE_THROTTLED] = "throttled",     [SENTENCE_FAILED] = "failed",
	[SENTENCE_STRANGE] = "strange",
};

const struct remote_protocol fake_protocols[] = {
	[FAKE_LINES] = {.name = "fake",
			.dialects = lines_dialects,
			.sentences = sentences,
			.merged_ops_max = 1000,
			.merged_bytes_max = 1 << 20},
	[FAKE_PARTS] = {.name = "fake",
			.dialects = parts_dialects,
			.sentences = sentences,
			.merged_ops_max = 1000,
			.merged_bytes_max = 1 << 20},
};
