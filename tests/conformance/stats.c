/* /stats, /stats/{ns}, /healthz, /readyz, /sync. */
#include "tests/conformance/conformance.h"

#include <string.h>

CONFORMANCE_SUITE(stats);

/* A number of /stats/{ns}. */
static double ns_stat(const char *name)
{
	const struct http_answer *answer = http_get(client, quoted("/stats/%s", ns));
	json_auto_t *document = http_json(answer);
	const json_t *number = json_object_get(document, name);

	expect_status(answer, 200);
	expect_header(answer, "Content-Type", "application/json; charset=UTF-8");
	expect_that(answer, json_is_number(number), "expected a number %s", name);
	return json_number_value(number);
}

Test(stats, of_a_namespace_has_the_fields_of_api_stats)
{
	requires_feature("limits");
	requires_feature("one-server");
	must_init_bytes(100000);
	must_set_sized("a", 100, 100);
	must_set_sized("b", 150, 150);
	expect_status(d1("get", "'key':'a'"), 200);
	cr_assert_eq(ns_stat("entry_count"), 2);
	cr_assert_eq(ns_stat("total_size"), 250);
	cr_assert_float_eq(ns_stat("avg_frequency"), 1.5, 1e-9);
	cr_assert_eq(ns_stat("max_frequency"), 2);
	cr_assert_eq(ns_stat("max_size_bytes"), 100000);
	cr_assert_float_eq(ns_stat("utilization"), 0.0025, 1e-9);
	cr_assert_eq(ns_stat("used_bytes"), 250 + 2 * TEXT_ENTRY_USED("a"));
}

Test(stats, counters)
{
	requires_feature("one-server");
	double hits = ns_stat("hits"), misses = ns_stat("misses"), sets = ns_stat("sets");
	double deletes = ns_stat("deletes");

	must_set("a", "1");
	expect_status(http_put(client, entry_path("b"), SLICE("2")), 201);
	expect_status(d1("get", "'key':'a'"), 200);
	expect_status(http_get(client, entry_path("b")), 200);
	expect_status(http_get(client, entry_path("absent")), 404);
	expect_status(d1("batch/get", "'keys':['a','b','absent','nothing']"), 200);
	expect_status(http_head(client, entry_path("a")), 200); /* counts as nothing */
	expect_status(d1("exists", "'key':'a'"), 200);
	expect_status(http_delete(client, entry_path("a")), 204);
	cr_assert_eq(ns_stat("sets") - sets, 2);
	cr_assert_eq(ns_stat("hits") - hits, 4);
	cr_assert_eq(ns_stat("misses") - misses, 3);
	cr_assert_eq(ns_stat("deletes") - deletes, 1);
	cr_assert_float_eq(ns_stat("hit_rate"),
			   ns_stat("hits") / (ns_stat("hits") + ns_stat("misses")), 1e-6);
}

Test(stats, evictions_and_capacity)
{
	const unsigned capacity = 2 * partitions(),
		       count = partitions() == 1 ? 3 : 5 * partitions();
	double evictions = ns_stat("evictions");

	requires_feature("limits");
	expect_that(configure("'capacity':%u,'eviction':'fifo'", capacity),
		    answer_->status / 100 == 2, "expected success");
	cr_assert_eq(ns_stat("capacity"), capacity);
	for (unsigned i = 0; i < count; i++)
		must_set(quoted("k%u", i), "1");
	evictions = ns_stat("evictions") - evictions;
	cr_assert_geq(evictions, count - capacity);
	cr_assert_eq(evictions, count - ns_stat("entry_count"));
	if (!lacks_feature("exact-eviction"))
		cr_assert_eq(evictions, 1);
	cr_assert_geq(ns_stat("expirations"), 0);
}

Test(stats, without_a_capacity_it_is_null)
{
	const struct http_answer *answer = http_get(client, quoted("/stats/%s", ns));
	json_auto_t *document = http_json(answer);

	expect_status(answer, 200);
	expect_that(answer, json_is_null(json_object_get(document, "capacity")),
		    "expected a capacity of null");
	expect_that(answer, json_number_value(json_object_get(document, "hit_rate")) == 0,
		    "expected a hit_rate of 0");
}

