/* The histogram and its percentiles; counts of several threads, summed. */
#include <criterion/criterion.h>
#include <string.h>

#include "server/http/routes.h"
#include "server/log/metrics.h"
#include "tests/support/threads.h"

#define US 1000

/* ---- The histogram ---- */

Test(metrics, steps_grow_evenly_from_microseconds_to_ten_seconds)
{
	cr_expect_eq(latency_bounds_ns[0], 2500);
	cr_expect_eq(latency_bounds_ns[LATENCY_BOUNDS - 1], UINT64_C(10000000000));
	for (size_t i = 1; i < LATENCY_BOUNDS; i++) {
		double ratio = (double)latency_bounds_ns[i] / (double)latency_bounds_ns[i - 1];

		cr_expect(ratio > 1.55 && ratio < 1.61, "step %zu: %f", i, ratio);
	}
}

Test(metrics, a_bound_belongs_to_its_step)
{
	cr_expect_eq(latency_step(0), 0);
	for (size_t i = 0; i < LATENCY_BOUNDS; i++) {
		cr_expect_eq(latency_step(latency_bounds_ns[i] - 1), i);
		cr_expect_eq(latency_step(latency_bounds_ns[i]), i);
		cr_expect_eq(latency_step(latency_bounds_ns[i] + 1), i + 1);
	}
	cr_expect_eq(latency_step(UINT64_MAX), LATENCY_STEPS - 1);
}

static void count_one(struct latency_histogram *histogram, uint64_t ns, uint64_t times)
{
	histogram->count[latency_step(ns)] += times;
}

Test(metrics, percentiles_lie_within_their_step)
{
	struct latency_histogram histogram = {0};

	cr_expect_eq(latency_percentile_ns(&histogram, 0.5), 0, "nothing was counted");
	count_one(&histogram, 5 * US, 100); /* in (4, 6.3] us */
	cr_expect_float_eq(latency_percentile_ns(&histogram, 0.5), 5150, 1e-6);
	cr_expect_float_eq(latency_percentile_ns(&histogram, 1), 6300, 1e-6);
	count_one(&histogram, 200 * US, 100); /* in (160, 250] us */
	cr_expect_float_eq(latency_percentile_ns(&histogram, 0.5), 6300, 1e-6);
	cr_expect_float_eq(latency_percentile_ns(&histogram, 0.75), 205 * US, 1e-6);
	cr_expect_float_eq(latency_percentile_ns(&histogram, 0.995), 249.1 * US, 1e-3);
}

Test(metrics, what_has_no_bound_is_told_as_ten_seconds)
{
	struct latency_histogram histogram = {0};

	count_one(&histogram, UINT64_C(60000000000), 1);
	cr_expect_eq(latency_percentile_ns(&histogram, 0.5), 1e10);
}

/* Evenly spread durations: no percentile is off by more than the width of its step. */
Test(metrics, percentiles_of_an_even_spread)
{
	struct latency_histogram histogram = {0};
	static const double shares[] = {0.01, 0.5, 0.9, 0.99, 0.999};

	for (uint64_t us = 1; us <= 100000; us++)
		count_one(&histogram, us * US, 1);
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		double real = shares[i] * 1e8;
		double told = latency_percentile_ns(&histogram, shares[i]);

		cr_expect(told > real * 0.98 && told < real * 1.02, "%f: %f, not %f", shares[i],
			  told, real);
	}
}

/* ---- Counting ---- */

struct tally {
	const char *route, *method;
	unsigned status;
	uint64_t count, all;
	unsigned kinds;
};

static void look(void *user, const struct answer_count *answers)
{
	struct tally *tally = user;

	tally->all += answers->count;
	tally->kinds++;
	if (strcmp(answers->route, tally->route) == 0 &&
	    strcmp(answers->method, tally->method) == 0 && answers->status == tally->status)
		tally->count += answers->count;
}

