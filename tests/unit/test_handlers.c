/* Every handler with every outcome of the store, without a socket. AddressSanitizer checks for
 * leaks and uses after free. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/handlers.h"
#include "handlers/respond/pretty.h"
#include "handlers/respond/status.h"
#include "server/http/exchange_handler.h"
#include "tests/support/fake_request.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct handler_case {
	const char *name;
	const struct handler *handler;
	enum http_method method;
	const char *body; /* NULL: none */
	bool is_d1;
	unsigned ok, not_found; /* HTTP status if the op is CACHE_OK, CACHE_NOT_FOUND */
};

static const struct handler_case cases[] = {
	{"entry get", &handler_entry_get, HTTP_GET, NULL, false, 200, 404},
	{"entry head", &handler_entry_get, HTTP_HEAD, NULL, false, 200, 404},
	{"entry put", &handler_entry_put, HTTP_PUT, "v", false, 204, 404},
	{"entry put of nothing", &handler_entry_put, HTTP_PUT, NULL, false, 204, 404},
	{"entry delete", &handler_entry_delete, HTTP_DELETE, NULL, false, 204, 404},
	{"namespaces", &handler_namespaces_get, HTTP_GET, NULL, false, 200, 404},
	{"listing", &handler_namespace_list, HTTP_GET, NULL, false, 200, 404},
	{"settings", &handler_namespace_put, HTTP_PUT, "{\"capacity\":1}", false, 204, 404},
	{"clear", &handler_namespace_clear, HTTP_DELETE, NULL, false, 204, 404},
	{"stats", &handler_stats, HTTP_GET, NULL, false, 200, 404},
	{"namespace stats", &handler_namespace_stats, HTTP_GET, NULL, false, 200, 404},
	{"sync", &handler_sync, HTTP_POST, NULL, false, 204, 404},
	{"batch get", &handler_batch_get, HTTP_POST, "{\"keys\":[\"k\"]}", false, 200, 404},
	{"batch set", &handler_batch_set, HTTP_POST,
	 "{\"items\":[{\"key\":\"k\",\"value\":\"v\"}]}", false, 200, 200},
	{"batch delete", &handler_batch_delete, HTTP_POST, "{\"keys\":[\"k\"]}", false, 200, 200},
	{"batch exists", &handler_batch_exists, HTTP_POST, "{\"keys\":[\"k\"]}", false, 200, 404},
	{"d1 init", &handler_d1_init, HTTP_POST, "{\"cache_name\":\"n\",\"max_size_mb\":1}", true,
	 200, 200},
	{"d1 get", &handler_d1_get, HTTP_POST, "{\"cache_name\":\"n\",\"key\":\"k\"}", true, 200,
	 200},
	{"d1 set", &handler_d1_set, HTTP_POST,
	 "{\"cache_name\":\"n\",\"key\":\"k\",\"value\":\"v\",\"size\":1}", true, 200, 200},
	{"d1 delete", &handler_d1_delete, HTTP_POST, "{\"cache_name\":\"n\",\"key\":\"k\"}", true,
	 200, 200},
	{"d1 exists", &handler_d1_exists, HTTP_POST, "{\"cache_name\":\"n\",\"key\":\"k\"}", true,
	 200, 200},
	{"d1 batch get", &handler_d1_batch_get, HTTP_POST,
	 "{\"cache_name\":\"n\",\"keys\":[\"k\"]}", true, 200, 404},
	{"d1 batch set", &handler_d1_batch_set, HTTP_POST,
	 "{\"cache_name\":\"n\",\"items\":[{\"key\":\"k\",\"value\":\"v\"}]}", true, 200, 200},
	{"d1 batch delete", &handler_d1_batch_delete, HTTP_POST,
	 "{\"cache_name\":\"n\",\"keys\":[\"k\"]}", true, 200, 200},
	{"d1 clear", &handler_d1_clear, HTTP_POST, "{\"cache_name\":\"n\"}", true, 200, 200},
	{"d1 stats", &handler_d1_stats, HTTP_POST, "{\"cache_name\":\"n\"}", true, 200, 404},
};

static struct fake_request fake;

/* The request of a case, with a key and a name in its path unless it is a call of /api. */
static enum handler_step start(const struct handler_case *test)
{
	fake_request_init(&fake);
	fake.request.method = test->method;
	fake.request.error_style = test->is_d1 ? ERROR_D1 : ERROR_PROBLEM;
	if (!test->is_d1) {
		fake.request.ns = SLICE("n");
		fake.request.key = SLICE("k");
	}
	if (test->body)
		fake_request_body(&fake, slice_of(test->body), "a/b");
	if (test->handler == &handler_namespace_clear)
		fake_request_query(&fake, "all", "");
	return fake_request_start(&fake, test->handler);
}

