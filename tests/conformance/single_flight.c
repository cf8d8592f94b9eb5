/* Single flight: one computes, the others wait. */
#include "tests/conformance/conformance.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void open_flight(void)
{
	conformance_open();
	requires_feature("single-flight");
}

TestSuite(single_flight, .init = open_flight, .fini = conformance_close,
	  .timeout = SUITE_TIMEOUT_S);

#define CLIENTS 24

/* The token of an answer's "<token>; ttl=<seconds>", kept as with quoted(). */
static const char *lease_of(const struct http_answer *answer)
{
	const char *lease = http_header(answer, "Lease");

	expect_status(answer, 404);
	expect_that(answer, lease && strlen(lease) > 32 && strncmp(lease + 32, "; ttl=", 6) == 0,
		    "expected a Lease");
	return quoted("%.32s", lease);
}

static void expect_plain_miss(const struct http_answer *answer)
{
	expect_problem(answer, 404, "no such entry");
	expect_header(answer, "Lease", NULL);
}

Test(single_flight, a_hit_is_a_hit)
{
	must_set("k", "v");
	expect_body(http_get(client, entry_path("k?wait=10&lease=10")), SLICE("v"));
	expect_header(http_get(client, entry_path("k?wait=10&lease=10")), "Lease", NULL);
	expect_d1(d1("get", "'key':'k','wait':10,'lease':10"), 200, "{'found':true,'value':'v'}");
}

Test(single_flight, only_the_first_gets_the_lease)
{
	const struct http_answer *first = http_get(client, entry_path("k?lease=60"));

	(void)lease_of(first);
	expect_that(first, strstr(http_header(first, "Lease"), "; ttl=60") != NULL,
		    "expected the ttl that was asked for");
	expect_plain_miss(http_get(client, entry_path("k?lease=60")));
	expect_plain_miss(http_get(client, entry_path("k?lease=60&wait=0.1")));
	expect_plain_miss(http_get(client, entry_path("k?wait=0.1")));
	expect_d1(d1("get", "'key':'k','lease':60"), 200, "{'found':false}");
	/* Another key and another namespace have leases of their own. */
	(void)lease_of(http_get(client, entry_path("other?lease=60")));
}

Test(single_flight, a_miss_with_a_lease_is_for_one)
{
	const struct http_answer *answer = http_get(client, entry_path("k?lease=2.5"));

	(void)lease_of(answer);
	expect_that(answer, strstr(http_header(answer, "Lease"), "; ttl=2.5") != NULL,
		    "expected the ttl that was asked for");
	expect_header(answer, "Cache-Control", "no-store");
	expect_header(answer, "Cache-Status", "steadycache; fwd=miss");
}

Test(single_flight, zero_is_as_good_as_nothing)
{
	expect_plain_miss(http_get(client, entry_path("k?lease=0&wait=0")));
	expect_d1(d1("get", "'key':'k','lease':0,'wait':0"), 200, "{'found':false}");
	(void)lease_of(http_get(client, entry_path("k?lease=60&wait=0")));
}

Test(single_flight, a_release_lets_the_next_compute)
{
	const char *token = lease_of(http_get(client, entry_path("k?lease=60")));
	const char *header = quoted("Lease: %s", token);

	/* Header values may be sent back as they were received. */
	expect_status(http_delete(client, entry_path("k"), quoted("Lease: %s; ttl=60", token)),
		      204);
	expect_status(http_delete(client, entry_path("k"), header), 204); /* is already over */
	cr_assert_str_neq(lease_of(http_get(client, entry_path("k?lease=60"))), token);
	/* Neither the old token nor one of another key ends the new lease. */
	expect_status(http_delete(client, entry_path("k"), header), 204);
	token = lease_of(http_get(client, entry_path("other?lease=60")));
	expect_problem(http_delete(client, entry_path("k"), quoted("Lease: %s", token)), 404,
		       "no such lease");
	expect_plain_miss(http_get(client, entry_path("k?lease=60")));
	expect_plain_miss(http_get(client, entry_path("other?lease=60")));
	expect_problem(
		http_delete(client, entry_path("k"), "Lease: 00112233445566778899aabbccddeeff"),
		404, "no such lease");
}

