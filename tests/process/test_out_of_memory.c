/* One allocation of a request fails, the first, the second, ... until the request needs no more:
 * each time its answer is correct and complete, or 503, or the connection is closed. Never a miss,
 * never a 400 for a valid request, never a 200 without its headers, never a wait for a time-out. */
#include "tests/process/scene.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/faults.h"

/* A sanitizer's allocator must not be replaced. */
#ifndef __SANITIZE_ADDRESS__

PROCESS_SUITE(out_of_memory);

/* Far below the idle time-out, far above what a request takes on a busy machine. */
#define PROMPT_MS     15000
#define LARGE_BYTES   400000
#define ALLOCATED_MAX 3000

static struct faults *faults;
static char *large;

static void open_server(void)
{
	char path[TEMP_PATH_SIZE];

	faults = faults_open(temp_dir_path(&scene.dir, "faults", path), scene.data_dir);
	scene_env_printf("FAULTS_FILE=%s", path);
	scene_env("LD_PRELOAD=" STEADYCACHE_FAULTS_LIBRARY);
	scene_env("STEADYCACHE_SQLITE_CACHE_MB=0"); /* each read is one of the database */
	scene_flag("--threads=1");
	scene_start();
	large = malloc(LARGE_BYTES + 1);
	memset(large, 'L', LARGE_BYTES);
	large[LARGE_BYTES] = '\0';
	expect_status(
		http_put(scene.client, "/cache/ns/k", SLICE("value \"k\""), "Content-Type: text/x"),
		201);
	expect_status(http_put(scene.client, "/cache/ns/large",
			       ((struct slice){large, LARGE_BYTES}), "Content-Type: text/y"),
		      201);
}

static void close_server(void)
{
	free(large);
	scene_stop();
	faults_close(faults);
}

struct request {
	const char *method, *target, *body;
	void (*check)(const struct http_answer *answer); /* checks a 2xx answer */
};

/* Returns how many allocations could fail. */
static unsigned try_each_allocation(const struct request *request)
{
	unsigned failed = 0;
	bool has_failed = true;

	for (unsigned i = 0; has_failed && i < ALLOCATED_MAX; i++) {
		struct http_client *client = http_client_open(scene.server.url, NULL);
		const struct http_answer *answer;

		http_client_set_timeout(client, PROMPT_MS);
		/* The connection exists, so that only the request is affected. */
		expect_status(http_get(client, "/healthz"), 200);
		long long began_ms = steady_now_ms();
		faults_arm(faults, FAULT_MEMORY, ENOMEM, i, 1);
		answer = http_request(client, request->method, request->target,
				      request->body ? slice_of(request->body) : NO_BODY,
				      HTTP_HEADERS("Expect:"));
		has_failed = faults_end(faults) > i;
		failed += has_failed;
		expect_that(answer, steady_now_ms() - began_ms < PROMPT_MS,
			    "allocation %u: it took too long", i);
		if (answer->status / 100 == 2)
			request->check(answer);
		else
			expect_that(answer,
				    has_failed && (answer->status == 0 || answer->status == 503),
				    "allocation %u: expected 2xx, 503 or no answer", i);
		http_client_close(client);
	}
	cr_expect_not(has_failed, "%s takes ever more", request->target);
	/* Nothing was lost. */
	expect_body(http_get(scene.client, "/cache/ns/k"), SLICE("value \"k\""));
	return failed;
}

static void is_entry(const struct http_answer *answer)
{
	expect_body(answer, SLICE("value \"k\""));
	expect_header(answer, "Content-Type", "text/x");
	expect_that(answer, http_header(answer, "ETag"), "expected an ETag");
	expect_that(answer, http_header(answer, "X-Content-Type-Options"), "expected nosniff");
}

static void is_large_entry(const struct http_answer *answer)
{
	expect_body(answer, ((struct slice){large, LARGE_BYTES}));
	expect_header(answer, "Content-Type", "text/y");
	expect_that(answer, http_header(answer, "ETag"), "expected an ETag");
}

static void is_empty(const struct http_answer *answer)
{
	expect_status(answer, 204);
}

static void holds_value(const struct http_answer *answer)
{
	expect_that(answer, strstr(answer->body, "value \\\"k\\\""), "expected the value");
	expect_that(answer, http_header(answer, "Content-Type"), "expected a type");
}