/* What a backend would write into the held op for CACHE_OK. */
static void fill_answer(void)
{
	struct cache_op *op = held_op;

	if (op->type == CACHE_OP_GET)
		op->items[0].value = cache_value_copy(SLICE("value"), SLICE("text/css"));
	if (op->type == CACHE_OP_STATS) {
		op->stats = calloc(1, sizeof(*op->stats));
		strcpy(op->stats[0].name, "n");
		op->stats_count = 1;
	}
}

static json_t *parse_body(const struct handler_case *test)
{
	struct slice body = fake_response_body(&fake);
	json_t *document = json_loadb(body.data, body.len, JSON_REJECT_DUPLICATES, NULL);

	cr_assert(json_is_object(document), "%s: %.*s", test->name, (int)body.len, body.data);
	return document;
}

/* ---- Success ---- */

Test(handlers, success_has_the_status_of_its_resource)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		cr_assert_eq(start(&cases[i]), STEP_SUBMIT, "%s", cases[i].name);
		fill_answer();
		fake_request_finish(&fake, CACHE_OK);
		cr_expect_eq(fake.response.status, cases[i].ok, "%s: %u", cases[i].name,
			     fake.response.status);
		cr_expect_null(fake_response_header(&fake, "Retry-After"));
		cr_expect_eq(fake.response.body == BODY_NONE, cases[i].ok == 204, "%s",
			     cases[i].name);
		fake_request_close(&fake);
	}
}

/* As server/http/exchange.c does for ?pretty. */
static void make_pretty(void)
{
	if (fake.response.body == BODY_STATIC) {
		buffer_append(&fake.response.buffer, fake.response.static_body);
		fake.response.body = BODY_BUFFER;
	}
	respond_pretty(&fake.response);
}

static void expect_same_when_pretty(const struct handler_case *test)
{
	json_auto_t *compact = parse_body(test);

	cr_expect_null(memchr(fake_response_body(&fake).data, '\n', fake_response_body(&fake).len));
	make_pretty();
	json_auto_t *pretty = parse_body(test);
	cr_expect(json_equal(compact, pretty), "%s", test->name);
	cr_expect_not_null(
		memchr(fake_response_body(&fake).data, '\n', fake_response_body(&fake).len));
}

Test(handlers, all_json_says_that_it_is_and_stays_the_same_when_pretty)
{
	for (size_t i = 0; i < COUNT(cases); i++)
		for (int status = CACHE_OK; status <= CACHE_INTERNAL; status++) {
			(void)start(&cases[i]);
			if (status == CACHE_OK)
				fill_answer();
			fake_request_finish(&fake, (enum cache_status)status);
			const char *type = fake_response_header(&fake, "Content-Type");
			bool is_json = type && strstr(type, "json");

			cr_expect_eq(fake.response.is_json, is_json, "%s, status %d", cases[i].name,
				     status);
			cr_expect(is_json || status == CACHE_OK);
			if (is_json)
				expect_same_when_pretty(&cases[i]);
			fake_request_close(&fake);
		}
}

/* ---- Failure ---- */

static void expect_failure(const struct handler_case *test, unsigned status, const char *detail)
{
	const char *type =
		test->is_d1 ? "application/json; charset=UTF-8" : "application/problem+json";
	const char *retry = fake_response_header(&fake, "Retry-After");

	cr_expect_eq(fake.response.status, status, "%s: %u", test->name, fake.response.status);
	cr_expect_str_eq(fake_response_header(&fake, "Content-Type"), type);
	cr_expect_eq(retry != NULL, status == 503, "%s", test->name);
	json_auto_t *document = parse_body(test);
	cr_expect_str_eq(json_string_value(json_object_get(document, "error")), detail);
	if (test->is_d1) {
		cr_expect_eq(json_object_size(document), 1);
		return;
	}
	cr_expect_eq(json_integer_value(json_object_get(document, "status")), status);
	cr_expect_str_eq(json_string_value(json_object_get(document, "detail")), detail);
	cr_expect_str_eq(json_string_value(json_object_get(document, "type")), "about:blank");
	cr_expect_str_neq(json_string_value(json_object_get(document, "title")), "Error",
			  "status %u has no title", status);
}

/* If values are read, "too large" has another sentence. */
static const char *sentence_of(enum cache_status status)
{
	return status == CACHE_TOO_LARGE && fake.request.op.max_value_bytes > 0
		       ? "the values have more than 20000 bytes together; ask for fewer keys at a "
			 "time (STEADYCACHE_MAX_BODY_MB)"
		       : status_text(status);
}