/* HEAD does neither; what it says of an entry does not change. */
Test(single_flight, head_takes_no_lease)
{
	const struct http_answer *answer = http_head(client, entry_path("k?lease=60&wait=60"));

	expect_status(answer, 404);
	expect_header(answer, "Lease", NULL);
	(void)lease_of(http_get(client, entry_path("k?lease=60")));
}

Test(single_flight, conditions_and_ranges_are_of_the_value)
{
	const char *range = "Range: bytes=1-2";
	const char *etag = NULL;

	(void)lease_of(http_get(client, entry_path("k?lease=60"), range));
	must_set("k", "value");
	etag = quoted("If-None-Match: %s", http_header(http_get(client, entry_path("k")), "ETag"));
	expect_status(http_get(client, entry_path("k?lease=60&wait=60"), range), 206);
	expect_body(http_get(client, entry_path("k?lease=60&wait=60"), range), SLICE("al"));
	expect_status(http_get(client, entry_path("k?lease=60&wait=60"), etag), 304);
	/* A condition on a missing entry makes it a miss like any other. */
	(void)lease_of(http_get(client, entry_path("other?lease=60"), etag));
}

Test(single_flight, a_release_does_not_touch_the_entry)
{
	const char *token = lease_of(http_get(client, entry_path("k?lease=60")));

	must_set("k", "v");
	expect_status(http_delete(client, entry_path("k"), quoted("Lease: %s", token)), 204);
	expect_body(http_get(client, entry_path("k")), SLICE("v"));
}

Test(single_flight, a_lease_lapses)
{
	const char *token = lease_of(http_get(client, entry_path("k?lease=0.3")));
	const char *next = lease_of(http_get(client, entry_path("k?lease=60&wait=60")));

	cr_assert_str_neq(token, next);
	/* The value is stored all the same. */
	expect_status(http_put(client, entry_path("k"), SLICE("late"), quoted("Lease: %s", token)),
		      201);
	expect_body(http_get(client, entry_path("k")), SLICE("late"));
}

Test(single_flight, the_value_ends_the_lease)
{
	const char *token = lease_of(http_get(client, entry_path("k?lease=60")));

	expect_status(http_put(client, entry_path("k"), SLICE("v"), quoted("Lease: %s", token)),
		      201);
	expect_status(http_delete(client, entry_path("k")), 204);
	(void)lease_of(http_get(client, entry_path("k?lease=60")));
}

Test(single_flight, tokens_that_are_none)
{
	expect_problem(http_put(client, entry_path("k"), SLICE("v"), "Lease: nonsense"), 400,
		       "lease");
	expect_problem(http_delete(client, entry_path("k"), "Lease: nonsense"), 400, "lease");
	expect_d1_error(d1("set", "'key':'k','value':'v','size':1,'lease':'x'"), 400, "lease");
	expect_d1_error(d1("set", "'key':'k','value':'v','size':1,'lease':7"), 400, "lease");
	expect_status(http_get(client, entry_path("k")), 404);
	/* A token of the right form may belong to a lease that has lapsed. */
	expect_status(http_put(client, entry_path("k"), SLICE("v"),
			       "Lease: 00112233445566778899aabbccddeeff"),
		      201);
}

