/* The table of leases where these are the store's: what it believes, when it asks, and who hears of
 * what. The clock and the store are the test's. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/flight/flight.h"

#define LOOK_AGAIN_S 15
#define MAX_WAITING  50

static int64_t now_us;
static struct flights *flights;

static int64_t read_clock(void *user)
{
	(void)user;
	return now_us;
}

static const struct cache_clock test_clock = {.now_us = read_clock};

/* ---- The store: keeps the ends of leases that it is sent, until the test ends them ---- */

static struct cache_op *ends[16];
static size_t end_count;

static void keep_end(struct backend *backend, struct cache_op *op)
{
	(void)backend;
	cr_assert_eq(op->type, CACHE_OP_LEASE_END);
	cr_assert_lt(end_count, 16);
	ends[end_count++] = op;
}

static const struct backend_ops store_ops = {
	.name = "store",
	.bits = BACKEND_LEASES,
	.lease = keep_end,
};
static struct backend store = {.ops = &store_ops};

static void finish_end(enum cache_status status)
{
	struct cache_op *op = ends[--end_count];

	op->lease.outcome = LEASE_ENDED;
	cache_op_complete(op, status);
}

static struct flights *create(void)
{
	const struct flights_config config = {
		.clock = &test_clock,
		.max_waiting = MAX_WAITING,
		.backend = &store,
	};
	struct flights *made = flights_create(&config);

	cr_assert(made != NULL);
	return made;
}

static void open_table(void)
{
	now_us = 1000 * US_PER_S;
	flights = create();
}

static void close_table(void)
{
	while (end_count > 0)
		finish_end(CACHE_OK);
	flights_destroy(flights);
}

TestSuite(flight_shared, .init = open_table, .fini = close_table, .timeout = 60);

/* ---- Visitors ---- */

struct visitor {
	struct flight_waiter waiter;
	struct cache_op op;
	char asked[LEASE_TOKEN_LEN + 1];
	unsigned woken;
};

static void count_wake(struct flight_waiter *waiter)
{
	(*(unsigned *)waiter->user)++;
}

static enum flight_answer come(struct visitor *visitor, int64_t wait_s, int64_t lease_s)
{
	*visitor = (struct visitor){0};
	visitor->waiter = (struct flight_waiter){
		.key = flight_key_of(flights, SLICE("n"), SLICE("k")),
		.wait_until_us = wait_s ? now_us + wait_s * US_PER_S : 0,
		.lease_us = lease_s * US_PER_S,
		.wake = count_wake,
		.user = &visitor->woken,
	};
	flight_visit_begin(flights);
	flight_look(flights, &visitor->waiter);
	return flight_join(flights, &visitor->waiter);
}

/* It asks the store ... */
static void ask(struct visitor *visitor)
{
	cache_op_init(&visitor->op, CACHE_OP_LEASE_TAKE);
	visitor->op.ns = SLICE("n");
	visitor->op.one.key = SLICE("k");
	flight_look(flights, &visitor->waiter);
	flight_fill_ask(flights, &visitor->waiter, &visitor->op, visitor->asked);
}

/* ... which says: */
static enum flight_answer hear_status(struct visitor *visitor, enum cache_status status)
{
	visitor->op.status = status;
	return flight_asked(flights, &visitor->waiter, &visitor->op);
}

static enum flight_answer hear(struct visitor *visitor, enum lease_outcome outcome, int64_t left_s)
{
	visitor->op.lease.outcome = outcome;
	visitor->op.lease.left_us = left_s * US_PER_S;
	return hear_status(visitor, CACHE_OK);
}

static enum flight_answer ask_and_hear(struct visitor *visitor, enum lease_outcome outcome,
				       int64_t left_s)
{
	ask(visitor);
	return hear(visitor, outcome, left_s);
}

/* The first of all who wait, and somebody elsewhere has the lease for 100 s. */
static void wait_for_another(struct visitor *visitor)
{
	cr_assert_eq(come(visitor, 60, 10), FLIGHT_ASK);
	cr_assert_eq(ask_and_hear(visitor, LEASE_HELD, 100), FLIGHT_PARKED);
}

static void tell(enum cache_news_kind kind, const char *token)
{
	const struct cache_news news = {
		.kind = kind,
		.ns = SLICE("n"),
		.key = SLICE("k"),
		.token = slice_of(token),
	};

	flight_news(flights, &news);
}

static void set(void)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_SET);
	op.ns = SLICE("n");
	op.one.key = SLICE("k");
	flight_op_done(flights, &op);
}