Test(status, each_has_an_http_status_and_a_sentence)
{
	for (int i = CACHE_OK; i < CACHE_STATUSES; i++) {
		enum cache_status status = (enum cache_status)i;
		unsigned http = status_http(status);

		if (status == CACHE_OK)
			cr_expect_eq(http, 200);
		else
			cr_expect(http >= 400 && http <= 599, "status %d is HTTP %u", i, http);
		cr_expect_eq(strncmp(status_text(status), cache_status_text(status),
				     strlen(cache_status_text(status))),
			     0, "it may say more: %s", status_text(status));
	}
	cr_expect_eq(status_http(CACHE_PRECONDITION_FAILED), 412);
	cr_expect_eq(status_http(CACHE_NO_SPACE), 507);
	cr_expect_str_eq(status_text(CACHE_TOO_MANY_NAMESPACES),
			 "too many namespaces; raise STEADYCACHE_MAX_NAMESPACES");
}

Test(handlers, each_failure_of_the_store_has_its_status_in_the_style_of_the_route)
{
	for (size_t i = 0; i < COUNT(cases); i++)
		for (int status = CACHE_NOT_FOUND; status <= CACHE_INTERNAL; status++) {
			cr_assert_eq(start(&cases[i]), STEP_SUBMIT, "%s", cases[i].name);
			fake_request_finish(&fake, (enum cache_status)status);
			if (status == CACHE_NOT_FOUND && cases[i].not_found != 404)
				cr_expect_eq(fake.response.status, cases[i].not_found, "%s: %u",
					     cases[i].name, fake.response.status);
			else
				expect_failure(&cases[i], status_http((enum cache_status)status),
					       sentence_of((enum cache_status)status));
			fake_request_close(&fake);
		}
}

Test(handlers, what_the_backend_says_beats_the_sentence_of_the_status)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		(void)start(&cases[i]);
		held_op->detail = "the disk \"sda\"\nis on fire";
		fake_request_finish(&fake, CACHE_UNAVAILABLE);
		expect_failure(&cases[i], 503, "the disk \"sda\"\nis on fire");
		fake_request_close(&fake);
	}
}

/* ---- Clean-up ---- */

/* A client that leaves while its op is in progress: finish is never called. */
Test(handlers, a_dropped_request_leaves_nothing_behind)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		cr_assert_eq(start(&cases[i]), STEP_SUBMIT, "%s", cases[i].name);
		fill_answer();
		cache_op_complete(held_op, CACHE_OK);
		if (cases[i].handler->cleanup)
			cases[i].handler->cleanup(&fake.request);
		cr_expect_null(fake.request.state, "%s", cases[i].name);
		fake_request_close(&fake); /* calls it a second time, which is harmless */
	}
}

Test(handlers, a_value_that_the_backend_keeps_is_its_alone_in_the_end)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		(void)start(&cases[i]);
		if (held_op->type != CACHE_OP_SET) {
			fake_request_close(&fake);
			continue;
		}
		struct cache_value *kept = cache_value_acquire(held_op->items[0].value);
		fake_request_finish(&fake, CACHE_OK);
		fake_request_close(&fake);
		cr_expect_eq(atomic_load(&kept->refs), 1, "%s", cases[i].name);
		cache_value_release(kept);
	}
}

/* ---- Refusals ---- */

Test(handlers, bodies_that_are_no_call_are_refused_before_the_store)
{
	/* The first are wrong everywhere, the others for some calls. */
	enum { NEVER_A_CALL = 9 };
	static const char *const bad[] = {
		NULL,
		"",
		" ",
		"{",
		"[]",
		"null",
		"7",
		"\"s\"",
		"{}",
		"{\"cache_name\":7}",
		"{\"cache_name\":\"-n\",\"key\":\"k\"}",
		"{\"cache_name\":\"n\",\"key\":7}",
		"{\"keys\":{},\"items\":{}}",
		"{\"keys\":[7],\"items\":[7]}",
		"{\"cache_name\":\"n\",\"key\":\"k\",\"value\":null}",
		"{\"keys\":[\"k\",null],\"items\":[{\"key\":\"k\",\"value\":\"v\"},{\"key\":\"k\"}]"
		"}",
		"{\"cache_name\":\"n\",\"key\":\"k\",\"value\":\"v\",\"size\":-1}",
		"{\"cache_name\":\"n\",\"max_size_mb\":-1,\"key\":\"\xFF\"}",
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		if (!cases[i].body || cases[i].body[0] != '{' ||
		    cases[i].handler == &handler_namespace_put)
			continue;
		for (size_t k = 0; k < COUNT(bad); k++) {
			struct handler_case test = cases[i];

			test.body = bad[k];
			if (start(&test) == STEP_RESPOND) {
				json_auto_t *document = parse_body(&test);
				const json_t *sentence = json_object_get(document, "error");

				expect_failure(&test, 400, json_string_value(sentence));
			} else {
				cr_expect_geq(k, NEVER_A_CALL, "%s: %s", test.name, bad[k]);
			}
			fake_request_close(&fake);
		}
	}
}

