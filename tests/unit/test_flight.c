/* The table of leases and waiters, with a clock that the test moves. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/flight/flight.h"

static int64_t now_us;
static struct flights *flights;
static unsigned earlier_count;

static int64_t read_clock(void *user)
{
	(void)user;
	return now_us;
}

static const struct cache_clock test_clock = {.now_us = read_clock};

static void count_earlier(void *user)
{
	(void)user;
	earlier_count++;
}

#define MAX_WAITING 4000

static void open_table_for(bool keeps_nothing)
{
	const struct flights_config config = {
		.clock = &test_clock,
		.earlier = count_earlier,
		.max_waiting = MAX_WAITING,
		.keeps_nothing = keeps_nothing,
	};

	flights_destroy(flights);
	now_us = 1000 * US_PER_S;
	flights = flights_create(&config);
	cr_assert(flights != NULL);
}

static void open_table(void)
{
	open_table_for(false);
}

static void close_table(void)
{
	flights_destroy(flights);
}

TestSuite(flight, .init = open_table, .fini = close_table, .timeout = 60);

/* Counts how often it was woken in `user`. */
static void count_wake(struct flight_waiter *waiter)
{
	(*(unsigned *)waiter->user)++;
}

struct visitor {
	struct flight_waiter waiter;
	unsigned woken;
};

static void visit(struct visitor *visitor, const char *key, int64_t wait_s, int64_t lease_s)
{
	*visitor = (struct visitor){0};
	visitor->waiter = (struct flight_waiter){
		.key = flight_key_of(flights, SLICE("n"), slice_of(key)),
		.wait_until_us = wait_s ? now_us + wait_s * US_PER_S : 0,
		.lease_us = lease_s * US_PER_S,
		.wake = count_wake,
		.user = &visitor->woken,
	};
	flight_visit_begin(flights);
	flight_look(flights, &visitor->waiter);
}

static enum flight_answer come(struct visitor *visitor, const char *key, int64_t wait_s,
			       int64_t lease_s)
{
	visit(visitor, key, wait_s, lease_s);
	return flight_join(flights, &visitor->waiter);
}

static void set(const char *key)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_SET);
	op.ns = SLICE("n");
	op.one.key = slice_of(key);
	flight_op_done(flights, &op);
}

static enum flight_release release(const char *key, const char *token)
{
	return flight_release(flights, SLICE("n"), slice_of(key), token);
}

static void expect_woken(const struct visitor *visitor, enum flight_end end)
{
	cr_assert_eq(visitor->woken, 1, "woken %u times", visitor->woken);
	cr_assert_eq(visitor->waiter.end, end, "ended by %d", visitor->waiter.end);
}

Test(flight, one_lease_a_key)
{
	struct visitor a, b, c;

	cr_assert_eq(come(&a, "k", 0, 10), FLIGHT_LEASE);
	cr_assert_eq(strlen(a.waiter.token), LEASE_TOKEN_LEN);
	cr_assert_eq(come(&b, "k", 0, 10), FLIGHT_MISS);
	cr_assert_eq(come(&c, "other", 0, 10), FLIGHT_LEASE);
	cr_assert_str_neq(a.waiter.token, c.waiter.token);
	cr_assert_eq(come(&b, "k", 0, 0), FLIGHT_MISS);
}

Test(flight, who_waits_needs_no_lease)
{
	struct visitor watcher, holder, heir;

	cr_assert_eq(come(&watcher, "k", 10, 0), FLIGHT_PARKED);
	/* A waiter does not keep others from the lease. */
	cr_assert_eq(come(&holder, "k", 0, 5), FLIGHT_LEASE);
	cr_assert_eq(come(&heir, "k", 3, 5), FLIGHT_PARKED);
	now_us += 5 * US_PER_S;
	cr_assert_eq(flight_expire(flights), now_us + 5 * US_PER_S);
	expect_woken(&heir, FLIGHT_TIMED_OUT);
	cr_assert_eq(watcher.woken, 0);
	set("k");
	expect_woken(&watcher, FLIGHT_VALUE);
	cr_assert_eq(flight_expire(flights), INT64_MAX);
}

