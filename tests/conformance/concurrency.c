/* Many clients at once: one winner of each race, no lost write, no wrong value. */
#include "tests/conformance/conformance.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

CONFORMANCE_SUITE(concurrency);

#define THREADS 8
#define ROUNDS  40

struct race {
	pthread_barrier_t barrier;
	atomic_uint winners[ROUNDS];
	atomic_uint losers[ROUNDS];
	atomic_uint winner[ROUNDS];
	bool create; /* If-None-Match: * on a new key each round, else If-Match on one key */
};

/* All threads write at the same moment, each on the condition that nobody else has written. */
static const char *race(size_t index, void *user)
{
	struct race *shared = user;
	struct http_client *mine = http_client_open(server_url, api_key);
	const char *failure = NULL;

	for (unsigned round = 0; round < rounds_of(ROUNDS); round++) {
		const char *path = entry_path(shared->create ? quoted("k%u", round) : "k");
		const char *value = quoted("%u by %zu", round, index);
		const char *condition = "If-None-Match: *";
		const struct http_answer *answer;

		if (!shared->create) {
			const char *etag = http_header(http_head(mine, path), "ETag");

			condition = quoted("If-Match: %s", etag ? etag : "\"none\"");
		}
		/* Nobody may write before all have read. */
		(void)pthread_barrier_wait(&shared->barrier);
		answer = http_put(mine, path, slice_of(value), condition);
		if (answer->status == (shared->create ? 201 : 204)) {
			atomic_fetch_add(&shared->winners[round], 1);
			atomic_store(&shared->winner[round], (unsigned)index);
		} else if (answer->status == 412) {
			atomic_fetch_add(&shared->losers[round], 1);
		} else {
			failure = "a status that is neither success nor 412";
		}
		(void)pthread_barrier_wait(&shared->barrier);
		value = quoted("%u by %u", round, atomic_load(&shared->winner[round]));
		if (!slice_equal(http_body(http_get(mine, path)), slice_of(value)))
			failure = "the value is not the winner's";
		(void)pthread_barrier_wait(&shared->barrier);
	}
	http_client_close(mine);
	return failure;
}

static void run_race(bool create)
{
	static struct race shared;
	const char *failure;

	shared.create = create;
	cr_assert(pthread_barrier_init(&shared.barrier, NULL, THREADS) == 0);
	if (!create)
		expect_status(http_put(client, entry_path("k"), SLICE("start")), 201);
	failure = in_threads(THREADS, race, &shared);
	cr_assert(failure == NULL, "%s", failure);
	for (unsigned round = 0; round < rounds_of(ROUNDS); round++) {
		cr_assert_eq(atomic_load(&shared.winners[round]), 1, "round %u: %u winners", round,
			     atomic_load(&shared.winners[round]));
		cr_assert_eq(atomic_load(&shared.losers[round]), THREADS - 1);
	}
	(void)pthread_barrier_destroy(&shared.barrier);
}

Test(concurrency, compare_and_set_has_one_winner)
{
	run_race(false);
}

Test(concurrency, create_only_has_one_winner)
{
	run_race(true);
}

/* A counter kept by compare-and-set: every success counts exactly once. */
static const char *count_up(size_t index, void *user)
{
	struct http_client *mine = http_client_open(server_url, api_key);
	const char *path = quoted("%s", entry_path("counter")), *failure = NULL;
	atomic_uint *total = user;

	(void)index;
	for (unsigned done = 0; done < rounds_of(20) && !failure;) {
		const struct http_answer *answer = http_get(mine, path);
		char next[16], condition[160];

		(void)snprintf(next, sizeof(next), "%d", atoi(answer->body) + 1);
		(void)snprintf(condition, sizeof(condition), "If-Match: %s",
			       http_header(answer, "ETag") ? http_header(answer, "ETag") : "");
		answer = http_put(mine, path, slice_of(next), condition);
		if (answer->status == 204) {
			atomic_fetch_add(total, 1);
			done++;
		} else if (answer->status != 412) {
			failure = "a status that is neither 204 nor 412";
		}
	}
	http_client_close(mine);
	return failure;
}

Test(concurrency, a_counter_loses_no_increment)
{
	atomic_uint total = 0;
	const char *failure;

	expect_status(http_put(client, entry_path("counter"), SLICE("0")), 201);
	failure = in_threads(THREADS, count_up, &total);
	cr_assert(failure == NULL, "%s", failure);
	cr_assert_eq(atomic_load(&total), THREADS * rounds_of(20));
	expect_body(http_get(client, entry_path("counter")),
		    slice_of(quoted("%u", THREADS * rounds_of(20))));
}