/* ---- Statistics ---- */

/* The answer of /stats with the server figures of the test. */
static json_t *server_stats(void)
{
	static const struct handler_case stats = {.name = "stats", .handler = &handler_stats};
	json_t *document;

	(void)start(&stats);
	fill_answer();
	fake_request_finish(&fake, CACHE_OK);
	document = parse_body(&stats);
	fake_request_close(&fake);
	return document;
}

Test(handlers, latencies_are_null_before_the_first_answer)
{
	json_auto_t *document = server_stats();
	const json_t *requests = json_object_get(document, "requests");
	const json_t *latency = json_object_get(requests, "latency_us");

	cr_expect_eq(json_integer_value(json_object_get(requests, "total")), 0);
	cr_expect_eq(json_object_size(latency), 4);
	cr_expect(json_is_null(json_object_get(latency, "p50")));
	cr_expect(json_is_null(json_object_get(latency, "p999")));
}

Test(handlers, the_figures_of_the_server)
{
	fake_figures.connections = 17;
	fake_figures.server_errors = 3;
	fake_figures.latency.count[0] = 90;
	fake_figures.latency.count[LATENCY_BOUNDS] = 10; /* beyond ten seconds */
	json_auto_t *document = server_stats();
	const json_t *requests = json_object_get(document, "requests");
	const json_t *latency = json_object_get(requests, "latency_us");
	const json_t *histogram = json_object_get(requests, "histogram");
	const json_t *upper = json_object_get(histogram, "upper_us");
	const json_t *count = json_object_get(histogram, "count");

	cr_expect_eq(json_integer_value(
			     json_object_get(json_object_get(document, "server"), "connections")),
		     17);
	cr_expect_eq(json_integer_value(json_object_get(requests, "total")), 100);
	cr_expect_eq(json_integer_value(json_object_get(requests, "server_errors")), 3);
	cr_expect_eq(json_number_value(json_object_get(latency, "p50")), 1.4);
	cr_expect_eq(json_number_value(json_object_get(latency, "p90")), 2.5);
	cr_expect_eq(json_number_value(json_object_get(latency, "p99")), 1e7);
	cr_expect_eq(json_array_size(upper), LATENCY_STEPS);
	cr_expect_eq(json_array_size(count), LATENCY_STEPS);
	cr_expect_eq(json_number_value(json_array_get(upper, 0)), 2.5);
	cr_expect_eq(json_number_value(json_array_get(upper, LATENCY_BOUNDS - 1)), 1e7);
	cr_expect(json_is_null(json_array_get(upper, LATENCY_BOUNDS)));
	cr_expect_eq(json_integer_value(json_array_get(count, 0)), 90);
	cr_expect_eq(json_integer_value(json_array_get(count, LATENCY_BOUNDS)), 10);
}

/* ---- Health ---- */

Test(handlers, readiness_tells_each_check_in_a_line)
{
	fake_request_init(&fake);
	cr_assert_eq(fake_request_start(&fake, &handler_readyz), STEP_SUBMIT);
	held_op->checks[0] = (struct cache_health_check){.name = "database", .ok = true};
	held_op->checks[1] = (struct cache_health_check){.name = "disk", .detail = "it is full"};
	held_op->check_count = 2;
	fake_request_finish(&fake, CACHE_OK);
	cr_expect_eq(fake.response.status, 503);
	cr_expect(slice_equal(fake_response_body(&fake),
			      SLICE("ok database\nfailed disk: it is full\n")));
	cr_expect_str_eq(fake_response_header(&fake, "Content-Type"), "text/plain; charset=utf-8");
	cr_expect_not(fake.response.is_json);
	fake_request_close(&fake);
}

Test(handlers, readiness_is_the_backends_and_health_is_not)
{
	fake_request_init(&fake);
	(void)fake_request_start(&fake, &handler_readyz);
	fake_request_finish(&fake, CACHE_OK);
	cr_expect_eq(fake.response.status, 200);
	fake_request_close(&fake);
	fake_request_init(&fake);
	(void)fake_request_start(&fake, &handler_readyz);
	fake_request_finish(&fake, CACHE_CORRUPT);
	cr_expect_eq(fake.response.status, 503);
	fake_request_close(&fake);
	fake_request_init(&fake);
	cr_expect_eq(fake_request_start(&fake, &handler_healthz), STEP_RESPOND);
	cr_expect_eq(fake.response.status, 200);
	cr_expect_null(held_op);
	fake_request_close(&fake);
}
