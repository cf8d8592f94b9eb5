/* Two server processes on one data directory. */
#include "tests/process/scene.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct server_process second;
static struct http_client *other;

static void open_both(void)
{
	scene_open();
	second = (struct server_process){.data_dir = scene.data_dir};
	scene_start();
	server_start(&second);
	other = http_client_open(second.url, NULL);
}

static void close_both(void)
{
	http_client_close(other);
	server_dispose(&second);
	scene_close();
}

TestSuite(shared_file, .init = open_both, .fini = close_both, .timeout = 180);

static void stop_both(void)
{
	scene_stop();
	cr_assert(server_stop(&second));
}

Test(shared_file, writes_of_one_are_read_by_the_other_at_once)
{
	for (int i = 0; i < 200; i++) {
		struct http_client *writer = i % 2 ? other : scene.client;
		struct http_client *reader = i % 2 ? scene.client : other;
		char value[32];

		(void)snprintf(value, sizeof(value), "value %d", i);
		expect_status(http_put(writer, "/cache/ns/k", slice_of(value)), i ? 204 : 201);
		expect_body(http_get(reader, "/cache/ns/k"), slice_of(value));
		expect_body(http_get(writer, "/cache/ns/k"), slice_of(value));
	}
	expect_status(http_delete(scene.client, "/cache/ns/k"), 204);
	expect_status(http_get(other, "/cache/ns/k"), 404);
	expect_status(http_get(scene.client, "/cache/ns/k"), 404);
	stop_both();
}

/* Each server has its own leases. When the holder of a lease reads what was set through the other
 * server, all who wait get it. */
Test(shared_file, values_of_the_other_server_end_a_wait_with_the_next_lease)
{
	static const char *const wishes[] = {"wait=100&lease=100", "wait=100", "wait=100&lease=50"};
	struct raw_socket waiting[3];
	const struct http_answer *answer = NULL;
	char *token = NULL;
	char header[80];

	expect_status(scene_put("other", "x"),
		      201); /* misses are counted only in an existing namespace */
	answer = http_get(scene.client, "/cache/ns/k?lease=100");
	expect_status(answer, 404);
	token = strndup(http_header(answer, "Lease"), 32);
	for (int i = 0; i < 3; i++) {
		cr_assert(raw_open(&waiting[i], scene.server.url));
		cr_assert(raw_send_text(&waiting[i],
					"GET /cache/ns/k?%s HTTP/1.1\r\nHost: localhost\r\n\r\n",
					wishes[i]));
	}
	cr_assert(await_condition(scene_stat("misses") >= 4, 30000));
	expect_status(http_put(other, "/cache/ns/k", SLICE("value")), 201);
	(void)snprintf(header, sizeof(header), "Lease: %s", token);
	expect_status(http_delete(scene.client, "/cache/ns/k", header), 204);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(raw_await_answer(&waiting[i], 30000), 200, "%s", waiting[i].received);
		cr_assert(strstr(waiting[i].received, "value") != NULL);
		raw_close(&waiting[i]);
	}
	free(token);
	stop_both();
}

/* One server has the entry in memory when the other changes it, in every possible way. */
Test(shared_file, what_one_has_read_the_other_may_change)
{
	for (int i = 0; i < 120; i++) {
		struct http_client *writer = i % 2 ? other : scene.client;
		struct http_client *reader = i % 2 ? scene.client : other;
		char value[32];

		(void)snprintf(value, sizeof(value), "value %d", i);
		(void)http_put(writer, "/cache/ns/k", slice_of(value));
		for (int k = 0; k < 3; k++)
			expect_body(http_get(reader, "/cache/ns/k"), slice_of(value));
		if (i % 4 == 0)
			expect_status(http_delete(writer, "/cache/ns/k"), 204);
		else if (i % 4 == 1)
			expect_status(http_delete(writer, "/cache/ns?all"), 204);
		else if (i % 4 == 2)
			expect_status(http_delete(writer, "/cache/ns?prefix=k"), 204);
		else
			expect_status(http_put(writer, "/cache/ns/k", SLICE("new")), 204);
		if (i % 4 == 3) {
			expect_body(http_get(reader, "/cache/ns/k"), SLICE("new"));
		} else {
			expect_status(http_get(reader, "/cache/ns/k"), 404);
			expect_status(http_get(writer, "/cache/ns/k"), 404);
		}
	}
	cr_assert_gt(scene_stat("hits"), 0);
	stop_both();
}

