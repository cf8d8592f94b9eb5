/* kill -9 under load: acknowledged writes exist afterwards, and the file is sound. */
#include "tests/process/scene.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

PROCESS_SUITE(kill_9);

#define ROUNDS  5
#define WRITERS 8

struct load {
	unsigned round;
	atomic_uint acknowledged[WRITERS]; /* new keys, from 0 on */
	atomic_uint
		overwritten[WRITERS]; /* the last acknowledged version of the thread's one key */
};

static void fill(char value[700], unsigned round, size_t thread, unsigned number)
{
	int len = snprintf(value, 700, "%u/%zu/%u ", round, thread, number);

	memset(value + len, 'a' + (int)(number % 26), 600);
	value[len + 600] = '\0';
}

static const char *write_or_kill(size_t index, void *user)
{
	struct load *load = user;
	struct http_client *client = http_client_open(scene.server.url, NULL);
	char target[64], value[700];

	if (index == WRITERS) {
		/* In the middle of the load: every writer has had an answer, some have had many. */
		(void)await_condition(atomic_load(&load->acknowledged[0]) >=
						      60 + load->round * 17 &&
					      atomic_load(&load->acknowledged[WRITERS - 1]) > 0,
				      20000);
		server_kill(&scene.server);
		http_client_close(client);
		return NULL;
	}
	for (unsigned i = 0;; i++) {
		(void)snprintf(target, sizeof(target), "/cache/ns/new-%u-%zu-%u", load->round,
			       index, i);
		fill(value, load->round, index, i);
		if (http_put(client, target, slice_of(value))->status != 201)
			break;
		atomic_store(&load->acknowledged[index], i + 1);
		(void)snprintf(target, sizeof(target), "/cache/ns/same-%u-%zu", load->round, index);
		if (http_put(client, target, slice_of(value))->status / 100 != 2)
			break;
		atomic_store(&load->overwritten[index], i + 1);
	}
	http_client_close(client);
	return NULL;
}

static void expect_acknowledged(struct load *load)
{
	char key[64], value[700], next[700];

	for (size_t thread = 0; thread < WRITERS; thread++) {
		unsigned acknowledged = atomic_load(&load->acknowledged[thread]);
		unsigned overwritten = atomic_load(&load->overwritten[thread]);
		const struct http_answer *answer;

		for (unsigned i = 0; i < acknowledged; i++) {
			(void)snprintf(key, sizeof(key), "new-%u-%zu-%u", load->round, thread, i);
			fill(value, load->round, thread, i);
			expect_body(scene_get(key), slice_of(value));
		}
		if (overwritten == 0)
			continue;
		/* The last acknowledged version, or the one in flight. */
		(void)snprintf(key, sizeof(key), "same-%u-%zu", load->round, thread);
		fill(value, load->round, thread, overwritten - 1);
		fill(next, load->round, thread, overwritten);
		answer = scene_get(key);
		expect_status(answer, 200);
		expect_that(answer,
			    strcmp(answer_->body, value) == 0 || strcmp(answer_->body, next) == 0,
			    "expected the acknowledged version %u or the next", overwritten);
	}
}

static void run_rounds(void)
{
	static struct load loads[ROUNDS];

	for (unsigned round = 0; round < ROUNDS; round++) {
		char *verdict;

		loads[round].round = round;
		scene_start();
		(void)in_threads(WRITERS + 1, write_or_kill, &loads[round]);
		scene_start();
		for (unsigned earlier = 0; earlier <= round; earlier++)
			expect_acknowledged(&loads[earlier]);
		scene_expect_true_totals(scene.client);
		verdict = scene_check_database();
		cr_assert_str_eq(verdict, "ok", "integrity_check: %s", verdict);
		free(verdict);
		scene_stop();
	}
	cr_assert_eq(folder_count(scene.data_dir, "steadycache.db.corrupted", NULL), 0);
}

Test(kill_9, loses_no_acknowledged_write)
{
	run_rounds();
}

Test(kill_9, loses_no_acknowledged_write_with_full_durability)
{
	scene_env("STEADYCACHE_DURABILITY=full");
	run_rounds();
}