static struct tally tally_of(struct metrics *metrics, const char *route, const char *method,
			     unsigned status)
{
	struct tally tally = {.route = route, .method = method, .status = status};

	metrics_each_answer(metrics, look, &tally);
	return tally;
}

Test(metrics, each_kind_of_answer_has_its_counter)
{
	static const struct {
		enum http_method method;
		const char *name;
	} methods[] = {
		{HTTP_GET, "GET"},         {HTTP_HEAD, "HEAD"},         {HTTP_PUT, "PUT"},
		{HTTP_POST, "POST"},       {HTTP_DELETE, "DELETE"},     {HTTP_PATCH, "PATCH"},
		{HTTP_OPTIONS, "OPTIONS"}, {HTTP_PROPFIND, "PROPFIND"}, {HTTP_MKCOL, "MKCOL"},
		{HTTP_OTHER, "other"},
	};
	enum { METHODS = sizeof(methods) / sizeof(methods[0]) };
	static const unsigned statuses[] = {200, 304, 404, 429, 503, 0};
	enum { STATUSES = sizeof(statuses) / sizeof(statuses[0]) };
	struct metrics *metrics = metrics_create(1);
	struct server_figures figures;
	unsigned kinds = 0;

	cr_assert_not_null(metrics);
	for (size_t row = 0; row <= routes_count(); row++)
		for (size_t i = 0; i < METHODS; i++)
			for (size_t j = 0; j < STATUSES; j++, kinds++)
				metrics_answered(metrics,
						 row < routes_count() ? routes_at(row) : NULL,
						 methods[i].method, statuses[j], US);
	for (size_t i = 0; i < METHODS; i++)
		for (size_t j = 0; j < STATUSES; j++) {
			struct tally tally =
				tally_of(metrics, "none", methods[i].name, statuses[j]);

			cr_expect_eq(tally.count, 1);
			cr_expect_eq(tally.kinds, kinds);
			cr_expect_eq(tally.all, kinds);
		}
	metrics_read(metrics, &figures);
	cr_expect_eq(figures.server_errors, kinds / STATUSES);
	cr_expect_eq(latency_total(&figures.latency), kinds);
	cr_expect_eq(figures.latency.sum_ns, (uint64_t)kinds * US);
	cr_expect_eq(figures.unanswered, 0);
	metrics_destroy(metrics);
}

Test(metrics, a_status_that_is_not_known_is_told_as_such)
{
	static const unsigned odd[] = {100, 299, 418, 599, 600, 99999};
	struct metrics *metrics = metrics_create(1);

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		metrics_answered(metrics, NULL, HTTP_GET, odd[i], US);
	cr_expect_eq(tally_of(metrics, "none", "GET", 0).count, sizeof(odd) / sizeof(odd[0]));
	metrics_destroy(metrics);
}

static void look_at_latency(void *user, const struct route_latency *latency)
{
	struct route_latency *seen = user;

	if (strcmp(latency->method, "PUT") == 0)
		*seen = *latency;
}

Test(metrics, durations_are_told_by_route_and_method)
{
	struct metrics *metrics = metrics_create(1);
	struct route_latency seen = {0};
	struct server_figures figures;

	metrics_answered(metrics, routes_at(0), HTTP_GET, 200, 5 * US);
	metrics_answered(metrics, routes_at(1), HTTP_PUT, 201, 200 * US);
	metrics_answered(metrics, routes_at(1), HTTP_PUT, 507, 300 * US);
	metrics_each_latency(metrics, look_at_latency, &seen);
	cr_expect_str_eq(seen.route, routes_at(1)->pattern);
	cr_expect_eq(latency_total(&seen.latency), 2);
	cr_expect_eq(seen.latency.sum_ns, 500 * US);
	metrics_read(metrics, &figures);
	cr_expect_eq(latency_total(&figures.latency), 3);
	cr_expect_eq(figures.latency.sum_ns, 505 * US);
	metrics_destroy(metrics);
}

struct ended {
	uint64_t gets_found, sets_failed, all;
};

