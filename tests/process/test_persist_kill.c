/* kill -9 under load on memory that persists: each entry has a value that was acknowledged, and
 * nothing is lost that was acknowledged more than the interval and some slack before the kill. A
 * stop loses nothing. */
#include "tests/process/scene.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

PROCESS_SUITE(persist_kill);

#define WRITERS 4
#define KEYS    50 /* of each writer */
#define ROUNDS  3
/* --persist-every is 200 ms; the rest is for a flush on a busy machine. */
#define SLACK_MS 3000

struct key_state {
	unsigned begun, acknowledged; /* versions, from 1 on; 0: none */
	unsigned old_version;         /* the last one that was acknowledged long before the kill */
	long long acknowledged_at_ms[8]; /* of the latest versions, by version % 8 */
};

static struct key_state states[WRITERS][KEYS];
static _Atomic unsigned writes;
static long long killed_at_ms;

static void fill(char value[400], size_t thread, unsigned key, unsigned version)
{
	int len = snprintf(value, 400, "%zu/%u/%u ", thread, key, version);

	memset(value + len, 'a' + (int)(version % 26), 300);
	value[len + 300] = '\0';
}

/* When the load ends. */
struct goal {
	unsigned writes;
	long long until_ms;
};

static const char *write_or_kill(size_t index, void *user)
{
	const struct goal *goal = user;
	struct http_client *client = http_client_open(scene.server.url, NULL);
	char target[64], value[400];

	if (index == WRITERS) {
		(void)await_condition(atomic_load(&writes) >= goal->writes &&
					      steady_now_ms() >= goal->until_ms,
				      60000);
		killed_at_ms = steady_now_ms();
		server_kill(&scene.server);
		http_client_close(client);
		return NULL;
	}
	for (unsigned i = 0;; i++) {
		struct key_state *state = &states[index][i % KEYS];
		unsigned version = state->begun + 1;

		(void)snprintf(target, sizeof(target), "/cache/ns/%zu-%u", index, i % KEYS);
		fill(value, index, i % KEYS, version);
		state->begun = version;
		if (http_put(client, target, slice_of(value))->status / 100 != 2)
			break;
		state->acknowledged = version;
		state->acknowledged_at_ms[version % 8] = steady_now_ms();
		atomic_fetch_add(&writes, 1);
	}
	http_client_close(client);
	return NULL;
}

/* The least version that must have survived: the latest of those that are known to be old enough.
 */
static unsigned least_version(const struct key_state *state)
{
	unsigned least = state->old_version;

	for (unsigned i = 0; i < 8 && i < state->acknowledged; i++) {
		unsigned version = state->acknowledged - i;

		if (version > state->old_version &&
		    state->acknowledged_at_ms[version % 8] < killed_at_ms - SLACK_MS)
			return version;
	}
	return least;
}

/* Reads each key, and goes on with what it has. */
static void expect_survivors(void)
{
	for (size_t thread = 0; thread < WRITERS; thread++)
		for (unsigned key = 0; key < KEYS; key++) {
			struct key_state *state = &states[thread][key];
			unsigned least = least_version(state);
			char name[32], value[400];
			unsigned version = 0;

			(void)snprintf(name, sizeof(name), "%zu-%u", thread, key);
			const struct http_answer *answer = scene_get(name);
			if (answer->status == 200)
				(void)sscanf(answer->body, "%*u/%*u/%u ", &version);
			if (version > 0) {
				fill(value, thread, key, version);
				expect_body(answer, slice_of(value));
			} else {
				expect_status(answer, 404);
			}
			expect_that(answer, version >= least && version <= state->begun,
				    "expected version %u to %u", least, state->begun);
			state->begun = state->acknowledged = state->old_version = version;
		}
}

Test(persist_kill, loses_no_more_than_the_interval)
{
	scene_flag("--backend=memory");
	scene_flag("--persist-every=0.2");
	for (unsigned round = 0; round < ROUNDS; round++) {
		char *verdict;

		scene_start();
		/* In the first round some writes are old enough to be safe. */
		struct goal goal = {
			.writes = atomic_load(&writes) + 1000 + 400 * round,
			.until_ms = steady_now_ms() + (round == 0 ? SLACK_MS + 500 : 0),
		};
		(void)in_threads(WRITERS + 1, write_or_kill, &goal);
		scene_start();
		expect_survivors();
		scene_expect_true_totals(scene.client);
		verdict = scene_check_database();
		cr_assert_str_eq(verdict, "ok", "integrity_check: %s", verdict);
		free(verdict);
		/* A stop loses nothing; nor does a kill after a sync. */
		expect_status(scene_put("stop", round % 2 ? "odd" : "even"),
			      round == 0 ? 201 : 204);
		scene_stop();
		scene_start();
		expect_body(scene_get("stop"), slice_of(round % 2 ? "odd" : "even"));
		expect_status(scene_put("sync", "v"), round == 0 ? 201 : 204);
		expect_status(http_post(scene.client, "/sync", SLICE("")), 204);
		scene_kill();
		scene_start();
		expect_body(scene_get("sync"), slice_of("v"));
		scene_stop();
	}
}

Test(persist_kill, shows_what_a_crash_would_cost)
{
	scene_flag("--backend=memory");
	scene_flag("--persist-every=3600");
	scene_start();
	expect_status(scene_put("k", "v"), 201);
	const struct http_answer *answer = http_get(scene.client, "/metrics");
	expect_that(answer, strstr(answer->body, "steadycache_unpersisted_entries 1\n") != NULL,
		    "expected one unpersisted entry");
	expect_status(http_post(scene.client, "/sync", SLICE("")), 204);
	answer = http_get(scene.client, "/metrics");
	expect_that(answer, strstr(answer->body, "steadycache_unpersisted_entries 0\n") != NULL,
		    "expected no unpersisted entry");
	scene_stop();
}