Test(single_flight, times_that_are_none)
{
	static const char *const bad[] = {
		"k?wait=301",     "k?wait=-1",         "k?wait=",
		"k?wait=x",       "k?wait=1e2",        "k?lease=-5",
		"k?lease=3600.1", "k?lease=1.0000001", "k?lease=99999999999999999999",
		"k?wait=.5",      "k?wait=300.000001",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_problem(http_get(client, entry_path(bad[i])), 400, "number of seconds");
	expect_problem(http_get(client, entry_path("k?wait=301")), 400, "to 300");
	expect_problem(http_get(client, entry_path("k?lease=3601")), 400, "to 3600");
	expect_status(http_get(client, entry_path("k?lease=3600&wait=300")), 404);
	expect_problem(http_get(client, entry_path("k?lease=5&bind=socket")), 400, "bind");
	expect_problem(http_get(client, entry_path("k?wait=5&bind=connection")), 400, "bind");
	expect_d1_error(d1("get", "'key':'k','wait':-1"), 400, "wait");
	expect_d1_error(d1("get", "'key':'k','lease':3601"), 400, "to 3600");
	expect_d1_error(d1("get", "'key':'k','wait':'1'"), 400, "wait");
	expect_d1_error(d1("get", "'key':'k','wait':1e300"), 400, "wait");
}

Test(single_flight, over_api_alone)
{
	const struct http_answer *answer = d1("get", "'key':'k','lease':60");
	json_auto_t *json = http_json(answer);
	const char *token = json_string_value(json_object_get(json, "lease"));

	expect_that(answer, token && json_is_false(json_object_get(json, "found")),
		    "expected a lease");
	expect_d1(d1("get", "'key':'k','lease':60,'wait':0.05"), 200, "{'found':false}");
	expect_d1(d1("set", "'key':'k','value':'v','size':1,'lease':'%s'", token), 200,
		  "{'success':true}");
	expect_d1(d1("get", "'key':'k','lease':60,'wait':0.05"), 200, "{'found':true,'value':'v'}");
}

/* A client that only waits does not compute, and waits even if nobody holds a lease. */
static const char *wait_only(size_t index, void *user)
{
	struct http_client *mine = http_client_open(server_url, api_key);
	const char *failure = NULL;

	if (index == 0) {
		atomic_uint *asked = user;

		atomic_store(asked, 1);
		if (!slice_equal(http_body(http_get(mine, entry_path("k?wait=60"))), SLICE("v")))
			failure = "not the value";
	} else {
		atomic_uint *asked = user;

		while (atomic_load(asked) == 0)
			;
		if (http_put(mine, entry_path("k"), SLICE("v"))->status != 201)
			failure = "the put failed";
	}
	http_client_close(mine);
	return failure;
}

Test(single_flight, a_wait_alone_ends_with_the_value)
{
	atomic_uint asked = 0;
	const char *failure = in_threads(2, wait_only, &asked);

	cr_assert(failure == NULL, "%s", failure);
	expect_plain_miss(http_get(client, entry_path("other?wait=0.05")));
}

/* ---- Refused writes ---- */

static const char *take_lease(void)
{
	return lease_of(http_get(client, entry_path("k?lease=60")));
}

/* Expects that no lease is out on k. */
static void expect_none_out(const char *old_token)
{
	const char *token = take_lease();

	cr_assert_str_neq(token, old_token);
	expect_status(http_delete(client, entry_path("k"), quoted("Lease: %s", token)), 204);
}

Test(single_flight, a_refused_put_ends_the_lease)
{
	const struct {
		const char *target;
		const char *header;
		size_t len;
		int status;
	} cases[] = {
		{entry_path("k?ttl=x"), "A: b", 1, 400},
		{entry_path("k?tll=1"), "A: b", 1, 400},
		{entry_path("k"), "Content-Range: bytes 0-0/1", 1, 400},
		{entry_path("k"), "If-Match: unquoted", 1, 400},
		{entry_path("k"), "If-Match: *", 1, 412},
		{entry_path("k"), "A: b", 70000, 413},
	};
	char *value = calloc(1, 70000);

	requires_feature("limits");
	expect_status(configure("'max_size_mb':0.0625"), 204);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *token = take_lease();

		expect_status(http_put(client, cases[i].target,
				       ((struct slice){.data = value, .len = cases[i].len}),
				       cases[i].header, quoted("Lease: %s; ttl=60", token)),
			      cases[i].status);
		expect_none_out(token);
	}
	free(value);
}

