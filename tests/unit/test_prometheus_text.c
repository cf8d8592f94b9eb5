/* handlers/admin/metrics.c: namespaces, gauges and failures in the text for Prometheus. promtool
 * checks the format (process/test_prometheus.c). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/handlers.h"
#include "tests/support/fake_request.h"

static struct fake_request fake;
static char *text; /* of the answer */

/* Sends the request; the backend has `count` namespaces that `name` names, each with an entry of 2
 * bytes. */
static void ask(size_t count, void (*name)(char *room, size_t size, size_t i))
{
	fake_request_init(&fake);
	cr_assert_eq(fake_request_start(&fake, &handler_metrics), STEP_SUBMIT);
	cr_assert_eq(held_op->type, CACHE_OP_STATS);
	cr_assert_eq(held_op->ns.len, 0);
	held_op->stats = calloc(count + 1, sizeof(*held_op->stats));
	held_op->stats_count = count;
	for (size_t i = 0; i < count; i++) {
		struct namespace_stats *stats = &held_op->stats[i];

		name(stats->name, sizeof(stats->name), i);
		stats->entry_count = 1;
		stats->total_size_bytes = 2;
		stats->hits = i;
		stats->settings.capacity = i == 0 ? CAPACITY_UNLIMITED : 7;
		stats->settings.max_size_bytes = i == 0 ? 0 : 1000;
	}
	fake_request_finish(&fake, CACHE_OK);
	cr_assert_eq(fake.response.status, 200);
	text = strndup(fake_response_body(&fake).data, fake_response_body(&fake).len);
	fake_request_close(&fake);
}

/* How many lines begin with this text. */
static int count_lines(const char *beginning)
{
	int count = 0;

	for (const char *at = text; (at = strstr(at, beginning)) != NULL; at++)
		count += at == text || at[-1] == '\n';
	return count;
}

static void numbered(char *room, size_t size, size_t i)
{
	(void)snprintf(room, size, "ns-%04zu", i);
}

/* One of the first 100 is called "other", as the rest is. */
static void with_other(char *room, size_t size, size_t i)
{
	if (i == 3)
		(void)snprintf(room, size, "other");
	else
		numbered(room, size, i);
}

Test(prometheus_text, each_of_few_namespaces_has_its_label)
{
	ask(100, with_other);
	cr_expect_eq(count_lines("steadycache_entries{"), 100);
	cr_expect_eq(count_lines("steadycache_entries{namespace=\"other\"} 1\n"), 1);
	cr_expect_eq(count_lines("steadycache_hits_total{namespace=\"ns-0099\"} 99\n"), 1);
	cr_expect_eq(count_lines("steadycache_max_bytes{"), 99, "the first has no limit");
	cr_expect_eq(count_lines("steadycache_max_entries{"), 99);
	free(text);
}

Test(prometheus_text, of_many_the_rest_is_summed_up)
{
	ask(10000, numbered);
	cr_expect_eq(count_lines("steadycache_entries{"), 101);
	cr_expect_eq(count_lines("steadycache_entries{namespace=\"ns-0099\"} 1\n"), 1);
	cr_expect_eq(count_lines("steadycache_entries{namespace=\"other\"} 9900\n"), 1);
	cr_expect_eq(count_lines("steadycache_bytes{namespace=\"other\"} 19800\n"), 1);
	cr_expect_eq(count_lines("steadycache_hits_total{namespace=\"other\"} 49990050\n"), 1);
	cr_expect_eq(count_lines("steadycache_max_bytes{namespace=\"other\"}"), 0);
	free(text);
}

Test(prometheus_text, no_label_stands_twice)
{
	ask(101, with_other);
	cr_expect_eq(count_lines("steadycache_entries{"), 101);
	cr_expect_eq(count_lines("steadycache_entries{namespace=\"other\"} 1\n"), 1);
	cr_expect_eq(count_lines("steadycache_max_bytes{namespace=\"other\"}"), 1);
	free(text);
	ask(102, with_other);
	cr_expect_eq(count_lines("steadycache_entries{"), 101);
	cr_expect_eq(count_lines("steadycache_entries{namespace=\"other\"} 2\n"), 1);
	cr_expect_eq(count_lines("steadycache_max_bytes{namespace=\"other\"}"), 0);
	free(text);
}

