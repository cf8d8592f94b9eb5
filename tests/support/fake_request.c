#include "tests/support/fake_request.h"

#include <stdlib.h>
#include <strings.h>

#include "handlers/admin/namespace_labels.h"

/* ---- The backend ---- */

struct cache_op *held_op;

static void hold(struct backend *backend, struct cache_op *op)
{
	(void)backend;
	if (held_op)
		abort();
	held_op = op;
}

static const struct backend_ops holding_ops = {
	.name = "holding",
	.bits = BACKEND_WHOLE | BACKEND_IDLE,
	.get = hold,
	.set = hold,
	.remove = hold,
	.exists = hold,
	.expire = hold,
	.clear = hold,
	.scan = hold,
	.stats = hold,
	.configure = hold,
	.sync = hold,
	.check = hold,
};
static struct backend holding = {.ops = &holding_ops};

int64_t fake_now_us = INT64_C(1700000000000000);

static int64_t read_fake_clock(void *user)
{
	(void)user;
	return fake_now_us;
}

static const struct cache_clock fake_clock = {.now_us = read_fake_clock};

struct server_figures fake_figures;
struct process_figures fake_process;
struct answer_count fake_answers[FAKE_ANSWERS_MAX];
struct route_latency fake_latency;
struct operation_count fake_operations[FAKE_ANSWERS_MAX];

static void read_fake_figures(void *user, struct server_figures *ret)
{
	(void)user;
	*ret = fake_figures;
}

static void read_fake_process(struct process_figures *ret)
{
	*ret = fake_process;
}

static void each_fake_answer(void *user,
			     void (*visit)(void *visit_user, const struct answer_count *answers),
			     void *visit_user)
{
	(void)user;
	for (size_t i = 0; i < FAKE_ANSWERS_MAX; i++)
		if (fake_answers[i].count > 0)
			visit(visit_user, &fake_answers[i]);
}

static void each_fake_latency(void *user,
			      void (*visit)(void *visit_user, const struct route_latency *latency),
			      void *visit_user)
{
	(void)user;
	if (fake_latency.route)
		visit(visit_user, &fake_latency);
}

static void each_fake_operation(void *user,
				void (*visit)(void *visit_user,
					      const struct operation_count *operations),
				void *visit_user)
{
	(void)user;
	for (size_t i = 0; i < FAKE_ANSWERS_MAX; i++)
		if (fake_operations[i].count > 0)
			visit(visit_user, &fake_operations[i]);
}

static struct namespace_labels fake_labels = NAMESPACE_LABELS_INITIALIZER;

struct handler_context fake_context = {
	.backend = &holding,
	.clock = &fake_clock,
	.max_key_bytes = 100,
	.max_body_bytes = 10000,
	.max_batch_items = 1000,
	.version = "1.2.3",
	.started_at_us = INT64_C(1700000000000000),
	.figures = {.read = read_fake_figures,
		    .each_answer = each_fake_answer,
		    .each_latency = each_fake_latency,
		    .each_operation = each_fake_operation,
		    .read_process = read_fake_process},
	.labels = &fake_labels,
};

/* ---- The request ---- */

static const char *find(const struct fake_pair *pairs, const char *name, bool any_case)
{
	for (; pairs->name; pairs++)
		if ((any_case ? strcasecmp(pairs->name, name) : strcmp(pairs->name, name)) == 0)
			return pairs->value;
	return NULL;
}

static const char *find_header(const struct request *request, const char *name)
{
	const struct fake_request *fake = request->source_user;

	return find(fake->headers, name, true);
}

static const char *find_header_line(const struct request *request, const char *name, size_t index)
{
	const struct fake_request *fake = request->source_user;

	for (const struct fake_pair *pair = fake->headers; pair->name; pair++)
		if (strcasecmp(pair->name, name) == 0 && index-- == 0)
			return pair->value;
	return NULL;
}

static void visit_headers(const struct request *request, request_visit *visit, void *user)
{
	const struct fake_request *fake = request->source_user;

	for (const struct fake_pair *pair = fake->headers; pair->name; pair++)
		visit(user, slice_of(pair->name), pair->value);
}

static const char *find_query(const struct request *request, const char *name)
{
	const struct fake_request *fake = request->source_user;

	return find(fake->queries, name, false);
}