Test(flight, the_value_wakes_all_and_ends_the_lease)
{
	struct visitor holder, heir, watcher, other;

	(void)come(&holder, "k", 0, 10);
	(void)come(&other, "other", 0, 10);
	cr_assert_eq(come(&heir, "k", 5, 10), FLIGHT_PARKED);
	cr_assert_eq(come(&watcher, "k", 5, 0), FLIGHT_PARKED);
	set("elsewhere");
	cr_assert_eq(heir.woken + watcher.woken, 0);
	set("k");
	expect_woken(&heir, FLIGHT_VALUE);
	expect_woken(&watcher, FLIGHT_VALUE);
	cr_assert_eq(release("k", holder.waiter.token), RELEASE_OVER);
	cr_assert_eq(release("other", other.waiter.token), RELEASE_DONE);
	cr_assert_eq(flight_expire(flights), INT64_MAX);
}

Test(flight, a_value_between_miss_and_join_is_read_again)
{
	struct visitor a;

	visit(&a, "k", 5, 10);
	set("k");
	cr_assert_eq(flight_join(flights, &a.waiter), FLIGHT_READ_AGAIN);
	flight_look(flights, &a.waiter);
	cr_assert_eq(flight_join(flights, &a.waiter), FLIGHT_LEASE);
}

Test(flight, release_hands_over_in_order)
{
	struct visitor holder, watcher, first, second;

	(void)come(&holder, "k", 0, 10);
	(void)come(&watcher, "k", 50, 0);
	(void)come(&first, "k", 50, 10);
	(void)come(&second, "k", 50, 10);
	cr_assert_eq(release("k", "no such token"), RELEASE_UNKNOWN);
	cr_assert_eq(release("k", holder.waiter.token), RELEASE_DONE);
	expect_woken(&first, FLIGHT_GRANTED);
	cr_assert_str_neq(first.waiter.token, holder.waiter.token);
	cr_assert_eq(second.woken + watcher.woken, 0);
	cr_assert_eq(release("k", holder.waiter.token), RELEASE_OVER);
	cr_assert_eq(release("k", first.waiter.token), RELEASE_DONE);
	expect_woken(&second, FLIGHT_GRANTED);
	/* Nobody is left who would compute: a client that only waits goes on waiting. */
	cr_assert_eq(release("k", second.waiter.token), RELEASE_DONE);
	cr_assert_eq(release("k", ""), RELEASE_UNKNOWN);
	cr_assert_eq(watcher.woken, 0);
	set("k");
	expect_woken(&watcher, FLIGHT_VALUE);
}

Test(flight, leases_lapse_and_waits_end)
{
	struct visitor holder, brief, patient;

	(void)come(&holder, "k", 0, 10);
	(void)come(&brief, "k", 3, 10);
	(void)come(&patient, "k", 30, 20);
	cr_assert_gt(earlier_count, 0);
	cr_assert_eq(flight_expire(flights), now_us + 3 * US_PER_S);
	now_us += 3 * US_PER_S;
	cr_assert_eq(flight_expire(flights), now_us + 7 * US_PER_S);
	expect_woken(&brief, FLIGHT_TIMED_OUT);
	now_us += 7 * US_PER_S;
	cr_assert_eq(flight_expire(flights), now_us + 20 * US_PER_S);
	expect_woken(&patient, FLIGHT_GRANTED);
	now_us += 20 * US_PER_S;
	cr_assert_eq(flight_expire(flights), INT64_MAX);
	cr_assert_eq(come(&holder, "k", 0, 1), FLIGHT_LEASE);
}

/* A join does not rely on the timer being in time. */
Test(flight, a_late_timer)
{
	struct visitor holder, heir, late;

	(void)come(&holder, "k", 0, 10);
	(void)come(&heir, "k", 50, 5);
	now_us += 10 * US_PER_S;
	cr_assert_eq(come(&late, "k", 0, 10), FLIGHT_MISS);
	expect_woken(&heir, FLIGHT_GRANTED);
	now_us += 5 * US_PER_S;
	cr_assert_eq(come(&late, "k", 0, 10), FLIGHT_LEASE);
}

