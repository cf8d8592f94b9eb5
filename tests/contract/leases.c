/* Leases: one token at a time has the lease on a key, until its time is over, it is given back, or
 * a value comes. */
#define CONTRACT_NEEDS BACKEND_LEASES
#include "tests/contract/support.h"

#include <pthread.h>
#include <stdio.h>

static struct cache_lease ask(struct fixture *f, enum cache_op_type type, struct slice key,
			      const char *token, int64_t ttl_us)
{
	struct cache_op op;

	cache_op_init(&op, type);
	op.ns = NS;
	op.one.key = key;
	op.lease = (struct cache_lease){.token = slice_of(token), .ttl_us = ttl_us};
	cr_assert_eq(backend_call(f->backend, &op), CACHE_OK);
	cr_assert_eq(op.one.status, CACHE_OK);
	cache_op_deinit(&op);
	return op.lease;
}

static enum lease_outcome take(struct fixture *f, const char *key, const char *token, int64_t ttl_s)
{
	return ask(f, CACHE_OP_LEASE_TAKE, slice_of(key), token, ttl_s * US_PER_S).outcome;
}

static enum lease_outcome end(struct fixture *f, const char *key, const char *token)
{
	return ask(f, CACHE_OP_LEASE_END, slice_of(key), token, 0).outcome;
}

CONTRACT_TEST(leases, one_token_has_it)
{
	cr_expect_eq(take(f, "k", "a", 10), LEASE_GRANTED);
	cr_expect_eq(take(f, "k", "b", 10), LEASE_HELD);
	cr_expect_eq(take(f, "k", "", 0), LEASE_HELD);
	cr_expect_eq(take(f, "other", "b", 10), LEASE_GRANTED);
	cr_expect_eq(take(f, "other", "", 0), LEASE_HELD);
	cr_expect_eq(take(f, "third", "", 0), LEASE_FREE);
	cr_expect_eq(take(f, "third", "c", 10), LEASE_GRANTED, "to ask is not to take");
	cr_expect_not(exists(f, SLICE("k")), "a lease is no entry");
}

CONTRACT_TEST(leases, last_for_their_time)
{
	struct cache_lease lease = ask(f, CACHE_OP_LEASE_TAKE, SLICE("k"), "a", 10 * US_PER_S);

	cr_expect_eq(lease.left_us, 10 * US_PER_S);
	advance_s(f, 4);
	lease = ask(f, CACHE_OP_LEASE_TAKE, SLICE("k"), "b", US_PER_S);
	cr_expect_eq(lease.outcome, LEASE_HELD);
	cr_expect_eq(lease.left_us, 6 * US_PER_S);
	advance_us(f, 6 * US_PER_S - 1);
	cr_expect_eq(take(f, "k", "b", 1), LEASE_HELD);
	advance_us(f, 1);
	cr_expect_eq(end(f, "k", "a"), LEASE_OVER);
	cr_expect_eq(take(f, "k", "b", 1), LEASE_GRANTED);
}

/* A request whose answer was lost is sent again. */
CONTRACT_TEST(leases, taken_again_begin_anew)
{
	cr_expect_eq(take(f, "k", "a", 10), LEASE_GRANTED);
	advance_s(f, 9);
	cr_expect_eq(take(f, "k", "a", 10), LEASE_GRANTED);
	advance_s(f, 9);
	cr_expect_eq(take(f, "k", "b", 10), LEASE_HELD);
}

CONTRACT_TEST(leases, end_by_their_token_only)
{
	cr_expect_eq(end(f, "k", "a"), LEASE_OVER);
	cr_expect_eq(take(f, "k", "a", 10), LEASE_GRANTED);
	cr_expect_eq(end(f, "k", "b"), LEASE_OVER);
	cr_expect_eq(end(f, "other", "a"), LEASE_OVER);
	cr_expect_eq(take(f, "k", "b", 10), LEASE_HELD);
	cr_expect_eq(end(f, "k", "a"), LEASE_ENDED);
	cr_expect_eq(end(f, "k", "a"), LEASE_OVER);
	cr_expect_eq(take(f, "k", "b", 10), LEASE_GRANTED);
}

