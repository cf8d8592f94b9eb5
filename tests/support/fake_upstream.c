#include "tests/support/fake_upstream.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUES_MAX 64
#define TURNS_MAX  1000000

struct fake_request {
	struct fake_request *next;
	struct remote_request request;
	struct fake_reply reply;
	size_t number; /* in fake->sent */
	int64_t due_us;
	bool is_late; /* its time is over before its answer is due */
};

/* What it has stored, by "NS KEY". */
struct fake_value {
	char name[48];
	char value[32];
};

struct fake_transport {
	struct remote_transport transport;
	struct fake_upstream *fake;
	struct fake_request *under_way; /* in the order in which they came */
	struct fake_reply always, next[FAKE_REPLIES_MAX];
	size_t next_first, next_count;
	struct fake_value values[VALUES_MAX];
	size_t value_count;
};

/* ---- The protocol ---- */

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
	return call->jobs.first->op->type <= CACHE_OP_EXISTS && job->op->type <= CACHE_OP_EXISTS;
}

static bool joins_none(const struct remote_call *call, const struct remote_job *job)
{
	(void)call;
	(void)job;
	return false;
}

/* The lines of an item, or of an op that has none. */
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
		      op->type <= CACHE_OP_EXISTS ? (int)op->items[i].key.len : 0,
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

/* The next line of an answer; false where it has no more. */
static bool next_line(const char **at, char *line, size_t size)
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
	if (op->type > CACHE_OP_EXISTS)
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