static const struct request_source fake_source = {.header = find_header,
						  .header_line = find_header_line,
						  .each = visit_headers,
						  .query = find_query};

static void put_pair(struct fake_pair *pairs, const char *name, const char *value)
{
	size_t i = 0;

	while (pairs[i].name && strcasecmp(pairs[i].name, name) != 0)
		i++;
	if (i == FAKE_PAIRS_MAX)
		abort();
	pairs[i] = (struct fake_pair){.name = name, .value = value};
}

void fake_request_init(struct fake_request *fake)
{
	memset(fake, 0, sizeof(*fake));
	fake->request.context = &fake_context;
	fake->request.source = &fake_source;
	fake->request.source_user = fake;
	fake->request.method = HTTP_GET;
	fake->response.status = 200;
}

void fake_request_header(struct fake_request *fake, const char *name, const char *value)
{
	put_pair(fake->headers, name, value);
}

void fake_request_more(struct fake_request *fake, const char *name, const char *value)
{
	size_t i = 0;

	while (fake->headers[i].name)
		i++;
	if (i == FAKE_PAIRS_MAX)
		abort();
	fake->headers[i] = (struct fake_pair){.name = name, .value = value};
}

void fake_request_query(struct fake_request *fake, const char *name, const char *value)
{
	put_pair(fake->queries, name, value);
}

void fake_request_body(struct fake_request *fake, struct slice bytes, const char *content_type)
{
	fake->request.body = cache_value_create(bytes.len, slice_of(content_type));
	if (!fake->request.body)
		abort();
	if (bytes.len > 0)
		memcpy(cache_value_data(fake->request.body), bytes.data, bytes.len);
}

/* ---- Its course ---- */

static void let_go(struct cache_op *op)
{
	if (held_op == op)
		held_op = NULL;
}

enum handler_step fake_request_start(struct fake_request *fake, const struct handler *handler)
{
	enum handler_step step = handler->start(&fake->request, &fake->response);

	fake->handler = handler;
	if (step == STEP_SUBMIT) {
		fake->request.op.done = let_go;
		backend_submit(fake->request.context->backend, &fake->request.op);
	}
	return step;
}

void fake_request_finish(struct fake_request *fake, enum cache_status status)
{
	if (held_op)
		cache_op_complete(held_op, status);
	fake->handler->finish(&fake->request, &fake->response);
}

void fake_request_close(struct fake_request *fake)
{
	if (held_op)
		cache_op_complete(held_op, CACHE_OK);
	if (fake->handler && fake->handler->cleanup)
		fake->handler->cleanup(&fake->request);
	if (fake->handler)
		cache_op_deinit(&fake->request.op);
	cache_value_release(fake->request.body);
	response_deinit(&fake->response);
	memset(fake, 0, sizeof(*fake));
}

/* ---- The response ---- */

/* NUL-terminated, until the next call. */
static const char *text_of(struct slice value)
{
	static _Thread_local char text[VALUE_HEADERS_MAX_LEN];

	memcpy(text, value.data, value.len);
	text[value.len] = '\0';
	return text;
}

const char *fake_response_header(const struct fake_request *fake, const char *name)
{
	const struct response *response = &fake->response;

	for (size_t i = 0; i < response->header_count; i++)
		if (strcasecmp(response->headers[i].name, name) == 0)
			return response->headers[i].value;
	struct slice rest = response->kept, found, value;
	while (value_head_next(&rest, &found, &value))
		if (!(response->drops_encoding && slice_equal(found, SLICE("Content-Encoding"))) &&
		    found.len == strlen(name) && strncasecmp(found.data, name, found.len) == 0)
			return text_of(value);
	return NULL;
}

struct slice fake_response_body(const struct fake_request *fake)
{
	const struct response *response = &fake->response;

	switch (response->body) {
	case BODY_STATIC:
		return response->static_body;
	case BODY_BUFFER:
		return buffer_bytes(&response->buffer);
	case BODY_STREAM: /* produced while it is sent */
		break;
	case BODY_VALUE:
		return (struct slice){
			.data = cache_value_bytes(response->value).data + response->value_offset,
			.len = response->value_len,
		};
	case BODY_NONE:
		break;
	}
	return (struct slice){0};
}