CONTRACT_TEST(leases, end_with_a_value)
{
	cr_expect_eq(take(f, "k", "a", 10), LEASE_GRANTED);
	cr_expect_eq(set(f, SLICE("k"), SLICE("v")), CACHE_OK);
	cr_expect_eq(take(f, "k", "b", 10), LEASE_FRESH);
	cr_expect_eq(take(f, "k", "", 0), LEASE_FRESH);
	cr_expect_eq(end(f, "k", "a"), LEASE_OVER);
	cr_expect_eq(delete_key(f, SLICE("k")), CACHE_OK);
	cr_expect_eq(take(f, "k", "b", 10), LEASE_GRANTED);
	/* A delete is no value. */
	cr_expect_eq(delete_key(f, SLICE("k")), CACHE_NOT_FOUND);
	clear(f, SLICE(""));
	cr_expect_eq(take(f, "k", "c", 10), LEASE_HELD);
}

CONTRACT_TEST(leases, an_expired_entry_is_no_value)
{
	cr_expect_eq(set_with_ttl(f, SLICE("k"), SLICE("v"), 5), CACHE_OK);
	advance_us(f, 5 * US_PER_S - 1);
	cr_expect_eq(take(f, "k", "a", 10), LEASE_FRESH);
	advance_us(f, 1);
	cr_expect_eq(take(f, "k", "a", 10), LEASE_GRANTED);
}

CONTRACT_TEST(leases, end_with_a_value_that_is_not_kept)
{
	set_capacity(f, 0);
	cr_expect_eq(take(f, "k", "a", 10), LEASE_GRANTED);
	cr_expect_eq(set(f, SLICE("k"), SLICE("v")), CACHE_OK);
	cr_expect_eq(take(f, "k", "b", 10), LEASE_GRANTED);
}

CONTRACT_TEST(leases, stay_where_a_set_is_refused)
{
	cr_expect_eq(take(f, "k", "a", 10), LEASE_GRANTED);
	cr_expect_eq(set_if(f, SLICE("k"), SLICE("v"),
			    (struct cache_condition){.kind = CONDITION_PRESENT}),
		     CACHE_PRECONDITION_FAILED);
	cr_expect_eq(take(f, "k", "b", 10), LEASE_HELD);
}

CONTRACT_TEST(leases, have_keys_of_any_bytes)
{
	struct slice keys[] = {SLICE(""), SLICE("\0"), SLICE("\xff\0a"), SLICE("a\r\n")};

	for (size_t i = 0; i < 4; i++)
		cr_expect_eq(ask(f, CACHE_OP_LEASE_TAKE, keys[i], "t", US_PER_S).outcome,
			     LEASE_GRANTED);
	for (size_t i = 0; i < 4; i++)
		cr_expect_eq(ask(f, CACHE_OP_LEASE_END, keys[i], "t", 0).outcome, LEASE_ENDED);
}

/* ---- Many at once ---- */

#define THREADS 8
#define KEYS    40

struct race {
	struct fixture *f;
	atomic_uint granted[KEYS];
};

struct racer {
	pthread_t thread;
	struct race *race;
	unsigned number;
};

static void *take_all(void *arg)
{
	const struct racer *racer = arg;

	for (unsigned i = 0; i < KEYS; i++) {
		char key[16], token[16];

		(void)snprintf(key, sizeof(key), "k%u", i);
		(void)snprintf(token, sizeof(token), "t%u", racer->number);
		if (take(racer->race->f, key, token, 60) == LEASE_GRANTED)
			(void)atomic_fetch_add(&racer->race->granted[i], 1);
	}
	return NULL;
}

CONTRACT_TEST(leases, one_of_many_gets_each)
{
	struct race race = {.f = f};
	struct racer racers[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		racers[i] = (struct racer){.race = &race, .number = i};
		cr_assert_eq(pthread_create(&racers[i].thread, NULL, take_all, &racers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		(void)pthread_join(racers[i].thread, NULL);
	for (unsigned i = 0; i < KEYS; i++)
		cr_expect_eq(race.granted[i], 1, "key %u: %u have it", i, race.granted[i]);
}
