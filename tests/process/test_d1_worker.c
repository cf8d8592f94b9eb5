/* The d1 backend in front of a Worker: what it sends, and how little of it. */
#include "tests/process/d1_scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

D1_SUITE(d1_worker);

Test(d1_worker, entries_go_there_and_come_back)
{
	d1_scene_start();
	expect_status(scene_put("k", "value"), 201);
	expect_status(scene_put("k", "other"), 204);
	const struct http_answer *answer = scene_get("k");
	expect_status(answer, 200);
	expect_body(answer, SLICE("other"));
	expect_status(http_head(scene.client, "/cache/ns/k"), 200);
	expect_status(http_delete(scene.client, "/cache/ns/k"), 204);
	expect_status(scene_get("k"), 404);
	expect_status(http_delete(scene.client, "/cache/ns/k"), 404);
	cr_expect_eq(mock_connections(upstream), 1, "the connection is kept");
	scene_stop();
}

Test(d1_worker, any_bytes_are_a_key_and_a_value)
{
	d1_scene_start();
	struct slice binary = {.data = "\0\xFF\xFE\"\\\n", .len = 6};

	expect_status(http_put(scene.client, "/cache/ns/%FF%00%22", binary), 201);
	expect_body(http_get(scene.client, "/cache/ns/%FF%00%22"), binary);
	expect_status(http_put(scene.client, "/cache/ns/text", SLICE("\xC3\xA9\"\\\n\x01"),
			       "Content-Type: text/css"),
		      201);
	const struct http_answer *answer = http_get(scene.client, "/cache/ns/text");
	expect_body(answer, SLICE("\xC3\xA9\"\\\n\x01"));
	expect_header(answer, "Content-Type", "text/css");
	cr_expect_gt(mock_count(upstream, "\"key_b64\":\"/wAi\""), 0);
	scene_stop();
}

Test(d1_worker, conditions_are_the_upstreams_to_judge)
{
	d1_scene_start();
	expect_status(http_put(scene.client, "/cache/ns/k", SLICE("1"), "If-None-Match: *"), 201);
	expect_status(http_put(scene.client, "/cache/ns/k", SLICE("2"), "If-None-Match: *"), 412);
	const struct http_answer *answer = scene_get("k");
	char condition[80];

	expect_body(answer, SLICE("1"));
	(void)snprintf(condition, sizeof(condition), "If-Match: %s", http_header(answer, "ETag"));
	expect_status(http_put(scene.client, "/cache/ns/k", SLICE("3"), condition), 204);
	expect_status(http_delete(scene.client, "/cache/ns/k", condition), 412);
	scene_stop();
}

/* ---- Merging ---- */

struct getter {
	const char *url;
	bool equal;
};

static const char *get_once(size_t index, void *user)
{
	const struct getter *getter = user;
	struct http_client *client = http_client_open(getter->url, NULL);
	char target[64];

	(void)snprintf(target, sizeof(target), "/cache/ns/k%zu", getter->equal ? 0 : index);
	long status = http_get(client, target)->status;
	http_client_close(client);
	return status == 200 ? NULL : "a get did not answer 200";
}

static void fill(void)
{
	for (int i = 0; i < 64; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "k%d", i);
		expect_status(scene_put(key, key), 201);
	}
	mock_forget(upstream);
}

Test(d1_worker, concurrent_gets_share_requests)
{
	d1_scene_start();
	fill();
	struct getter getter = {.url = scene.server.url};

	mock_always(upstream, (struct mock_reply){.behaviour = MOCK_SERVE, .delay_ms = 500});
	cr_assert_null(in_threads(64, get_once, &getter));
	cr_expect_leq(mock_requests(upstream), 10, "64 gets took %u requests",
		      mock_requests(upstream));
	cr_expect_eq(mock_count(upstream, "{\"key\":"), 64);
	cr_expect_gt(d1_gauge("merged"), 50);
	scene_stop();
}

Test(d1_worker, equal_gets_become_one)
{
	d1_scene_start();
	fill();
	struct getter getter = {.url = scene.server.url, .equal = true};

	mock_always(upstream, (struct mock_reply){.behaviour = MOCK_SERVE, .delay_ms = 1500});
	cr_assert_null(in_threads(64, get_once, &getter));
	/* The first is sent at once; those that arrive meanwhile make up the second. */
	cr_expect_leq(mock_count(upstream, "{\"key\":\"k0\"}"), 2, "64 equal gets became %u",
		      mock_count(upstream, "{\"key\":\"k0\"}"));
	scene_stop();
}