static void expect_woken(struct visitor *visitor, enum flight_end end)
{
	cr_assert_eq(visitor->woken, 1, "woken %u times", visitor->woken);
	cr_assert_eq(visitor->waiter.end, end, "ended by %d", visitor->waiter.end);
	visitor->woken = 0;
}

static void expect_counts(size_t waiting, size_t leases)
{
	size_t is_waiting, are_out;

	flights_count(flights, &is_waiting, &are_out);
	cr_assert_eq(is_waiting, waiting, "%zu wait", is_waiting);
	cr_assert_eq(are_out, leases, "%zu leases", are_out);
}

/* ---- Asking ---- */

Test(flight_shared, one_asks_for_all)
{
	struct visitor first, heir, watcher;

	cr_assert_eq(come(&first, 60, 10), FLIGHT_ASK);
	cr_assert_eq(come(&heir, 60, 10), FLIGHT_PARKED);
	cr_assert_eq(come(&watcher, 60, 0), FLIGHT_PARKED);
	ask(&first);
	cr_assert_eq(first.op.lease.ttl_us, 10 * US_PER_S);
	cr_assert_eq(hear(&first, LEASE_GRANTED, 10), FLIGHT_LEASE);
	cr_assert_str_eq(first.waiter.token, first.asked);
	expect_counts(2, 1);
	set();
	expect_woken(&heir, FLIGHT_VALUE);
	expect_woken(&watcher, FLIGHT_VALUE);
	expect_counts(0, 0);
	cr_assert_eq(flight_expire(flights), INT64_MAX);
}

Test(flight_shared, who_waits_for_another_server_is_the_next_to_ask)
{
	struct visitor first, second;

	wait_for_another(&first);
	cr_assert_eq(come(&second, 60, 10), FLIGHT_PARKED);
	tell(NEWS_LEASE_ENDED, "another");
	expect_woken(&first, FLIGHT_TURN);
	cr_assert_eq(second.woken, 0);
	cr_assert_eq(ask_and_hear(&first, LEASE_HELD, 100), FLIGHT_PARKED);
	tell(NEWS_LEASE_ENDED, "another");
	expect_woken(&first, FLIGHT_TURN); /* keeps its place */
	cr_assert_eq(ask_and_hear(&first, LEASE_GRANTED, 10), FLIGHT_LEASE);
	cr_assert_eq(second.woken, 0);
	tell(NEWS_WRITTEN, "");
	expect_woken(&second, FLIGHT_VALUE);
	expect_counts(0, 0);
	flights_stop(flights);
}

Test(flight_shared, what_the_store_said_is_asked_again)
{
	struct visitor visitor;

	cr_assert_eq(come(&visitor, 60, 10), FLIGHT_ASK);
	cr_assert_eq(ask_and_hear(&visitor, LEASE_HELD, 7), FLIGHT_PARKED);
	cr_assert_eq(flight_expire(flights), now_us + 7 * US_PER_S);
	now_us += 7 * US_PER_S;
	(void)flight_expire(flights);
	expect_woken(&visitor, FLIGHT_TURN);
	cr_assert_eq(ask_and_hear(&visitor, LEASE_HELD, 100), FLIGHT_PARKED);
	cr_assert_eq(flight_expire(flights), now_us + LOOK_AGAIN_S * US_PER_S);
	now_us += LOOK_AGAIN_S * US_PER_S;
	(void)flight_expire(flights);
	expect_woken(&visitor, FLIGHT_TURN);
	/* An answer that takes its time leaves the others alone. */
	now_us += LOOK_AGAIN_S * US_PER_S;
	cr_assert_gt(flight_expire(flights), now_us);
	now_us += 60 * US_PER_S;
	cr_assert_eq(ask_and_hear(&visitor, LEASE_HELD, 100), FLIGHT_MISS);
	expect_counts(0, 0);
	cr_assert_eq(flight_expire(flights), INT64_MAX);
	flights_stop(flights);
}

Test(flight_shared, one_who_only_waits_asks_what_is_known)
{
	struct visitor watcher, other, heir;

	cr_assert_eq(come(&watcher, 60, 0), FLIGHT_ASK);
	ask(&watcher);
	cr_assert_eq(watcher.op.lease.token.len, 0);
	cr_assert_eq(come(&heir, 60, 10), FLIGHT_PARKED);
	cr_assert_eq(hear(&watcher, LEASE_FREE, 0), FLIGHT_PARKED);
	expect_woken(&heir, FLIGHT_TURN);
	cr_assert_eq(come(&other, 60, 0), FLIGHT_PARKED);
	cr_assert_eq(ask_and_hear(&heir, LEASE_GRANTED, 10), FLIGHT_LEASE);
	set();
	expect_woken(&watcher, FLIGHT_VALUE);
	expect_woken(&other, FLIGHT_VALUE);
	flights_stop(flights);
}