static void look_at_operations(void *user, const struct operation_count *operations)
{
	struct ended *ended = user;

	ended->all += operations->count;
	if (operations->type == CACHE_OP_GET && operations->status == CACHE_OK)
		ended->gets_found = operations->count;
	if (operations->type == CACHE_OP_SET && operations->status == CACHE_NO_SPACE)
		ended->sets_failed = operations->count;
}

/* The last of each: no kind is beyond the table. */
Test(metrics, operations_by_what_came_of_them)
{
	struct metrics *metrics = metrics_create(1);
	struct ended ended = {0};

	metrics_operation(metrics, CACHE_OP_GET, CACHE_OK);
	metrics_operation(metrics, CACHE_OP_GET, CACHE_OK);
	metrics_operation(metrics, CACHE_OP_SET, CACHE_NO_SPACE);
	metrics_operation(metrics, CACHE_OP_CHECK, CACHE_INTERNAL);
	metrics_each_operation(metrics, look_at_operations, &ended);
	cr_expect_eq(ended.gets_found, 2);
	cr_expect_eq(ended.sets_failed, 1);
	cr_expect_eq(ended.all, 4);
	metrics_destroy(metrics);
}

Test(metrics, a_clock_that_stands_still_or_worse_is_no_duration)
{
	struct metrics *metrics = metrics_create(1);
	struct server_figures figures;

	metrics_answered(metrics, NULL, HTTP_GET, 404, 0);
	metrics_answered(metrics, NULL, HTTP_GET, 404, -5);
	metrics_read(metrics, &figures);
	cr_expect_eq(figures.latency.count[0], 2);
	cr_expect_eq(figures.latency.sum_ns, 0);
	metrics_destroy(metrics);
}

#define TIMES 20000

/* Counts, and reads in between. */
static const char *count_much(size_t index, void *user)
{
	struct metrics *metrics = user;
	struct server_figures figures;
	uint64_t before = 0;

	for (int i = 0; i < TIMES; i++) {
		metrics_answered(metrics, routes_at(index % 2), HTTP_GET, i % 4 ? 200 : 503,
				 (int64_t)index * 10 * US);
		if (i % 5 == 0)
			metrics_unanswered(metrics);
		if (i % 1000 == 0) {
			metrics_read(metrics, &figures);
			if (latency_total(&figures.latency) < before)
				return "a sum went back";
			before = latency_total(&figures.latency);
		}
	}
	return NULL;
}

/* More threads than were announced, which then share. */
Test(metrics, no_count_of_any_thread_is_lost)
{
	enum { THREADS = 6 };

	for (unsigned announced = 0; announced <= THREADS; announced += 3) {
		struct metrics *metrics = metrics_create(announced);
		struct server_figures figures;

		cr_expect_null(in_threads(THREADS, count_much, metrics));
		metrics_read(metrics, &figures);
		cr_expect_eq(latency_total(&figures.latency), THREADS * TIMES);
		cr_expect_eq(figures.latency.count[0], TIMES);
		cr_expect_eq(figures.latency.sum_ns, UINT64_C(150) * US * TIMES);
		cr_expect_eq(figures.server_errors, THREADS * TIMES / 4);
		cr_expect_eq(figures.unanswered, THREADS * TIMES / 5);
		cr_expect_eq(tally_of(metrics, routes_at(0)->pattern, "GET", 200).count,
			     THREADS * TIMES * 3 / 4,
			     "rows 0 and 1 have one pattern: their counts are told in two parts");
		metrics_destroy(metrics);
	}
}

/* A thread that counted for one server counts for the next. */
Test(metrics, a_thread_may_outlive_metrics)
{
	struct server_figures figures;

	for (int i = 0; i < 100; i++) {
		struct metrics *metrics = metrics_create(1);

		metrics_unanswered(metrics);
		metrics_read(metrics, &figures);
		cr_expect_eq(figures.unanswered, 1);
		metrics_destroy(metrics);
	}
}