Test(single_flight, a_put_that_finds_no_room_ends_the_lease)
{
	const char *token;

	requires_feature("limits");
	expect_status(configure("'capacity':%u,'eviction':'none'", partitions()), 204);
	must_set("other", "v");
	/* Until no partition has room, most likely. */
	for (unsigned i = 1; i < partitions() * 10; i++)
		if (partitions() > 1)
			(void)http_put(client, entry_path(quoted("other%u", i)), SLICE("v"));
	token = take_lease();
	expect_status(http_put(client, entry_path("k"), SLICE("v"), quoted("Lease: %s", token)),
		      507);
	expect_none_out(token);
}

/* It is refused before a byte of it is read. */
Test(single_flight, a_put_that_is_too_long_ends_the_lease)
{
	const char *max_body = getenv("STEADYCACHE_TEST_MAX_BODY");
	struct raw_socket raw;
	const char *token;

	requires_feature("raw");
	if (!max_body)
		cr_skip("the limit of the server is not known");
	token = take_lease();
	cr_assert(raw_open(&raw, server_url));
	(void)raw_send_text(&raw,
			    "PUT %s HTTP/1.1\r\nHost: localhost\r\n%s%s%s\r\nLease: "
			    "%s\r\nContent-Length: %lld\r\n\r\n",
			    entry_path("k"), api_key ? "Authorization: Bearer " : "",
			    api_key ? api_key : "X: y", "", token, atoll(max_body) + 1);
	cr_assert_eq(raw_await_answer(&raw, 10000), 413, "got: %s", raw.received);
	raw_close(&raw);
	expect_none_out(token);
}

Test(single_flight, a_refused_api_set_ends_the_lease)
{
	static const struct {
		const char *members;
		int status;
	} cases[] = {
		{"'value':1", 400},
		{"'value':'v','size':-1", 400},
		{"'value':'v','size':99999", 413},
	};

	requires_feature("limits");
	expect_status(configure("'max_size_mb':0.0625"), 204);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *token = take_lease();

		expect_status(
			d1("set", "'key':'k',%s,'lease':'%s'", requoted(cases[i].members), token),
			cases[i].status);
		expect_none_out(token);
	}
}

Test(single_flight, a_write_that_may_be_tried_again_keeps_the_lease)
{
	const char *lease = quoted("Lease: %s", take_lease());

	if (api_key)
		expect_status(http_put(client, entry_path("k"), SLICE("v"), lease,
				       "Authorization: Bearer wrong"),
			      401);
	/* A token of another key, or one that was never given, does not affect this lease. */
	expect_status(http_put(client, entry_path("other?ttl=x"), SLICE("v"), lease), 400);
	expect_status(http_put(client, entry_path("k?ttl=x"), SLICE("v"),
			       "Lease: 00112233445566778899aabbccddeeff"),
		      400);
	expect_status(http_put(client, entry_path("k?ttl=x"), SLICE("v"), "Lease: nonsense"), 400);
	expect_status(http_put(client, entry_path("k?ttl=x"), SLICE("v")), 400);
	expect_plain_miss(http_get(client, entry_path("k?lease=60")));
}

/* The first has the lease and is refused, the second waits for it. */
static const char *refused_and_heir(size_t index, void *user)
{
	struct http_client *mine = http_client_open(server_url, api_key);
	const char *const *token = user;
	const char *failure = NULL;

	if (index == 0) {
		if (http_put(mine, entry_path("k"), SLICE("v"), "If-Match: *",
			     quoted("Lease: %s", *token))
			    ->status != 412)
			failure = "not refused";
	} else {
		const char *lease =
			http_header(http_get(mine, entry_path("k?lease=60&wait=60")), "Lease");

		if (!lease || strncmp(lease, *token, 32) == 0)
			failure = "no lease of its own";
	}
	http_client_close(mine);
	return failure;
}

Test(single_flight, the_next_who_waits_has_the_lease_of_one_who_is_refused)
{
	for (int round = 0; round < 20; round++) {
		const char *token = lease_of(http_get(client, entry_path("k?lease=60")));
		const char *failure = in_threads(2, refused_and_heir, &token);

		cr_assert(failure == NULL, "%s", failure);
		/* Exactly one client has it now. */
		expect_plain_miss(http_get(client, entry_path("k?lease=60")));
		must_set("k", "v");
		expect_status(http_delete(client, entry_path("k")), 204);
	}
}