Test(flight_shared, one_who_does_not_wait_always_asks)
{
	struct visitor waiting, brief;

	wait_for_another(&waiting);
	cr_assert_eq(come(&brief, 0, 10), FLIGHT_ASK);
	cr_assert_eq(ask_and_hear(&brief, LEASE_HELD, 100), FLIGHT_MISS);
	cr_assert_eq(come(&brief, 0, 10), FLIGHT_ASK);
	cr_assert_eq(ask_and_hear(&brief, LEASE_GRANTED, 10), FLIGHT_LEASE);
	expect_counts(1, 1);
	cr_assert_eq(come(&brief, 0, 0), FLIGHT_MISS);
	cr_assert_eq(waiting.woken, 0);
	flights_stop(flights);
}

Test(flight_shared, a_value_that_is_there_is_read_by_all)
{
	struct visitor first, second, late;

	cr_assert_eq(come(&first, 60, 10), FLIGHT_ASK);
	cr_assert_eq(come(&second, 60, 10), FLIGHT_PARKED);
	late.waiter = first.waiter; /* it has read already */
	cr_assert_eq(ask_and_hear(&first, LEASE_FRESH, 0), FLIGHT_READ_AGAIN);
	expect_woken(&second, FLIGHT_VALUE);
	cr_assert_eq(flight_join(flights, &late.waiter), FLIGHT_READ_AGAIN);
	expect_counts(0, 0);
	flights_stop(flights);
}

/* ---- News that comes while somebody asks ---- */

Test(flight_shared, an_end_that_is_heard_before_the_answer_is_asked_again)
{
	struct visitor first, second;

	cr_assert_eq(come(&first, 60, 10), FLIGHT_ASK);
	cr_assert_eq(come(&second, 60, 10), FLIGHT_PARKED);
	ask(&first);
	tell(NEWS_LEASE_ENDED, "another");
	cr_assert_eq(hear(&first, LEASE_HELD, 100), FLIGHT_ASK);
	cr_assert_eq(ask_and_hear(&first, LEASE_HELD, 100), FLIGHT_PARKED);
	cr_assert_eq(second.woken, 0);
	/* One whose time is over leaves it to the next. */
	tell(NEWS_LEASE_ENDED, "another");
	expect_woken(&first, FLIGHT_TURN);
	ask(&first);
	tell(NEWS_LEASE_ENDED, "another");
	first.waiter.wait_until_us = 0;
	cr_assert_eq(hear(&first, LEASE_HELD, 100), FLIGHT_MISS);
	expect_woken(&second, FLIGHT_TURN);
	flights_stop(flights);
}

Test(flight_shared, a_value_that_is_heard_before_the_answer_is_read)
{
	struct visitor first, second;

	cr_assert_eq(come(&first, 60, 10), FLIGHT_ASK);
	cr_assert_eq(come(&second, 60, 10), FLIGHT_PARKED);
	ask(&first);
	tell(NEWS_WRITTEN, "");
	expect_woken(&second, FLIGHT_VALUE);
	cr_assert_eq(hear(&first, LEASE_HELD, 100), FLIGHT_READ_AGAIN);
	/* Another one may ask meanwhile. */
	cr_assert_eq(come(&first, 60, 10), FLIGHT_ASK);
	ask(&first);
	set();
	cr_assert_eq(come(&second, 60, 10), FLIGHT_ASK);
	cr_assert_eq(hear(&first, LEASE_HELD, 100), FLIGHT_READ_AGAIN);
	cr_assert_eq(ask_and_hear(&second, LEASE_HELD, 100), FLIGHT_PARKED);
	expect_counts(1, 0);
	flights_stop(flights);
}

Test(flight_shared, after_a_gap_one_asks_for_all)
{
	struct visitor waiting, other;

	wait_for_another(&waiting);
	cr_assert_eq(come(&other, 60, 10), FLIGHT_PARKED);
	tell(NEWS_MAY_BE_MISSING, "");
	expect_woken(&waiting, FLIGHT_TURN);
	ask(&waiting);
	tell(NEWS_MAY_BE_MISSING, "");
	cr_assert_eq(hear(&waiting, LEASE_HELD, 100), FLIGHT_READ_AGAIN);
	expect_woken(&other, FLIGHT_TURN);
	cr_assert_eq(flight_join(flights, &waiting.waiter), FLIGHT_READ_AGAIN);
	flight_look(flights, &waiting.waiter);
	cr_assert_eq(flight_join(flights, &waiting.waiter), FLIGHT_PARKED);
	ask(&other);
	tell(NEWS_MAY_BE_MISSING, "");
	/* A lease that was given meanwhile stays known, but not that it is held. */
	cr_assert_eq(hear(&other, LEASE_GRANTED, 10), FLIGHT_LEASE);
	expect_woken(&waiting, FLIGHT_TURN);
	expect_counts(0, 1);
	cr_assert_eq(ask_and_hear(&waiting, LEASE_FRESH, 0), FLIGHT_READ_AGAIN);
	expect_counts(0, 0);
	flights_stop(flights);
}