/* Writes on one connection, reads on another. */
static const char *write_and_read(size_t index, void *user)
{
	struct http_client *writer = http_client_open(server_url, api_key);
	struct http_client *reader = http_client_open(server_url, api_key);
	const char *failure = NULL;

	(void)user;
	for (unsigned i = 0; i < rounds_of(100) && !failure; i++) {
		const char *path = entry_path(quoted("k%zu", index));
		const char *value = quoted("%zu:%u", index, i);
		const struct http_answer *answer = http_put(writer, path, slice_of(value));

		if (answer->status / 100 != 2)
			failure = "a put failed";
		else if (!slice_equal(http_body(http_get(reader, path)), slice_of(value)))
			failure = "a read on another connection missed an acknowledged write";
		if (i % 10 == 9 && (http_delete(writer, path)->status != 204 ||
				    http_get(reader, path)->status != 404))
			failure = "a read on another connection missed an acknowledged delete";
	}
	http_client_close(writer);
	http_client_close(reader);
	return failure;
}

Test(concurrency, read_your_writes_over_other_connections)
{
	const char *failure = in_threads(THREADS, write_and_read, NULL);

	cr_assert(failure == NULL, "%s", failure);
}

/* A value that shows whether it is complete: its key and a number, repeated up to `len`. */
static void fill_value(char *value, size_t len, unsigned key, unsigned version)
{
	char unit[32];
	size_t unit_len = (size_t)snprintf(unit, sizeof(unit), "[%u:%u]", key, version);

	for (size_t i = 0; i < len; i++)
		value[i] = unit[i % unit_len];
}

static bool is_whole(const struct http_answer *answer, unsigned wanted_key)
{
	unsigned key = 0, version = 0;
	char expected[4096];

	if (answer->len >= sizeof(expected) ||
	    sscanf(answer->body, "[%u:%u]", &key, &version) != 2 || key != wanted_key)
		return false;
	fill_value(expected, answer->len, key, version);
	return memcmp(expected, answer->body, answer->len) == 0;
}

static const char *mixed_load(size_t index, void *user)
{
	struct http_client *mine = http_client_open(server_url, api_key);
	unsigned state = (unsigned)index * 7919 + 1;
	const char *failure = NULL;

	(void)user;
	for (unsigned i = 0; i < rounds_of(300) && !failure; i++) {
		unsigned key;
		const char *path;
		const struct http_answer *answer;
		char value[4096];
		size_t len;

		state = state * 1664525 + 1013904223;
		key = (state >> 8) % 50;
		len = 40 + (state >> 16) % 4000;
		path = entry_path(quoted("k%u", key));
		switch ((state >> 4) % 8) {
		case 0:
		case 1:
		case 2:
			fill_value(value, len, key, i);
			answer = http_put(mine, path, ((struct slice){value, len}));
			if (answer->status != 201 && answer->status != 204)
				failure = "a put failed";
			break;
		case 3:
			answer = http_delete(mine, path);
			if (answer->status != 204 && answer->status != 404)
				failure = "a delete failed";
			break;
		case 4:
			fill_value(value, 60, key, i);
			answer = http_post_json(
				mine, "/api/batch/set",
				quoted("{'cache_name':'%s','items':[{'key':'k%u','value':'%.60s'},"
				       "{'key':'x%zu','value':'%u'}]}",
				       ns, key, value, index, i));
			if (answer->status != 200)
				failure = "a batch failed";
			break;
		default:
			answer = http_get(mine, path);
			if (answer->status != 404 &&
			    (answer->status != 200 || !is_whole(answer, key)))
				failure = "a get gave a value that nobody set";
			break;
		}
	}
	http_client_close(mine);
	return failure;
}

Test(concurrency, mixed_load)
{
	const char *failure = in_threads(THREADS, mixed_load, NULL);

	cr_assert(failure == NULL, "%s", failure);
	cr_assert_leq(d1_stat("entry_count"), 50 + THREADS);
}

Test(concurrency, mixed_load_under_eviction)
{
	const unsigned limit = partitions() == 1 ? 30000 : 6000 * partitions();
	const char *failure;

	requires_feature("limits");
	must_init_bytes(limit);
	failure = in_threads(THREADS, mixed_load, NULL);
	cr_assert(failure == NULL, "%s", failure);
	cr_assert_leq(d1_stat("used_bytes"), limit);
}

/* Puts that come together are refused each by itself. */
static const char *refused_puts(size_t index, void *user)
{
	struct http_client *mine = http_client_open(server_url, api_key);
	const char *word = partitions() > 1 ? "share of its partition" : "the limit";
	const char *failure = NULL;
	char value[5001] = "";

	(void)user;
	for (unsigned i = 0; i < rounds_of(ROUNDS) && !failure; i++) {
		const struct http_answer *answer =
			http_put(mine, entry_path(quoted("k%zu-%u", index, i)),
				 ((struct slice){value, sizeof(value)}));

		if (answer->status != 413 || !error_mentions(answer, word, true))
			failure = "a put was not refused with 413 and the reason";
	}
	http_client_close(mine);
	return failure;
}

Test(concurrency, refused_puts_say_why)
{
	const char *failure;

	requires_feature("limits");
	must_init_bytes(5000 * partitions());
	must_set("kept", "v");
	failure = in_threads(THREADS, refused_puts, NULL);
	cr_assert(failure == NULL, "%s", failure);
	cr_assert_eq(d1_stat("entry_count"), 1);
}