static void is_success(const struct http_answer *answer)
{
	json_auto_t *json = http_json(answer);

	expect_that(answer, json_is_true(json_object_get(json, "success")), "expected success");
}

static void lists_both(const struct http_answer *answer)
{
	json_auto_t *json = http_json(answer);

	expect_that(answer, json_array_size(json_object_get(json, "keys")) >= 2,
		    "expected both keys");
}

static void lists_the_rest(const struct http_answer *answer)
{
	json_auto_t *json = http_json(answer);

	expect_that(answer, json_array_size(json_object_get(json, "keys")) >= 1,
		    "expected what follows");
}

/* It is complete, or says that it is not. */
static void is_export(const struct http_answer *answer)
{
	if (strstr(answer->body, "{\"complete\":true"))
		expect_that(answer, strstr(answer->body, "value \\\"k\\\""), "expected the value");
	else
		expect_that(answer, strstr(answer->body, "{\"complete\":false,\"error\":\"out of"),
			    "expected its end");
}

static void has_imported(const struct http_answer *answer)
{
	json_auto_t *json = http_json(answer);

	expect_that(answer, json_integer_value(json_object_get(json, "imported")) == 1,
		    "expected one");
}

static void is_shown(const struct http_answer *answer)
{
	json_auto_t *json = http_json(answer);

	expect_that(answer,
		    http_text_equal(json_string_value(json_object_get(json, "text")),
				    "['two', {'k': 1}, array([], dtype=float32)]"),
		    "expected the text");
}

/* Base64 of the pickle of ["two", {"k": 1}, numpy.array([], "f4")]. */
#define PICKLE                                                                                     \
	"gASVmwAAAAAAAABdlCiMA3R3b5R9lIwBa5RLAXOMFW51bXB5LmNvcmUubXVsdGlhcnJheZSMDF9y"             \
	"ZWNvbnN0cnVjdJSTlIwFbnVtcHmUjAduZGFycmF5lJOUSwCFlEMBYpSHlFKUKEsBSwCFlGgHjAVk"             \
	"dHlwZZSTlIwCZjSUiYiHlFKUKEsDjAE8lE5OTkr/////Sv////9LAHSUYolDAJR0lGJlLg=="

Test(out_of_memory, each_allocation_of_each_request)
{
	/* Unknown members make the fast JSON reader give up. */
	static const struct request requests[] = {
		{"GET", "/cache/ns/k", NULL, is_entry},
		{"GET", "/cache/ns/large", NULL, is_large_entry},
		{"PUT", "/cache/ns/new?ttl=60", "v", is_empty},
		{"POST", "/api/get", "{\"cache_name\":\"ns\",\"key\":\"k\"}", holds_value},
		{"POST", "/api/get?pretty", "{\"cache_name\":\"ns\",\"key\":\"k\",\"x\":[1]}",
		 holds_value},
		{"POST", "/api/exists?pretty", "{\"cache_name\":\"ns\",\"key\":\"k\"}", NULL},
		{"POST", "/batch/ns/get", "{\"keys\":[\"k\",\"none\"],\"x\":{}}", holds_value},
		{"POST", "/batch/ns/set",
		 "{\"items\":[{\"key\":\"b\",\"value\":\"MQ==\",\"encoding\":\"base64\",\"x\":1}]}",
		 is_success},
		{"GET", "/cache/ns?limit=100", NULL, lists_both},
		{"GET", "/cache/ns?limit=100&cursor=aw", NULL, lists_the_rest},
		{"GET", "/export?namespace=ns", NULL, is_export},
		{"POST", "/import",
		 "{\"namespace\":\"ns\",\"key\":\"i\",\"value_base64\":\"MQ==\",\"x\":[]}\n",
		 has_imported},
		{"POST", "/pickle", PICKLE, is_shown},
	};

	open_server();
	expect_status(http_put(scene.client, "/cache/ns/new", SLICE("v")), 201);
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		struct request request = requests[i];

		if (!request.check) {
			expect_status(http_post_json(scene.client, request.target, request.body),
				      200);
			continue;
		}
		unsigned failed = try_each_allocation(&request);
		cr_expect_gt(failed, 0, "%s", request.target);
	}
	close_server();
}

#endif