/* The names of `numbered`, and between them others that were added later. */
static void with_later(char *room, size_t size, size_t i)
{
	if (i % 2 == 1)
		numbered(room, size, i / 2);
	else
		(void)snprintf(room, size, "a-%04zu", i / 2);
}

Test(prometheus_text, who_has_a_label_keeps_it)
{
	ask(100, numbered);
	free(text);
	ask(200, with_later);
	cr_expect_eq(count_lines("steadycache_entries{"), 101);
	cr_expect_eq(count_lines("steadycache_entries{namespace=\"a-"), 0);
	cr_expect_eq(count_lines("steadycache_entries{namespace=\"other\"} 100\n"), 1);
	cr_expect_eq(count_lines("steadycache_hits_total{namespace=\"ns-0099\"} 199\n"), 1);
	free(text);
	/* One of them is missing for a while, as with a different upstream. */
	ask(99, numbered);
	free(text);
	ask(200, with_later);
	cr_expect_eq(count_lines("steadycache_hits_total{namespace=\"ns-0099\"} 199\n"), 1);
	free(text);
}

Test(prometheus_text, the_server_and_the_process)
{
	fake_figures.connections = 5;
	fake_figures.unanswered = 6;
	fake_figures.waiting = 8;
	fake_figures.leases = 9;
	fake_latency = (struct route_latency){.route = "/x", .method = "PUT"};
	fake_latency.latency.count[0] = 1;
	fake_latency.latency.count[2] = 2;
	fake_latency.latency.count[LATENCY_BOUNDS] = 4;
	fake_latency.latency.sum_ns = UINT64_C(41500000000);
	fake_operations[0] =
		(struct operation_count){.type = CACHE_OP_GET, .status = CACHE_OK, .count = 11};
	fake_operations[1] = (struct operation_count){
		.type = CACHE_OP_GET, .status = CACHE_NOT_FOUND, .count = 12};
	fake_operations[2] = (struct operation_count){
		.type = CACHE_OP_SET, .status = CACHE_TIMEOUT, .count = 13};
	fake_process = (struct process_figures){.resident_bytes = 4096, .cpu_s = 1.5};
	fake_answers[0] =
		(struct answer_count){.route = "/x", .method = "GET", .status = 404, .count = 3};
	fake_answers[1] = (struct answer_count){.route = "none", .method = "other", .count = 4};
	ask(0, NULL);
	cr_expect_eq(
		count_lines("steadycache_build_info{version=\"1.2.3\",backend=\"holding\"} 1\n"),
		1);
	cr_expect_eq(count_lines("steadycache_connections 5\n"), 1);
	cr_expect_eq(count_lines("steadycache_requests_unanswered_total 6\n"), 1);
	cr_expect_eq(count_lines("steadycache_requests_total{route=\"/x\",method=\"GET\","
				 "status=\"404\"} 3\n"),
		     1);
	cr_expect_eq(count_lines("steadycache_requests_total{route=\"none\",method=\"other\","
				 "status=\"other\"} 4\n"),
		     1);
#define PUT_X "{route=\"/x\",method=\"PUT\""
	cr_expect_eq(count_lines("steadycache_request_duration_seconds_bucket" PUT_X
				 ",le=\"4e-06\"} 1\n"),
		     1);
	cr_expect_eq(count_lines("steadycache_request_duration_seconds_bucket" PUT_X
				 ",le=\"1e-05\"} 3\n"),
		     1);
	cr_expect_eq(
		count_lines("steadycache_request_duration_seconds_bucket" PUT_X ",le=\"10\"} 3\n"),
		1);
	cr_expect_eq(count_lines("steadycache_request_duration_seconds_bucket" PUT_X
				 ",le=\"+Inf\"} 7\n"),
		     1);
	cr_expect_eq(count_lines("steadycache_request_duration_seconds_sum" PUT_X "} 41.5\n"), 1);
	cr_expect_eq(count_lines("steadycache_request_duration_seconds_count" PUT_X "} 7\n"), 1);
	cr_expect_eq(count_lines("steadycache_requests_waiting 8\n"), 1);
	cr_expect_eq(count_lines("steadycache_leases 9\n"), 1);
	cr_expect_eq(count_lines("steadycache_backend_operations_total{"), 3);
	cr_expect_eq(count_lines("steadycache_backend_operations_total{operation=\"get\","
				 "result=\"not_found\"} 12\n"),
		     1);
	cr_expect_eq(count_lines("steadycache_backend_errors_total{"), 1);
	cr_expect_eq(count_lines("steadycache_backend_errors_total{operation=\"set\","
				 "error=\"timeout\"} 13\n"),
		     1);
	cr_expect_eq(count_lines("process_resident_memory_bytes 4096\n"), 1);
	cr_expect_eq(count_lines("process_cpu_seconds_total 1.5\n"), 1);
	cr_expect_eq(count_lines("process_start_time_seconds 1700000000\n"), 1);
	cr_expect_eq(count_lines("steadycache_backend_up 1\n"), 1);
	free(text);
}

