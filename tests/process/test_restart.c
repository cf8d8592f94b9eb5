/* What must survive a stop and a start, and how a stop works. */
#include "tests/process/scene.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

PROCESS_SUITE(restart);

static void restart(void)
{
	scene_stop();
	scene_start();
}

/* A header of k, kept until the second next call. */
static const char *header_of(const char *key, const char *name)
{
	static char kept[4][256];
	static unsigned next;
	char *place = kept[next++ % 4];
	const struct http_answer *answer = scene_get(key);
	const char *value = http_header(answer, name);

	expect_status(answer, 200);
	expect_that(answer, value != NULL, "expected %s", name);
	(void)snprintf(place, sizeof(kept[0]), "%s", value);
	return place;
}

/* A member of the listing's first entry. */
static double listed(const char *member)
{
	const struct http_answer *answer = http_get(scene.client, "/cache/ns?limit=1");
	json_auto_t *document = http_json(answer);
	const json_t *entry = json_array_get(json_object_get(document, "keys"), 0);

	expect_status(answer, 200);
	expect_that(answer, json_is_number(json_object_get(entry, member)), "expected %s", member);
	return json_number_value(json_object_get(entry, member));
}

Test(restart, entries_with_types_etags_and_times)
{
	char etag[256];
	time_t modified;

	scene_start();
	expect_status(
		http_put(scene.client, "/cache/ns/k", SLICE("a\0b"), "Content-Type: image/x-y"),
		201);
	expect_status(http_put(scene.client, "/cache/ns/a%00%ff%2F..", SLICE("odd key")), 201);
	expect_status(http_put(scene.client, "/cache/other/k", SLICE("other")), 201);
	(void)snprintf(etag, sizeof(etag), "%s", header_of("k", "ETag"));
	modified = curl_getdate(header_of("k", "Last-Modified"), NULL);
	restart();
	expect_body(scene_get("k"), SLICE("a\0b"));
	cr_assert_str_eq(header_of("k", "Content-Type"), "image/x-y");
	cr_assert_str_eq(header_of("k", "ETag"), etag);
	/* Soon after the write it is the second's beginning, later its end. */
	cr_assert(labs((long)(curl_getdate(header_of("k", "Last-Modified"), NULL) - modified)) <=
		  1);
	expect_body(scene_get("a%00%ff%2F.."), SLICE("odd key"));
	expect_body(http_get(scene.client, "/cache/other/k"), SLICE("other"));
	scene_expect_true_totals(scene.client);
	scene_stop();
}

Test(restart, time_to_live)
{
	long before, after;

	scene_start();
	expect_status(scene_put("k?ttl=1000", "v"), 201);
	expect_status(scene_put("short?ttl=1", "v"), 201);
	before = atol(header_of("k", "Cache-Status") + strlen("steadycache; hit; ttl="));
	restart();
	after = atol(header_of("k", "Cache-Status") + strlen("steadycache; hit; ttl="));
	cr_assert(after <= before && after > before - 60, "ttl %ld, then %ld", before, after);
	/* It expires whether a server runs or not. */
	cr_assert(await_condition(scene_get("short")->status == 404, 10000));
	scene_stop();
}

Test(restart, settings)
{
	const struct http_answer *answer;

	scene_start();
	expect_that(http_put_json(scene.client, "/cache/ns",
				  "{\"max_size_mb\":2,\"capacity\":3,\"default_ttl\":500,"
				  "\"eviction\":\"lru\"}"),
		    answer_->status / 100 == 2, "expected success");
	expect_status(http_post_json(scene.client, "/api/init",
				     "{\"cache_name\":\"init\",\"max_size_mb\":0.5}"),
		      200);
	restart();
	cr_assert_eq(scene_stat("max_size_bytes"), 2097152);
	cr_assert_eq(scene_stat("capacity"), 3);
	expect_status(scene_put("a", "1"), 201);
	expect_status(scene_put("b", "1"), 201);
	expect_status(scene_put("c", "1"), 201);
	expect_status(scene_get("a"), 200);
	expect_status(scene_put("d", "1"), 201);
	expect_status(scene_get("b"), 404);
	cr_assert(strstr(header_of("a", "Cache-Control"), "max-age="));
	answer = http_post_json(scene.client, "/api/stats", "{\"cache_name\":\"init\"}");
	expect_that(answer, strstr(answer_->body, "\"max_size_bytes\":524288,") != NULL,
		    "expected the limit of /api/init");
	scene_stop();
}