Test(flight, connections_that_end)
{
	struct flight_owner dying = {0}, waiting = {0};
	struct visitor bound, other, gone, heir;

	visit(&bound, "k", 0, 10);
	bound.waiter.bind = true;
	bound.waiter.owner = &dying;
	cr_assert_eq(flight_join(flights, &bound.waiter), FLIGHT_LEASE);
	visit(&other, "k2", 0, 10);
	other.waiter.owner = &dying; /* not bound */
	cr_assert_eq(flight_join(flights, &other.waiter), FLIGHT_LEASE);
	visit(&gone, "k", 50, 10);
	gone.waiter.owner = &waiting;
	cr_assert_eq(flight_join(flights, &gone.waiter), FLIGHT_PARKED);
	cr_assert_eq(come(&heir, "k", 50, 10), FLIGHT_PARKED);
	/* The first in line has left before the lease comes: it goes to the next. */
	flight_owner_left(flights, &waiting);
	expect_woken(&gone, FLIGHT_LEFT);
	flight_owner_left(flights, &waiting);
	expect_woken(&gone, FLIGHT_LEFT);
	flight_owner_closed(flights, &dying);
	expect_woken(&heir, FLIGHT_GRANTED);
	cr_assert_null(dying.leases);
	cr_assert_eq(release("k2", other.waiter.token), RELEASE_DONE);
}

Test(flight, stop)
{
	struct visitor holder, heir, watcher;

	(void)come(&holder, "k", 0, 10);
	(void)come(&heir, "k", 50, 10);
	(void)come(&watcher, "k", 50, 0);
	flights_stop(flights);
	expect_woken(&heir, FLIGHT_STOPPED);
	expect_woken(&watcher, FLIGHT_STOPPED);
	cr_assert_eq(come(&holder, "k", 50, 10), FLIGHT_STOPPING);
}

Test(flight, the_number_of_leases_is_bounded)
{
	struct visitor visitor;
	char key[16];

	for (int i = 0; i < FLIGHT_LEASES_MAX; i++) {
		(void)snprintf(key, sizeof(key), "%d", i);
		cr_assert_eq(come(&visitor, key, 0, 10), FLIGHT_LEASE);
		flight_visit_end(flights);
	}
	cr_assert_eq(come(&visitor, "one more", 10, 10), FLIGHT_FULL);
	flight_visit_end(flights);
	now_us += 10 * US_PER_S;
	cr_assert_eq(flight_expire(flights), INT64_MAX);
	cr_assert_eq(come(&visitor, "one more", 0, 10), FLIGHT_LEASE);
}

Test(flight, the_number_of_those_who_wait_is_bounded)
{
	static struct visitor waiting[MAX_WAITING];
	struct visitor other;

	for (int i = 0; i < MAX_WAITING; i++)
		cr_assert_eq(come(&waiting[i], "k", 10, 0), FLIGHT_PARKED);
	cr_assert_eq(come(&other, "k2", 10, 0), FLIGHT_CROWDED);
	cr_assert_eq(come(&other, "k2", 10, 10), FLIGHT_LEASE);
	set("k");
	expect_woken(&waiting[MAX_WAITING - 1], FLIGHT_VALUE);
	cr_assert_eq(come(&other, "k2", 10, 0), FLIGHT_PARKED);
	set("k2");
	expect_woken(&other, FLIGHT_VALUE);
}

/* With the cache switched off, waiting would only serialize all computations. */
Test(flight, where_nothing_is_kept_everybody_computes)
{
	struct visitor a, b;

	open_table_for(true);
	cr_assert_eq(come(&a, "k", 10, 10), FLIGHT_LEASE);
	cr_assert_eq(come(&b, "k", 10, 10), FLIGHT_LEASE);
	cr_assert_str_neq(a.waiter.token, b.waiter.token);
	cr_assert_eq(come(&b, "k", 10, 0), FLIGHT_MISS);
	cr_assert_eq(release("k", a.waiter.token), RELEASE_OVER);
}

/* The heap under a random load: every timer ends at its time, not before. */
Test(flight, many_timers)
{
	enum { COUNT = 3000 };
	static struct visitor visitors[COUNT];
	struct visitor holder;
	unsigned state = 12345;

	(void)come(&holder, "k", 0, 3600);
	for (int i = 0; i < COUNT; i++) {
		state = state * 1664525 + 1013904223;
		cr_assert_eq(come(&visitors[i], "k", 1 + state % 200, 0), FLIGHT_PARKED);
	}
	for (int second = 0; second <= 200; second++) {
		(void)flight_expire(flights);
		for (int i = 0; i < COUNT; i++)
			cr_assert_eq(visitors[i].woken, visitors[i].waiter.wait_until_us <= now_us);
		now_us += US_PER_S;
	}
}