/* Evictions, deletes and clears change the kept totals, too. */
static const char *churn_or_kill(size_t index, void *user)
{
	struct load *load = user;
	struct http_client *client = http_client_open(scene.server.url, NULL);
	char target[64], value[700];

	if (index == WRITERS) {
		(void)await_condition(atomic_load(&load->acknowledged[0]) >= 200, 20000);
		server_kill(&scene.server);
		http_client_close(client);
		return NULL;
	}
	for (unsigned i = 0;; i++) {
		const struct http_answer *answer;

		(void)snprintf(target, sizeof(target), "/cache/ns/%u",
			       (i * 7 + (unsigned)index) % 400);
		fill(value, 0, index, i);
		answer = i % 9 == 5 ? http_delete(client, target)
				    : http_put(client, target, slice_of(value + i % 300));
		if (index == 3 && i % 150 == 149)
			answer = http_delete(client, "/cache/ns?prefix=1");
		if (answer->status == 0)
			break;
		atomic_store(&load->acknowledged[index], i + 1);
	}
	http_client_close(client);
	return NULL;
}

Test(kill_9, leaves_true_totals)
{
	for (int round = 0; round < 4; round++) {
		static struct load load;
		char *verdict;

		load = (struct load){0};
		scene_start();
		expect_status(http_post_json(scene.client, "/api/init",
					     "{\"cache_name\":\"ns\",\"max_size_mb\":0.1}"),
			      200);
		(void)in_threads(WRITERS + 1, churn_or_kill, &load);
		scene_start();
		scene_expect_true_totals(scene.client);
		cr_assert_leq(scene_stat("total_size"), 104857);
		verdict = scene_check_database();
		cr_assert_str_eq(verdict, "ok", "integrity_check: %s", verdict);
		free(verdict);
		scene_stop();
	}
}

/* A namespace is made (settings, then a batch of entries) and dropped, again and again. */
#define DROPPED_ENTRIES 60

static const char *drop_or_kill(size_t index, void *user)
{
	struct http_client *client = http_client_open(scene.server.url, NULL);
	struct load *load = user;
	char items[8192];
	size_t len = 0;

	if (index == 1) {
		(void)await_condition(atomic_load(&load->acknowledged[0]) >= 3 + 7 * load->round,
				      20000);
		server_kill(&scene.server);
		http_client_close(client);
		return NULL;
	}
	for (unsigned i = 0; i < DROPPED_ENTRIES; i++)
		len += (size_t)snprintf(items + len, sizeof(items) - len,
					"%s{\"key\":\"%u\",\"value\":\"v\"}",
					i ? "," : "{\"items\":[", i);
	(void)snprintf(items + len, sizeof(items) - len, "]}");
	for (unsigned i = 0;; i++) {
		char key[64];

		/* Its new time to live is acknowledged: it holds. */
		(void)snprintf(key, sizeof(key), "/cache/kept/%u-%u", load->round, i);
		if (http_put(client, key, SLICE("v"))->status != 201)
			break;
		(void)snprintf(key, sizeof(key), "/cache/kept/%u-%u?ttl=1000", load->round, i);
		if (http_request(client, "PATCH", key, NO_BODY, HTTP_HEADERS())->status != 204)
			break;
		atomic_store(&load->overwritten[0], i + 1);
		if (http_put_json(client, "/cache/ns", "{\"default_ttl\":77}")->status != 204 ||
		    http_post_json(client, "/batch/ns/set", items)->status != 200 ||
		    http_delete(client, "/cache/ns?drop")->status != 204)
			break;
		atomic_store(&load->acknowledged[0], i + 1);
	}
	http_client_close(client);
	return NULL;
}

Test(kill_9, leaves_a_dropped_namespace_whole_or_gone)
{
	for (unsigned round = 0; round < 4; round++) {
		static struct load load;
		char key[64];

		load = (struct load){.round = round};
		scene_start();
		(void)in_threads(2, drop_or_kill, &load);
		scene_start();
		/* It exists now, if it did not. */
		expect_status(http_put_json(scene.client, "/cache/ns", "{\"stale_ttl\":0}"), 204);
		double entries = scene_stat("entry_count");
		double ttl_s = scene_stat("default_ttl");
		cr_expect(entries == 0 || (entries == DROPPED_ENTRIES && ttl_s == 77),
			  "%g entries, a default of %g s", entries, ttl_s);
		scene_expect_true_totals(scene.client);
		for (unsigned i = 0; i < atomic_load(&load.overwritten[0]); i++) {
			(void)snprintf(key, sizeof(key), "/cache/kept/%u-%u", round, i);
			const struct http_answer *answer = http_get(scene.client, key);
			const char *cache_status = http_header(answer, "Cache-Status");
			expect_that(answer, cache_status && strstr(cache_status, "hit; ttl="),
				    "expected the new time to live");
		}
		(void)http_delete(scene.client, "/cache/ns?drop");
		scene_stop();
	}
}