/* ---- Failures ---- */

Test(flight_shared, a_store_that_cannot_be_asked_keeps_nobody_waiting)
{
	struct visitor first, second;

	cr_assert_eq(come(&first, 60, 10), FLIGHT_ASK);
	cr_assert_eq(come(&second, 60, 10), FLIGHT_PARKED);
	ask(&first);
	cr_assert_eq(hear_status(&first, CACHE_UNAVAILABLE), FLIGHT_FAILED);
	expect_woken(&second, FLIGHT_VALUE);
	/* It may have given the lease all the same. */
	cr_assert_eq(end_count, 1);
	cr_assert(slice_equal(ends[0]->lease.token, slice_of(first.asked)));
	expect_counts(0, 0);
	finish_end(CACHE_UNAVAILABLE);
	/* Who has waited goes on, and tries again. */
	wait_for_another(&first);
	cr_assert_eq(come(&second, 60, 10), FLIGHT_PARKED);
	tell(NEWS_MAY_BE_MISSING, "");
	expect_woken(&first, FLIGHT_TURN);
	ask(&first);
	cr_assert_eq(hear_status(&first, CACHE_UNAVAILABLE), FLIGHT_PARKED);
	finish_end(CACHE_UNAVAILABLE);
	cr_assert_eq(second.woken, 0);
	cr_assert_eq(flight_expire(flights), now_us + US_PER_S);
	now_us += US_PER_S;
	(void)flight_expire(flights);
	expect_woken(&first, FLIGHT_TURN);
	cr_assert_eq(ask_and_hear(&first, LEASE_GRANTED, 10), FLIGHT_LEASE);
	flights_stop(flights);
}

Test(flight_shared, a_turn_that_is_not_taken_is_passed_on)
{
	struct visitor first, second;

	wait_for_another(&first);
	cr_assert_eq(come(&second, 60, 10), FLIGHT_PARKED);
	tell(NEWS_LEASE_ENDED, "another");
	expect_woken(&first, FLIGHT_TURN);
	cr_assert(first.waiter.has_turn);
	flight_pass_turn(flights, &first.waiter);
	expect_woken(&second, FLIGHT_TURN);
	flight_pass_turn(flights, &first.waiter); /* has none any more */
	cr_assert(second.waiter.has_turn);
	flight_pass_turn(flights, &second.waiter);
	cr_assert_eq(flight_expire(flights), INT64_MAX, "nobody is left");
	flights_stop(flights);
}

Test(flight_shared, too_many_who_wait)
{
	static struct visitor waiting[MAX_WAITING];
	struct visitor other;

	wait_for_another(&waiting[0]);
	for (int i = 1; i < MAX_WAITING; i++)
		cr_assert_eq(come(&waiting[i], 60, 10), FLIGHT_PARKED);
	cr_assert_eq(come(&other, 60, 10), FLIGHT_CROWDED);
	cr_assert_eq(come(&other, 0, 10), FLIGHT_ASK);
	cr_assert_eq(ask_and_hear(&other, LEASE_GRANTED, 10), FLIGHT_LEASE);
	flights_stop(flights);
}

/* ---- Leases that end ---- */

Test(flight_shared, a_lease_that_is_given_back_is_ended_in_the_store)
{
	struct visitor holder, heir;

	cr_assert_eq(come(&holder, 0, 10), FLIGHT_ASK);
	cr_assert_eq(ask_and_hear(&holder, LEASE_GRANTED, 10), FLIGHT_LEASE);
	cr_assert_eq(come(&heir, 60, 10), FLIGHT_PARKED);
	cr_assert(
		flight_give_back(flights, SLICE("n"), SLICE("k"), holder.waiter.token, NULL, NULL));
	cr_assert_eq(end_count, 1);
	expect_counts(1, 0);
	cr_assert_eq(heir.woken, 0, "the store still has it");
	finish_end(CACHE_OK);
	expect_woken(&heir, FLIGHT_TURN);
	cr_assert_eq(ask_and_hear(&heir, LEASE_GRANTED, 10), FLIGHT_LEASE);
	flights_stop(flights);
}