static const char *write_and_read(size_t index, void *user)
{
	struct http_client *client = http_client_open(user, NULL);
	const char *failure = NULL;
	char target[64], value[32];

	(void)snprintf(target, sizeof(target), "/cache/ns/own%zu", index % 8);
	for (int i = 0; i < 40 && !failure; i++) {
		(void)snprintf(value, sizeof(value), "%zu %d", index, i);
		if (http_put(client, target, slice_of(value))->status / 100 != 2)
			failure = "a put failed";
		if (index < 8 && !failure) {
			const struct http_answer *answer = http_get(client, target);

			if (!slice_equal(http_body(answer), slice_of(value)))
				failure = "a get did not see the put before it";
		}
	}
	http_client_close(client);
	return failure;
}

Test(d1_worker, a_write_that_is_done_is_seen)
{
	d1_scene_start();
	/* Eight writers, each with a key of its own. */
	cr_assert_null(in_threads(8, write_and_read, scene.server.url));
	scene_stop();
}

/* Without waiting for answers: sets of one key on one connection one after the other. One thread
 * takes them in the order in which they arrive, however busy the machine is. */
Test(d1_worker, writes_of_a_key_are_not_reordered)
{
	scene_env("STEADYCACHE_D1_MAX_IN_FLIGHT=8");
	scene_env("STEADYCACHE_THREADS=1");
	d1_scene_start();
	mock_next(upstream, 1, (struct mock_reply){.behaviour = MOCK_SERVE, .delay_ms = 1000});
	struct raw_socket sockets[6];
	for (int i = 0; i < 6; i++) {
		cr_assert(raw_open(&sockets[i], scene.server.url));
		cr_assert(raw_send_text(&sockets[i],
					"PUT /cache/ns/ordered HTTP/1.1\r\nHost: 127.0.0.1\r\n"
					"Content-Length: 1\r\n\r\n%d",
					i));
		nap_ms(20);
	}
	for (int i = 0; i < 6; i++) {
		int status = raw_await_answer(&sockets[i], 10000);

		cr_expect_eq(status, i == 0 ? 201 : 204, "%d: %s", status, sockets[i].received);
		raw_close(&sockets[i]);
	}
	expect_body(scene_get("ordered"), SLICE("5"));
	scene_stop();
}

Test(d1_worker, a_batch_is_one_request)
{
	d1_scene_start();
	expect_status(scene_put("first", "v"), 201); /* the settings are known after it */
	mock_forget(upstream);
	expect_status(http_post_json(scene.client, "/batch/ns/set",
				     "{\"items\":[{\"key\":\"a\",\"value\":\"1\"},"
				     "{\"key\":\"b\",\"value\":\"2\"}]}"),
		      200);
	expect_body(http_post_json(scene.client, "/api/batch/get",
				   "{\"cache_name\":\"ns\",\"keys\":[\"a\",\"b\",\"c\"]}"),
		    SLICE("{\"results\":{\"a\":{\"found\":true,\"value\":\"1\"},"
			  "\"b\":{\"found\":true,\"value\":\"2\"},\"c\":{\"found\":false}}}"));
	cr_expect_eq(mock_requests(upstream), 2);
	scene_stop();
}

/* ---- Imports ---- */

/* The mock is of a version without histories. */
Test(d1_worker, import_tells_of_lost_histories)
{
	d1_scene_start();
	const struct http_answer *answer = http_post(
		scene.client, "/import",
		SLICE("{\"namespace\":\"ns\",\"key\":\"a\",\"value\":\"1\",\"frequency\":5}\n"
		      "{\"namespace\":\"ns\",\"key\":\"b\",\"value\":\"2\",\"frequency\":6}\n"));
	expect_status(answer, 200);
	expect_body(answer, SLICE("{\"imported\":2,\"failed\":0,\"expired\":0,"
				  "\"history_left_out\":2,\"errors\":[],\"errors_left_out\":0,"
				  "\"complete\":false}"));
	cr_expect_gt(mock_count(upstream, "\"history\":{\"frequency\":5,"), 0);
	expect_body(scene_get("b"), SLICE("2"));
	scene_stop();
}

Test(d1_worker, import_ends_where_the_upstream_is_down)
{
	d1_scene_start();
	mock_close(upstream);
	upstream = NULL;
	const struct http_answer *answer =
		http_post(scene.client, "/import",
			  SLICE("{\"namespace\":\"ns\",\"key\":\"a\",\"value\":\"1\"}\nbad\n"));
	expect_that(answer, answer->status == 503 || answer->status == 504, "expected a failure");
	expect_header(answer, "Content-Type", "application/problem+json");
	expect_that(answer, strstr(answer->body, "\"imported\":0,\"failed\":") != NULL,
		    "expected the counts");
	scene_stop();
}
