#include "tests/support/fake_upstream.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fake_protocol.h"

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

/* Stored values, by "NS KEY". */
struct fake_value {
	char name[48];
	char value[32];
};

struct fake_transport {
	struct remote_transport transport;
	struct fake_upstream *fake;
	struct fake_request *under_way; /* in the order in which they arrived */
	struct fake_reply always, next[FAKE_REPLIES_MAX];
	size_t next_first, next_count;
	struct fake_value values[VALUES_MAX];
	size_t value_count;
};

/* ---- Storage ---- */

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

/* Executes a line and appends the answer to it. */
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

	while (fake_protocol_next_line(&body, line, sizeof(line)))
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

/* In a stream no answer comes before that to an earlier request. */
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
		answer->is_partial = reply->is_partial;
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
	/* A stream that breaks takes everything in flight with it. */
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
		.protocol = &fake_protocols[kind],
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
	/* At the end two turns without an answer: everything due has been done. */
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