/* Of a scan that is not at its end. */
static bool asks_for_more(const struct remote_context *context, struct remote_call *call)
{
	const struct cache_op *op = call->jobs.first->op;

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
			is_sound = next_line(&at, line, sizeof(line)) &&
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
	const struct remote_job *job = call->jobs.first;
	bool is_set = job && job->op && job->op->type == CACHE_OP_SET;

	(void)context;
	request->path = "/parts";
	request->method = is_set ? "PUT" : "GET";
	remote_request_add_header(request, "X-Part", part ? SLICE("more") : SLICE("first"));
	if (call->kind == CALL_PROBE)
		buffer_append(&request->body, SLICE("probe\n"));
	else
		write_line(request, job->op, part);
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
	bool is_sound =
		next_line(&at, line, sizeof(line)) && (!job->op || take_line(job->op, part, line));

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

static const struct remote_protocol protocols[] = {
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

/* ---- What it stores ---- */

static struct fake_value *find_value(struct fake_transport *transport, const char *name, bool add)
{
	for (size_t i = 0; i < transport->value_count; i++)
		if (strcmp(transport->values[i].name, name) == 0)
			return &transport->values[i];
	if (!add)
		return NULL;
	cr_assert_lt(transport->value_count, VALUES_MAX);
	struct fake_value *value = &transport->values[transport->value_count++];
	(void)snprintf(value->name, sizeof(value->name), "%s", name);
	return value;
}

static void clear_values(struct fake_transport *transport, const char *ns)
{
	size_t len = strlen(ns);

	for (size_t i = 0; i < transport->value_count; i++)
		if (strncmp(transport->values[i].name, ns, len) == 0 &&
		    transport->values[i].name[len] == ' ')
			transport->values[i].value[0] = '\0';
}

/* Does what a line asks and appends the answer to it. */
static void serve_line(struct fake_transport *transport, const char *line, struct buffer *answer)
{
	char what[16] = "", ns[16] = "", key[16] = "", text[32] = "", name[48];
	struct fake_value *value;

	(void)sscanf(line, "%15s %15s %15s %31s", what, ns, key, text);
	(void)snprintf(name, sizeof(name), "%s %s", ns, key);
	value = find_value(transport, name, strcmp(what, "set") == 0);
	bool is_there = value && value->value[0];
	if (strcmp(what, "set") == 0)
		(void)snprintf(value->value, sizeof(value->value), "%s", text);
	else if (strcmp(what, "clear") == 0)
		clear_values(transport, ns);
	else if (strcmp(what, "get") == 0 || strcmp(what, "exists") == 0 ||
		 strcmp(what, "delete") == 0) {
		if (is_there)
			buffer_printf(answer, "ok %s\n", value->value);
		else
			buffer_append(answer, SLICE("no\n"));
		if (is_there && strcmp(what, "delete") == 0)
			value->value[0] = '\0';
		return;
	}
	buffer_append(answer, SLICE("ok\n"));
}

static void serve(struct fake_transport *transport, const char *body, struct buffer *answer)
{
	char line[128];

	while (next_line(&body, line, sizeof(line)))
		serve_line(transport, line, answer);
}

/* ---- The transport ---- */

static struct fake_reply take_reply(struct fake_transport *transport)
{
	if (transport->fake->choose)
		return transport->fake->choose();
	if (transport->next_first == transport->next_count)
		return transport->always;
	return transport->next[transport->next_first++];
}

static char *headers_text(const struct remote_request *request)
{
	struct buffer text = {0};
	const char *line = NULL;

	while ((line = remote_request_next_header(request, line)))
		buffer_printf(&text, "%s\n", line);
	buffer_append_char(&text, '\0');
	return text.data;
}

static bool is_probe(const struct fake_request *request)
{
	const struct remote_part *part = request->request.user;

	return part->call->kind == CALL_PROBE;
}

/* Of a stream nothing is answered before what came earlier. */
static int64_t due_of(const struct fake_transport *transport, const struct fake_request *request)
{
	int64_t due_us = transport->fake->now_us + request->reply.delay_us;

	for (const struct fake_request *each = transport->under_way; each; each = each->next)
		if (transport->fake->is_stream && each->due_us > due_us)
			due_us = each->due_us;
	return due_us;
}

static bool submit(struct remote_transport *of, struct remote_request *asked)
{
	struct fake_transport *transport = (struct fake_transport *)of;
	struct fake_upstream *fake = transport->fake;
	struct fake_request *request = calloc(1, sizeof(*request));
	struct fake_request **at = &transport->under_way;

	cr_assert_lt(fake->sent_count, FAKE_SENT_MAX);
	cr_assert_gt(asked->timeout_us, 0);
	struct fake_sent *sent = &fake->sent[fake->sent_count];
	request->request = *asked;
	asked->headers = asked->body = (struct buffer){0};
	request->number = fake->sent_count++;
	request->reply = take_reply(transport);
	*sent = (struct fake_sent){.at_us = fake->now_us, .replies = request->request.replies};
	(void)snprintf(sent->method, sizeof(sent->method), "%s", request->request.method);
	(void)snprintf(sent->path, sizeof(sent->path), "%s", request->request.path);
	if (request->request.trace)
		(void)snprintf(sent->trace, sizeof(sent->trace), "%s",
			       request->request.trace->request_id);
	sent->headers = headers_text(&request->request);
	sent->body = strndup(request->request.body.data, request->request.body.len);
	request->due_us = due_of(transport, request);
	if (request->reply.what == FAKE_HANGS ||
	    request->due_us > fake->now_us + request->request.timeout_us) {
		request->due_us = fake->now_us + request->request.timeout_us;
		request->is_late = true;
	}
	while (*at)
		at = &(*at)->next;
	*at = request;
	if (!is_probe(request) && ++fake->under_way > fake->under_way_max)
		fake->under_way_max = fake->under_way;
	return true;
}

static void make_answer(struct fake_transport *transport, const struct fake_request *request,
			struct remote_answer *answer)
{
	const struct fake_upstream *fake = transport->fake;
	const struct fake_reply *reply = &request->reply;
	const struct fake_sent *sent = &fake->sent[request->number];

	*answer = (struct remote_answer){
		.failure = FAILURE_NONE,
		.reached = true,
		.status = fake->is_stream ? 0 : 200,
		.retry_after_s = reply->retry_after_s > 0 ? reply->retry_after_s : -1,
	};
	if (request->is_late) {
		answer->failure = FAILURE_TIMEOUT;
	} else if (reply->what == FAKE_FAILS) {
		answer->failure = reply->failure;
		answer->reached = reply->failure != FAILURE_CONNECT;
		if (reply->was_served)
			serve(transport, sent->body, &answer->body);
		buffer_deinit(&answer->body);
		answer->body = (struct buffer){0};
	} else if (reply->what == FAKE_ANSWERS) {
		answer->status = reply->status;
		buffer_append(&answer->body, slice_of(reply->body ? reply->body : ""));
	} else if (fake->lacks_new && strcmp(sent->path, "/new") == 0) {
		answer->status = 404;
	} else {
		serve(transport, sent->body, &answer->body);
	}
}

static void free_request(struct fake_request *request)
{
	remote_request_deinit(&request->request);
	free(request);
}

/* Ends one request that is due; false: none is. */
static bool deliver(struct fake_transport *transport)
{
	struct fake_upstream *fake = transport->fake;
	struct fake_request **at = &transport->under_way;
	struct remote_answer answer;

	while (*at && (*at)->due_us > fake->now_us)
		at = &(*at)->next;
	struct fake_request *request = *at;
	if (!request)
		return false;
	*at = request->next;
	/* A stream that breaks off takes all with it that is under way. */
	for (struct fake_request *each = request->next; each && fake->is_stream; each = each->next)
		if (request->reply.what == FAKE_FAILS) {
			each->reply = (struct fake_reply){.what = FAKE_FAILS,
							  .failure = request->reply.failure};
			each->due_us = fake->now_us;
		}
	make_answer(transport, request, &answer);
	fake->under_way -= !is_probe(request);
	fake->sent[request->number].ended_us = fake->now_us;
	request->request.done(request->request.user, &answer);
	buffer_deinit(&answer.body);
	free_request(request);
	return true;
}

static void wait_for_answers(struct remote_transport *of, int64_t timeout_us)
{
	struct fake_transport *transport = (struct fake_transport *)of;
	struct fake_upstream *fake = transport->fake;
	int64_t target_us = fake->until_us;

	if (timeout_us < target_us - fake->now_us)
		target_us = fake->now_us + timeout_us;
	for (const struct fake_request *each = transport->under_way; each; each = each->next)
		if (each->due_us < target_us)
			target_us = each->due_us;
	if (target_us > fake->now_us)
		fake->now_us = target_us;
	while (deliver(transport))
		;
}

static void wake(struct remote_transport *of)
{
	(void)of;
}

static void close_transport(struct remote_transport *of)
{
	struct fake_transport *transport = (struct fake_transport *)of;

	while (transport->under_way) {
		struct fake_request *next = transport->under_way->next;

		free_request(transport->under_way);
		transport->under_way = next;
	}
	free(transport);
}

static const struct remote_transport_ops transport_ops = {
	.submit = submit,
	.wait = wait_for_answers,
	.wake = wake,
	.close = close_transport,
};

/* ---- For tests ---- */

static int64_t virtual_now_us(void *user)
{
	return ((const struct fake_upstream *)user)->now_us;
}

static void keep_notice(void *user, enum notice_level level, const char *sentence)
{
	struct fake_upstream *fake = user;

	(void)level;
	cr_assert_lt(fake->notice_count, FAKE_NOTICES_MAX);
	fake->notices[fake->notice_count++] = strdup(sentence);
}

struct fake_upstream *fake_open(enum fake_kind kind)
{
	static struct cache_clock clock = {.now_us = virtual_now_us};
	struct fake_upstream *fake = calloc(1, sizeof(*fake));

	clock.user = fake;
	fake->now_us = fake->until_us = 1000 * US_PER_S;
	fake->scan_pages = 1;
	fake->settings = (struct remote_settings){
		.batch_size = 10, .max_in_flight = 2, .retries = 3, .timeout_us = 10 * US_PER_S};
	fake->config = (struct backend_config){.notice = keep_notice, .notice_user = fake};
	fake->transport = calloc(1, sizeof(*fake->transport));
	fake->transport->transport.ops = &transport_ops;
	fake->transport->fake = fake;
	struct remote_context context = {
		.protocol = &protocols[kind],
		.settings = &fake->settings,
		.config = &fake->config,
		.tally = &fake->tally,
		.namespaces = &fake->namespaces,
		.details = &fake->details,
		.user = fake,
	};
	remote_engine_init(&fake->engine, &context, &fake->transport->transport, &clock);
	fake->engine.random = 1;
	return fake;
}

void fake_close(struct fake_upstream *fake)
{
	remote_engine_stop(&fake->engine);
	remote_namespaces_deinit(&fake->namespaces);
	remote_details_deinit(&fake->details);
	for (size_t i = 0; i < fake->sent_count; i++) {
		free(fake->sent[i].headers);
		free(fake->sent[i].body);
	}
	for (size_t i = 0; i < fake->notice_count; i++)
		free(fake->notices[i]);
	free(fake);
}

void fake_always(struct fake_upstream *fake, struct fake_reply reply)
{
	fake->transport->always = reply;
}

void fake_next(struct fake_upstream *fake, unsigned times, struct fake_reply reply)
{
	struct fake_transport *transport = fake->transport;

	while (times-- > 0) {
		cr_assert_lt(transport->next_count, FAKE_REPLIES_MAX);
		transport->next[transport->next_count++] = reply;
	}
}

void fake_run(struct fake_upstream *fake, int64_t us)
{
	unsigned idle_turns = 0;

	fake->until_us = fake->now_us + us;
	/* At the end two turns without an answer: all that was due has been done. */
	for (unsigned turns = 0; idle_turns < 2; turns++) {
		int64_t before_us = fake->now_us;
		size_t before = fake->under_way + fake->sent_count;

		cr_assert_lt(turns, TURNS_MAX, "the engine spins");
		cr_assert(remote_engine_turn(&fake->engine));
		bool is_idle = fake->now_us == fake->until_us && fake->now_us == before_us &&
			       fake->under_way + fake->sent_count == before;
		idle_turns = is_idle ? idle_turns + 1 : 0;
	}
}

static bool holds_any(const struct remote_locks *locks)
{
	for (size_t i = 0; i < locks->capacity; i++)
		if (locks->places[i].shared > 0 || locks->places[i].exclusive > 0)
			return true;
	return false;
}

bool fake_is_idle(struct fake_upstream *fake)
{
	const struct remote_engine *engine = &fake->engine;

	return !engine->calls && engine->in_flight == 0 && !engine->plan.waiting.first &&
	       engine->plan.waiting_items == 0 && !engine->inbox.first &&
	       !holds_any(&engine->plan.writes) && !holds_any(&engine->plan.reads) &&
	       !fake->transport->under_way;
}

uint64_t fake_counter(const struct fake_upstream *fake, enum remote_counter counter)
{
	return atomic_load(&fake->tally.counters[counter]);
}

uint64_t fake_failures(const struct fake_upstream *fake, enum remote_failure failure)
{
	return atomic_load(&fake->tally.failures[failure]);
}