Test(flight_shared, a_lease_that_could_not_be_ended_lapses)
{
	struct visitor holder, heir;

	cr_assert_eq(come(&holder, 0, 10), FLIGHT_ASK);
	cr_assert_eq(ask_and_hear(&holder, LEASE_GRANTED, 10), FLIGHT_LEASE);
	cr_assert_eq(come(&heir, 60, 10), FLIGHT_PARKED);
	(void)flight_give_back(flights, SLICE("n"), SLICE("k"), holder.waiter.token, NULL, NULL);
	finish_end(CACHE_TIMEOUT);
	cr_assert_eq(heir.woken, 0);
	now_us += 10 * US_PER_S;
	(void)flight_expire(flights);
	expect_woken(&heir, FLIGHT_TURN);
	flights_stop(flights);
}

Test(flight_shared, a_bound_lease_ends_with_its_connection)
{
	struct flight_owner owner = {0};
	struct visitor holder, heir;

	cr_assert_eq(come(&holder, 0, 100), FLIGHT_ASK);
	holder.waiter.bind = true;
	holder.waiter.owner = &owner;
	cr_assert_eq(ask_and_hear(&holder, LEASE_GRANTED, 100), FLIGHT_LEASE);
	cr_assert_eq(come(&heir, 60, 10), FLIGHT_PARKED);
	/* Older than the lease: what others wrote before it was given. */
	tell(NEWS_WRITTEN, "");
	tell(NEWS_LEASE_ENDED, "another");
	expect_woken(&heir, FLIGHT_VALUE);
	expect_counts(0, 1);
	flight_owner_closed(flights, &owner);
	cr_assert_eq(end_count, 1);
	cr_assert(slice_equal(ends[0]->lease.token, slice_of(holder.waiter.token)));
	expect_counts(0, 0);
	cr_assert_null(owner.leases);
	flights_stop(flights);
}

Test(flight_shared, news_of_its_end_unbinds_a_lease)
{
	struct flight_owner owner = {0};
	struct visitor holder;

	cr_assert_eq(come(&holder, 0, 100), FLIGHT_ASK);
	holder.waiter.bind = true;
	holder.waiter.owner = &owner;
	cr_assert_eq(ask_and_hear(&holder, LEASE_GRANTED, 100), FLIGHT_LEASE);
	tell(NEWS_LEASE_ENDED, holder.waiter.token);
	expect_counts(0, 0);
	flight_owner_closed(flights, &owner);
	cr_assert_eq(end_count, 0);
	flights_stop(flights);
}

Test(flight_shared, a_stop_ends_waits_and_bound_leases)
{
	struct flight_owner owner = {0};
	struct visitor holder, heir, asking;

	cr_assert_eq(come(&holder, 0, 100), FLIGHT_ASK);
	holder.waiter.bind = true;
	holder.waiter.owner = &owner;
	cr_assert_eq(ask_and_hear(&holder, LEASE_GRANTED, 100), FLIGHT_LEASE);
	cr_assert_eq(come(&heir, 60, 10), FLIGHT_PARKED);
	cr_assert_eq(come(&asking, 0, 10), FLIGHT_ASK);
	ask(&asking);
	flights_stop(flights);
	expect_woken(&heir, FLIGHT_STOPPED);
	cr_assert_eq(end_count, 1);
	cr_assert_eq(hear(&asking, LEASE_GRANTED, 10), FLIGHT_STOPPING);
	cr_assert_eq(end_count, 2, "what was given meanwhile goes back");
	cr_assert_null(owner.leases);
}

/* ---- Tokens ---- */

Test(flight_shared, any_server_knows_the_token_of_another)
{
	struct flights *other = create();
	struct visitor holder;

	cr_assert_eq(come(&holder, 0, 10), FLIGHT_ASK);
	ask(&holder);
	cr_assert_eq(flight_release(other, SLICE("n"), SLICE("k"), holder.asked), RELEASE_ASK);
	cr_assert_eq(flight_release(other, SLICE("n"), SLICE("j"), holder.asked), RELEASE_UNKNOWN);
	cr_assert_eq(flight_release(other, SLICE("m"), SLICE("k"), holder.asked), RELEASE_UNKNOWN);
	holder.asked[0] = holder.asked[0] == '0' ? '1' : '0';
	cr_assert_eq(flight_release(other, SLICE("n"), SLICE("k"), holder.asked), RELEASE_UNKNOWN);
	flights_destroy(other);
}