Test(restart, frequencies)
{
	double accessed;

	scene_start();
	expect_status(scene_put("k", "v"), 201);
	for (int i = 0; i < 6; i++)
		expect_status(scene_get("k"), 200);
	cr_assert_eq(scene_stat("max_frequency"), 7);
	accessed = listed("last_access");
	restart();
	cr_assert_eq(scene_stat("max_frequency"), 7);
	cr_assert_float_eq(listed("last_access"), accessed, 1e-5);
	expect_status(scene_get("k"), 200);
	restart();
	cr_assert_eq(listed("frequency"), 8);
	scene_stop();
}

Test(restart, sync_then_kill_keeps_the_frequencies)
{
	scene_start();
	expect_status(scene_put("k", "v"), 201);
	for (int i = 0; i < 4; i++)
		expect_status(scene_get("k"), 200);
	expect_that(http_post(scene.client, "/sync", NO_BODY), answer_->status / 100 == 2,
		    "expected success");
	scene_kill();
	scene_start();
	cr_assert_eq(scene_stat("max_frequency"), 5);
	scene_stop();
}

Test(restart, a_second_start_touches_nothing)
{
	scene_start();
	expect_status(scene_put("k", "v"), 201);
	for (int i = 0; i < 3; i++)
		restart();
	expect_body(scene_get("k"), SLICE("v"));
	cr_assert_eq(folder_count(scene.data_dir, "steadycache.db.corrupted", NULL), 0);
	scene_stop();
}

Test(restart, sigint_stops_as_sigterm_does)
{
	struct server_exit end;

	scene_start();
	expect_status(scene_put("k", "v"), 201);
	cr_assert(kill(scene.server.pid, SIGINT) == 0);
	end = server_await_exit(&scene.server, 10000);
	cr_assert_eq(end.code, 0, "exit code %d: %s", end.code, end.log);
	free(end.log);
}

/* Requests that are half sent when the signal arrives are still answered. */
Test(restart, a_stop_finishes_what_runs)
{
	struct raw_socket raw[8], late;
	struct server_exit end;

	scene_start();
	for (int i = 0; i < 8; i++) {
		cr_assert(raw_open(&raw[i], scene.server.url));
		cr_assert(raw_send_text(&raw[i],
					"PUT /cache/ns/k%d HTTP/1.1\r\nHost: localhost\r\n"
					"Content-Length: 10\r\nExpect: 100-continue\r\n\r\n",
					i));
		cr_assert(raw_await(&raw[i], "100 Continue\r\n\r\n", 10000));
		cr_assert(raw_send_text(&raw[i], "01234"));
	}
	cr_assert(kill(scene.server.pid, SIGTERM) == 0);
	/* It accepts no more connections. */
	cr_assert(await_condition(({
					  bool open = raw_open(&late, scene.server.url);
					  raw_close(&late);
					  !open;
				  }),
				  8000),
		  "new connections are still accepted");
	for (int i = 0; i < 8; i++) {
		cr_assert(raw_send_text(&raw[i], "56789"));
		cr_assert_eq(raw_await_answer(&raw[i], 10000), 201, "request %d: %s", i,
			     raw[i].received);
		raw_close(&raw[i]);
	}
	end = server_await_exit(&scene.server, 10000);
	cr_assert_eq(end.code, 0, "exit code %d: %s", end.code, end.log);
	free(end.log);
	scene_start();
	for (int i = 0; i < 8; i++) {
		char key[8];

		(void)snprintf(key, sizeof(key), "k%d", i);
		expect_body(scene_get(key), SLICE("0123456789"));
	}
	scene_stop();
}

