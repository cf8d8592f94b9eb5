/* Thousands of operations over an upstream that may do anything: each is done once and in time, and
 * the writes of a key arrive in order. In virtual time, the same in each run. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/asks.h"
#include "tests/support/random.h"

#define SOAK_OPS   4000
#define SOAK_KEYS  6
#define SOAK_SLOTS 48

static struct fake_reply any_reply(void)
{
	struct fake_reply reply = {.delay_us = (int64_t)random_below(30 * MS)};
	uint64_t dice = random_below(100);

	if (dice < 70)
		return reply;
	reply.what = dice < 85 ? FAKE_FAILS : FAKE_ANSWERS;
	reply.failure = dice < 74 ? FAILURE_CONNECT : FAILURE_RESET;
	reply.was_served = dice < 80;
	reply.status = dice < 92 ? 500 : 429;
	reply.retry_after_s = dice >= 97;
	if (dice == 99)
		reply = ask_hangs;
	return reply;
}

struct soak_key {
	unsigned set;     /* the last value that was submitted */
	unsigned settled; /* the last value that was answered with OK */
};

struct soak_op {
	struct ask ask;
	struct soak_key *key;
	unsigned value;   /* of a set */
	unsigned settled; /* of its key when it was submitted */
	int64_t submitted_us;
	bool is_used;
};

static unsigned number_of(const struct cache_value *value)
{
	struct slice text = cache_value_bytes(value);
	unsigned number = 0;

	for (size_t i = 0; i < text.len; i++)
		number = number * 10 + (unsigned)(text.data[i] - '0');
	return number;
}

static void check_soaked(struct soak_op *soak)
{
	struct cache_op *op = &soak->ask.op;
	unsigned found = 0;

	cr_assert_leq(soak->ask.done_us,
		      soak->submitted_us + fake->settings.timeout_us + PLAN_EXPIRE_STEP_US);
	if (op->type == CACHE_OP_SET && op->status == CACHE_OK && soak->key->settled < soak->value)
		soak->key->settled = soak->value;
	if (op->type == CACHE_OP_GET && op->status == CACHE_OK)
		found = number_of(op->one.value);
	/* Writes of a key arrive in order, so what is found never goes back. */
	if (op->type == CACHE_OP_GET && (op->status == CACHE_OK || op->status == CACHE_NOT_FOUND)) {
		cr_assert_geq(found, soak->settled, "%u was found after %u", found, soak->settled);
		cr_assert_leq(found, soak->key->set);
	}
	if (op->type == CACHE_OP_SET)
		cache_value_release(op->one.value);
	cache_op_deinit(op);
	soak->is_used = false;
}

static void start_soaked(struct soak_op *soak, struct soak_key *keys)
{
	size_t i = random_below(SOAK_KEYS);
	char text[16];
	enum cache_op_type type = random_below(2) ? CACHE_OP_SET : CACHE_OP_GET;

	*soak = (struct soak_op){.key = &keys[i], .submitted_us = fake->now_us, .is_used = true};
	cache_op_init(&soak->ask.op, type);
	(void)snprintf(soak->ask.key, sizeof(soak->ask.key), "k%zu", i);
	soak->ask.op.ns = SLICE("n");
	soak->ask.op.one.key = slice_of(soak->ask.key);
	soak->ask.op.done = ask_note_done;
	soak->ask.op.user = &soak->ask;
	soak->settled = keys[i].settled;
	if (type == CACHE_OP_SET) {
		soak->value = ++keys[i].set;
		(void)snprintf(text, sizeof(text), "%u", soak->value);
		soak->ask.op.one.value = cache_value_copy(slice_of(text), SLICE(CONTENT_TYPE_TEXT));
	}
	remote_engine_submit(&fake->engine, &soak->ask.op);
}

static void soak(void)
{
	static struct soak_op ops[SOAK_SLOTS];
	struct soak_key keys[SOAK_KEYS] = {0};
	unsigned started = 0;

	fake->choose = any_reply;
	fake->settings.timeout_us = 800 * MS;
	fake->engine.breaker.threshold = 12;
	while (started < SOAK_OPS) {
		struct soak_op *op = &ops[random_below(SOAK_SLOTS)];

		if (!op->is_used) {
			start_soaked(op, keys);
			started++;
		}
		if (random_below(3) == 0)
			fake_run(fake, (int64_t)random_below(8 * MS));
		for (size_t i = 0; i < SOAK_SLOTS; i++)
			if (ops[i].is_used && ops[i].ask.done_us > 0)
				check_soaked(&ops[i]);
	}
	fake_run(fake, 2 * S);
	for (size_t i = 0; i < SOAK_SLOTS; i++)
		if (ops[i].is_used)
			check_soaked(&ops[i]);
	fake->choose = NULL;
	fake_run(fake, 2 * S);
	cr_expect(fake_is_idle(fake));
	cr_expect_gt(keys[0].settled, 100);
}

Test(remote_soak, each_op_is_done_in_time_and_in_order)
{
	ask_open(FAKE_LINES);
	soak();
	ask_close();
}

Test(remote_soak, in_parts_too)
{
	ask_open(FAKE_PARTS);
	soak();
	ask_close();
}