/* The server's own counts matter most when the backend fails. */
Test(prometheus_text, a_backend_that_fails_is_down_and_the_rest_is_told)
{
	fake_request_init(&fake);
	(void)fake_request_start(&fake, &handler_metrics);
	cr_expect(held_op->patience_us > 0 && held_op->patience_us <= 2 * US_PER_S,
		  "scrapers wait no longer");
	fake_request_finish(&fake, CACHE_UNAVAILABLE);
	cr_expect_eq(fake.response.status, 200);
	text = strndup(fake_response_body(&fake).data, fake_response_body(&fake).len);
	cr_expect_eq(count_lines("steadycache_backend_up 0\n"), 1);
	cr_expect_eq(count_lines("steadycache_connections "), 1);
	cr_expect_eq(count_lines("steadycache_entries"), 0);
	free(text);
	fake_request_close(&fake);
}

/* ---- Gauges ---- */

static size_t some_gauges(struct backend *backend, struct backend_gauge *ret, size_t max)
{
	const struct backend_gauge gauges[] = {
		{.group = "upstream", .name = "breaker", .text = "half_open", .help = "B."},
		{.group = "upstream", .name = "latency_avg_us", .value = 1500, .help = "L."},
		{.group = "near", .name = "used_bytes", .value = 12, .help = "U."},
		{.group = "near", .name = "us", .value = 3, .help = "N."},
		{.group = "near", .name = "hits", .value = 4, .help = "H.", .counts = true},
		{.group = "near", .name = "busy_us", .value = 5, .help = "T.", .counts = true},
	};

	(void)backend;
	cr_assert_geq(max, 6);
	memcpy(ret, gauges, sizeof(gauges));
	return 6;
}

Test(prometheus_text, gauges_of_the_backend)
{
	struct backend_ops ops = *fake_context.backend->ops;
	struct backend backend = {.ops = &ops};

	ops.gauges = some_gauges;
	fake_context.backend = &backend;
	ask(0, NULL);
	cr_expect_eq(count_lines("steadycache_upstream_breaker{state=\"half_open\"} 1\n"), 1);
	cr_expect_eq(count_lines("steadycache_upstream_latency_avg_seconds 0.0015\n"), 1);
	cr_expect_eq(count_lines("steadycache_near_used_bytes 12\n"), 1);
	cr_expect_eq(count_lines("steadycache_near_us 3\n"), 1);
	cr_expect_eq(count_lines("# HELP steadycache_near_hits_total H.\n"
				 "# TYPE steadycache_near_hits_total counter\n"
				 "steadycache_near_hits_total 4\n"),
		     1);
	cr_expect_eq(count_lines("steadycache_near_busy_seconds_total 5e-06\n"), 1);
	free(text);
}