Test(shared_file, totals_and_settings_are_shared)
{
	expect_status(http_post_json(scene.client, "/api/init",
				     "{\"cache_name\":\"ns\",\"max_size_mb\":0.01}"),
		      200);
	for (int i = 0; i < 60; i++) {
		char target[32], value[301];

		(void)snprintf(target, sizeof(target), "/cache/ns/k%d", i);
		memset(value, 'v', 300);
		value[300] = '\0';
		expect_status(http_put(i % 2 ? other : scene.client, target, slice_of(value)), 201);
		scene_expect_true_totals(i % 2 ? scene.client : other);
		cr_assert_leq(scene_stat("total_size"), 10485, "the limit does not hold");
	}
	expect_status(http_delete(other, "/cache/ns?all"), 204);
	cr_assert_eq(scene_stat("entry_count"), 0);
	scene_expect_true_totals(scene.client);
	expect_status(
		http_post_json(other, "/api/init", "{\"cache_name\":\"ns\",\"max_size_mb\":1}"),
		200);
	cr_assert_eq(scene_stat("max_size_bytes"), 1048576);
	stop_both();
}

Test(shared_file, conditions_hold_across_processes)
{
	const char *etag;
	char condition[128];

	expect_status(http_put(scene.client, "/cache/ns/k", SLICE("1"), "If-None-Match: *"), 201);
	expect_status(http_put(other, "/cache/ns/k", SLICE("2"), "If-None-Match: *"), 412);
	etag = http_header(http_get(other, "/cache/ns/k"), "ETag");
	(void)snprintf(condition, sizeof(condition), "If-Match: %s", etag);
	expect_status(http_put(scene.client, "/cache/ns/k", SLICE("3"), condition), 204);
	expect_status(http_put(other, "/cache/ns/k", SLICE("4"), condition), 412);
	stop_both();
}

struct load {
	atomic_uint writes;
};

static const char *load_both(size_t index, void *user)
{
	struct load *load = user;
	struct http_client *client =
		http_client_open(index % 2 ? second.url : scene.server.url, NULL);
	const char *failure = NULL;

	for (unsigned i = 0; i < 250 && !failure; i++) {
		char target[64], value[200];
		const struct http_answer *answer;

		(void)snprintf(target, sizeof(target), "/cache/ns/k%u",
			       (i * 13 + (unsigned)index) % 90);
		memset(value, 'a' + (int)(i % 26), sizeof(value));
		if (i % 3 == 0) {
			answer = http_get(client, target);
			if (answer->status != 200 && answer->status != 404)
				failure = "a get failed";
		} else if (i % 11 == 0) {
			answer = http_delete(client, target);
			if (answer->status != 204 && answer->status != 404)
				failure = "a delete failed";
		} else {
			answer = http_put(client, target,
					  ((struct slice){value, 20 + i % sizeof(value) % 180}));
			if (answer->status != 201 && answer->status != 204)
				failure = "a put failed";
			atomic_fetch_add(&load->writes, 1);
		}
		if (failure)
			(void)fprintf(stderr, "%s\n", http_explain(answer, "%s", failure));
	}
	http_client_close(client);
	return failure;
}

Test(shared_file, both_under_load)
{
	struct load load = {0};
	const char *failure = in_threads(8, load_both, &load);
	char *verdict;

	cr_assert(failure == NULL, "%s", failure);
	scene_expect_true_totals(scene.client);
	scene_expect_true_totals(other);
	/* After a sync one process sees the uses that the other held back. */
	expect_that(http_post(scene.client, "/sync", NO_BODY), answer_->status / 100 == 2,
		    "success");
	expect_that(http_post(other, "/sync", NO_BODY), answer_->status / 100 == 2, "success");
	stop_both();
	verdict = scene_check_database();
	cr_assert_str_eq(verdict, "ok", "integrity_check: %s", verdict);
	free(verdict);
}

static void keep_or_die(bool die)
{
	struct load load = {0};
	const char *failure;

	if (die)
		server_kill(&second);
	else
		cr_assert(server_stop(&second));
	server_start(&second);
	http_client_close(other);
	other = http_client_open(second.url, NULL);
	failure = in_threads(4, load_both, &load);
	cr_assert(failure == NULL, "%s", failure);
	scene_expect_true_totals(scene.client);
	scene_expect_true_totals(other);
}

Test(shared_file, one_may_come_and_go)
{
	keep_or_die(false);
	keep_or_die(true);
	keep_or_die(true);
	stop_both();
}