/* Requests that some clients send at once, and how the value arrives. */
struct crowd {
	atomic_uint computed;
	const char *(*store)(struct http_client *mine, const char *token);
};

static const char *store_put(struct http_client *mine, const char *token)
{
	return http_put(mine, entry_path("k"), SLICE("v"), quoted("Lease: %s", token))->status ==
			       201
		       ? NULL
		       : "the put failed";
}

static const char *store_json(struct http_client *mine, const char *path, const char *json)
{
	return http_post_json(mine, path, json)->status == 200 ? NULL : "the set failed";
}

static const char *store_set(struct http_client *mine, const char *token)
{
	return store_json(mine, "/api/set",
			  quoted("{'cache_name':'%s','key':'k','value':'v','size':1,"
				 "'lease':'%s'}",
				 ns, token));
}

static const char *store_batch(struct http_client *mine, const char *token)
{
	(void)token;
	return store_json(mine, "/api/batch/set",
			  quoted("{'cache_name':'%s','items':[{'key':'a','value':'w'},"
				 "{'key':'k','value':'v'}]}",
				 ns));
}

static const char *store_rest_batch(struct http_client *mine, const char *token)
{
	(void)token;
	return store_json(mine, quoted("/batch/%s/set", ns),
			  "{\"items\":[{\"key\":\"k\",\"value\":\"v\"}]}");
}

static const char *get_or_compute(size_t index, void *user)
{
	struct crowd *crowd = user;
	struct http_client *mine = http_client_open(server_url, api_key);
	const char *failure = NULL;
	/* Some compute if they can, some only wait. The first is one of the former. */
	const char *query = index % 4 == 3 ? "k?wait=60" : "k?wait=60&lease=60";
	bool done = false;

	while (!done && !failure) {
		const struct http_answer *answer = http_get(mine, entry_path(query));
		const char *lease = http_header(answer, "Lease");

		if (answer->status == 404 && lease) {
			atomic_fetch_add(&crowd->computed, 1);
			failure = crowd->store(mine, quoted("%.32s", lease));
			done = true;
		} else if (answer->status == 200) {
			done = slice_equal(http_body(answer), SLICE("v"));
			failure = done ? NULL : "not the value";
		} else if (answer->status != 404 || index % 4 != 3) {
			failure = "a status that is neither 200 nor a miss of one who only waits";
		}
	}
	http_client_close(mine);
	return failure;
}

static void run_crowd(const char *(*store)(struct http_client *mine, const char *token))
{
	struct crowd crowd = {.store = store};
	const char *failure = in_threads(CLIENTS, get_or_compute, &crowd);

	cr_assert(failure == NULL, "%s", failure);
	cr_assert_eq(atomic_load(&crowd.computed), 1, "%u computed", atomic_load(&crowd.computed));
}

Test(single_flight, a_put_wakes)
{
	run_crowd(store_put);
}

Test(single_flight, an_api_set_wakes)
{
	run_crowd(store_set);
}

Test(single_flight, an_api_batch_set_wakes)
{
	run_crowd(store_batch);
}

Test(single_flight, a_batch_set_wakes)
{
	run_crowd(store_rest_batch);
}

/* Every client that gets the lease lets it lapse, except the last: each has it once, one at a
 * time. */
static const char *die_in_turn(size_t index, void *user)
{
	struct http_client *mine = http_client_open(server_url, api_key);
	const struct http_answer *answer =
		http_get(mine, entry_path("k?wait=60&lease=0.05"), "Connection: close");
	atomic_uint *leases = user;
	const char *failure = NULL;

	(void)index;
	if (http_header(answer, "Lease"))
		atomic_fetch_add(leases, 1);
	else
		failure = "one got no lease though the others had let theirs lapse";
	http_client_close(mine);
	return failure;
}

Test(single_flight, lapsed_leases_go_round)
{
	atomic_uint leases = 0;
	const char *failure = in_threads(8, die_in_turn, &leases);

	cr_assert(failure == NULL, "%s", failure);
	cr_assert_eq(atomic_load(&leases), 8);
}