Test(stats, of_a_namespace_that_nobody_used)
{
	const struct http_answer *answer = http_get(client, quoted("/stats/%.50s_none", ns));
	json_auto_t *document = http_json(answer);

	expect_status(answer, 200);
	expect_that(answer, json_number_value(json_object_get(document, "entry_count")) == 0,
		    "expected an entry_count of 0");
}

Test(stats, of_the_server)
{
	const struct http_answer *answer;
	json_auto_t *document = NULL;
	const json_t *server, *totals, *namespaces;

	must_set("a", "1");
	answer = http_get(client, "/stats");
	expect_status(answer, 200);
	document = http_json(answer);
	server = json_object_get(document, "server");
	totals = json_object_get(document, "totals");
	namespaces = json_object_get(document, "namespaces");
	expect_that(answer, json_is_string(json_object_get(server, "version")),
		    "expected server.version");
	expect_that(answer, json_is_string(json_object_get(server, "backend")),
		    "expected server.backend");
	expect_that(answer, json_object_size(server) >= 3 && strstr(answer_->body, "\"uptime"),
		    "expected server.uptime");
	expect_that(answer,
		    lacks_feature("request-figures") ||
			    json_integer_value(json_object_get(server, "connections")) >= 1,
		    "expected server.connections");
	expect_that(answer, json_number_value(json_object_get(totals, "entry_count")) >= 1,
		    "expected totals.entry_count");
	expect_that(answer, json_is_number(json_object_get(totals, "total_size")),
		    "expected totals.total_size");
	expect_that(answer, namespaces && strstr(answer_->body, ns), "expected %s", ns);
}

/* Of all requests so far, including those of other tests. */
static double answered(double *ret_in_steps)
{
	const struct http_answer *answer = http_get(client, "/stats");
	json_auto_t *document = http_json(answer);
	const json_t *requests = json_object_get(document, "requests");
	const json_t *histogram = json_object_get(requests, "histogram");
	const json_t *count = json_object_get(histogram, "count");
	const json_t *p50 = json_object_get(json_object_get(requests, "latency_us"), "p50");

	expect_status(answer, 200);
	expect_that(answer, json_is_integer(json_object_get(requests, "server_errors")),
		    "expected requests.server_errors");
	expect_that(answer, json_is_number(p50) || json_is_null(p50),
		    "expected requests.latency_us.p50");
	expect_that(answer,
		    json_array_size(json_object_get(histogram, "upper_us")) ==
				    json_array_size(count) &&
			    json_array_size(count) > 10,
		    "expected requests.histogram");
	*ret_in_steps = 0;
	for (size_t i = 0; i < json_array_size(count); i++)
		*ret_in_steps += json_number_value(json_array_get(count, i));
	return json_number_value(json_object_get(requests, "total"));
}

Test(stats, of_the_requests)
{
	requires_feature("request-figures");
	double in_steps;
	double before = answered(&in_steps);

	cr_assert_eq(before, in_steps);
	for (int i = 0; i < 10; i++)
		expect_status(http_get(client, entry_path("absent")), 404);
	cr_assert_geq(answered(&in_steps) - before, 11);
}

Test(stats, health)
{
	const struct http_answer *answer = http_get(client, "/healthz");

	expect_status(answer, 200);
	answer = http_get(client, "/readyz");
	expect_status(answer, 200);
	expect_that(answer, answer_->len > 3 && answer_->body[answer_->len - 1] == '\n',
		    "expected one line a check");
	expect_status(http_head(client, "/healthz"), 200);
	expect_status(http_head(client, "/readyz"), 200);
}

Test(stats, sync)
{
	must_set("k", "v");
	expect_that(http_post(client, "/sync", NO_BODY),
		    answer_->status == 200 || answer_->status == 204, "expected 200 or 204");
	expect_that(http_post_json(client, "/sync", "{}"),
		    answer_->status == 200 || answer_->status == 204, "expected 200 or 204");
	expect_d1(d1("get", "'key':'k'"), 200, "{'found':true,'value':'v'}");
}

Test(stats, pretty)
{
	const struct http_answer *answer = http_get(client, quoted("/stats/%s?pretty", ns));

	expect_status(answer, 200);
	expect_that(answer, strstr(answer_->body, "{\n  \"") != NULL, "expected an indent");
}