/* A client that never ends its request must not delay the stop. */
Test(restart, a_stop_does_not_wait_for_ever)
{
	struct raw_socket half, idle;
	struct server_exit end;

	scene_start();
	cr_assert(raw_open(&half, scene.server.url) && raw_open(&idle, scene.server.url));
	cr_assert(raw_send_text(
		&half, "PUT /cache/ns/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n"
		       "Expect: 100-continue\r\n\r\n"));
	cr_assert(raw_await(&half, "100 Continue", 10000));
	cr_assert(kill(scene.server.pid, SIGTERM) == 0);
	end = server_await_exit(&scene.server, 10000);
	cr_assert_eq(end.code, 0, "exit code %d: %s", end.code, end.log);
	free(end.log);
	raw_close(&half);
	raw_close(&idle);
}

struct load {
	atomic_bool stop;
	atomic_uint acknowledged[8];
};

/* Writes until the server is gone; counts the acknowledged writes. */
static const char *write_until_gone(size_t index, void *user)
{
	struct load *load = user;
	struct http_client *client = http_client_open(scene.server.url, NULL);
	const char *failure = NULL;

	if (index == 8) {
		(void)await_condition(atomic_load(&load->acknowledged[0]) > 50, 20000);
		(void)kill(scene.server.pid, SIGTERM);
		http_client_close(client);
		return NULL;
	}
	for (unsigned i = 0;; i++) {
		char target[64], value[32];
		long status;

		(void)snprintf(target, sizeof(target), "/cache/ns/%zu-%u", index, i);
		(void)snprintf(value, sizeof(value), "value %u", i);
		status = http_put(client, target, slice_of(value))->status;
		if (status == 201) {
			atomic_store(&load->acknowledged[index], i + 1);
			continue;
		}
		/* No answer: the connection was closed. Anything else but 503 is wrong. */
		if (status != 0 && status != 503)
			failure = "a request was neither served nor refused";
		break;
	}
	http_client_close(client);
	return failure;
}

Test(restart, a_stop_under_load_loses_nothing_acknowledged)
{
	static struct load load;
	struct server_exit end;
	const char *failure;

	scene_start();
	failure = in_threads(9, write_until_gone, &load);
	cr_assert(failure == NULL, "%s", failure);
	end = server_await_exit(&scene.server, 10000);
	cr_assert_eq(end.code, 0, "exit code %d: %s", end.code, end.log);
	free(end.log);
	scene_start();
	for (unsigned thread = 0; thread < 8; thread++)
		for (unsigned i = 0; i < atomic_load(&load.acknowledged[thread]); i++) {
			char key[32], value[32];

			(void)snprintf(key, sizeof(key), "%u-%u", thread, i);
			(void)snprintf(value, sizeof(value), "value %u", i);
			expect_body(scene_get(key), slice_of(value));
		}
	scene_stop();
}

Test(restart, memory_starts_empty)
{
	scene_env("STEADYCACHE_BACKEND=memory");
	scene_start();
	expect_status(scene_put("k", "v"), 201);
	restart();
	expect_status(scene_get("k"), 404);
	scene_stop();
	cr_assert_eq(file_size(scene.data_dir), -1, "the memory backend made a data directory");
}

Test(restart, a_stop_first_serves_on_without_being_ready)
{
	char *url = scene.server.url;
	long long asked_ms;

	scene_env("STEADYCACHE_DRAIN=1");
	scene_start();
	expect_status(http_get(scene.client, "/readyz"), 200);
	asked_ms = steady_now_ms();
	cr_assert_eq(kill(scene.server.pid, SIGTERM), 0);
	cr_assert(server_await_log(&scene.server, "msg=stopping", 5000));
	const struct http_answer *answer = http_get(scene.client, "/readyz");
	expect_status(answer, 503);
	expect_body(answer, SLICE("failed server: it is about to stop\n"));
	expect_header(answer, "Connection", "close");
	struct http_client *late = http_client_open(url, NULL);
	expect_status(http_put(late, "/cache/ns/k", SLICE("v")), 201);
	http_client_close(late);
	struct server_exit end = server_await_exit(&scene.server, 15000);
	cr_assert_eq(end.code, 0, "%s", end.log);
	cr_assert(steady_now_ms() - asked_ms >= 1000);
	free(end.log);
	scene_start();
	expect_body(scene_get("k"), SLICE("v"));
	scene_stop();
}
