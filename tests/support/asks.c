#include "tests/support/asks.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends/remote/backoff.h"

struct fake_upstream *fake;
struct ask asks[ASKS_MAX];
static size_t ask_count;
int64_t start_us;

void ask_note_done(struct cache_op *op)
{
	struct ask *ask = op->user;

	cr_assert_eq(ask->done_us, 0, "done once");
	ask->done_us = fake->now_us;
}

void ask_open(enum fake_kind kind)
{
	fake = fake_open(kind);
	start_us = fake->now_us;
	ask_count = 0;
}

void ask_close(void)
{
	fake_close(fake);
	for (size_t i = 0; i < ask_count; i++) {
		struct cache_op *op = &asks[i].op;

		for (size_t at = 0; op->type == CACHE_OP_SET && at < op->item_count; at++)
			cache_value_release(op->items[at].value);
		cr_expect_neq(asks[i].done_us, 0, "op %zu was never done", i);
		cache_op_deinit(op);
		if (op->items != &op->one)
			free(op->items);
	}
}

struct ask *ask_make(enum cache_op_type type, const char *ns, const char *key, const char *value)
{
	struct ask *ask = &asks[ask_count++];

	cr_assert_leq(ask_count, ASKS_MAX);
	*ask = (struct ask){0};
	cache_op_init(&ask->op, type);
	(void)snprintf(ask->key, sizeof(ask->key), "%s", key);
	ask->op.ns = slice_of(ns);
	ask->op.one.key = slice_of(ask->key);
	if (type == CACHE_OP_SET)
		ask->op.one.value = cache_value_copy(slice_of(value), SLICE(CONTENT_TYPE_TEXT));
	ask->op.limit = 1;
	ask->op.done = ask_note_done;
	ask->op.user = ask;
	return ask;
}

struct ask *ask_submit(struct ask *ask)
{
	remote_engine_submit(&fake->engine, &ask->op);
	return ask;
}

struct ask *ask_get(const char *key)
{
	return ask_submit(ask_make(CACHE_OP_GET, "n", key, NULL));
}

struct ask *ask_set(const char *key, const char *value)
{
	return ask_submit(ask_make(CACHE_OP_SET, "n", key, value));
}

/* A batch of keys "a", "b", ... */
struct ask *ask_batch(enum cache_op_type type, size_t count)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
	struct ask *ask = ask_make(type, "n", "", NULL);

	cache_value_release(ask->op.one.value);
	ask->op.items = calloc(count, sizeof(*ask->op.items));
	ask->op.item_count = count;
	for (size_t i = 0; i < count; i++) {
		ask->op.items[i].key = (struct slice){.data = &letters[i], .len = 1};
		if (type == CACHE_OP_SET)
			ask->op.items[i].value =
				cache_value_copy(ask->op.items[i].key, SLICE(CONTENT_TYPE_TEXT));
	}
	return ask_submit(ask);
}

void ask_expect_sent(size_t i, int64_t after_us, const char *body)
{
	cr_assert_lt(i, fake->sent_count, "request %zu was not sent", i);
	cr_expect_eq(fake->sent[i].at_us - start_us, after_us, "request %zu was sent at %lld us", i,
		     (long long)(fake->sent[i].at_us - start_us));
	cr_expect_str_eq(fake->sent[i].body, body, "request %zu is \"%s\"", i, fake->sent[i].body);
}

void ask_expect_done(const struct ask *ask, enum cache_status status, int64_t after_us)
{
	cr_expect_eq(ask->op.status, status, "%d", ask->op.status);
	cr_expect_eq(ask->done_us - start_us, after_us, "done at %lld us",
		     (long long)(ask->done_us - start_us));
}

/* The wait before try number attempt + 1, as the engine will draw it; *random is its state. */
int64_t ask_backoff_us(uint64_t *random, unsigned attempt)
{
	return remote_backoff_us(attempt, remote_backoff_random(random));
}

const struct fake_reply ask_hangs = {.what = FAKE_HANGS};
const struct fake_reply ask_fails_500 = {.what = FAKE_ANSWERS, .status = 500};
const struct fake_reply ask_refuses = {.what = FAKE_FAILS, .failure = FAILURE_CONNECT};
const struct fake_reply ask_breaks_off = {.what = FAKE_FAILS, .failure = FAILURE_RESET};

struct fake_reply ask_serves_after(int64_t us)
{
	return (struct fake_reply){.delay_us = us};
}
