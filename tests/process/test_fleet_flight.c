/* Single flight at three servers that share a Redis: whatever server a request comes to, one client
 * at a time has the lease, and all who wait hear of its end and of the value. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/process/redis_scene.h"

#define SERVERS   3
#define LONG_MS   30000
#define CROWD_MAX 1200
/* Somebody who is told does not need to look again. */
#define TOLD_MS 10000

static struct server_process servers[SERVERS];
static struct http_client *clients[SERVERS];
static struct raw_socket crowd[CROWD_MAX];

/* Also one that was never opened. */
static void leave(size_t i)
{
	if (crowd[i].fd > 0)
		raw_close(&crowd[i]);
	crowd[i] = (struct raw_socket){0};
}

static void open_fleet(void)
{
	redis_scene_open();
	redis_scene_start("");
	scene_env_printf("STEADYCACHE_BACKEND=redis://127.0.0.1:%d?timeout=5", redis_scene_port());
	for (size_t i = 0; i < SERVERS; i++) {
		memcpy(servers[i].environment, scene.server.environment,
		       sizeof(servers[i].environment));
		server_start(&servers[i]);
		clients[i] = http_client_open(servers[i].url, NULL);
	}
}

static void close_fleet(void)
{
	for (size_t i = 0; i < CROWD_MAX; i++)
		leave(i);
	for (size_t i = 0; i < SERVERS; i++) {
		http_client_close(clients[i]);
		server_dispose(&servers[i]);
	}
	redis_scene_close();
}

TestSuite(fleet_flight, .init = open_fleet, .fini = close_fleet, .timeout = 120);

static void stop_fleet(void)
{
	for (size_t i = 0; i < SERVERS; i++)
		cr_assert(server_stop(&servers[i]));
}

/* ---- Requests, each at the next server ---- */

static unsigned turn;

static struct http_client *next(void)
{
	return clients[turn++ % SERVERS];
}

static const struct http_answer *get(const char *query)
{
	char target[200];

	(void)snprintf(target, sizeof(target), "/cache/ns/%s", query);
	return http_get(next(), target);
}

static const char *lease_header(const char *token)
{
	static char headers[8][60];
	static unsigned at;
	char *header = headers[at++ % 8];

	(void)snprintf(header, sizeof(headers[0]), "Lease: %s", token);
	return header;
}

struct token {
	char text[33];
};

static struct token token_of(const struct http_answer *answer)
{
	const char *lease = http_header(answer, "Lease");
	struct token token = {""};

	expect_status(answer, 404);
	expect_that(answer, lease && strlen(lease) > 32, "expected a Lease");
	memcpy(token.text, lease, 32);
	return token;
}

static void expect_plain_miss(const struct http_answer *answer)
{
	expect_status(answer, 404);
	expect_header(answer, "Lease", NULL);
}

static const struct http_answer *put(const char *value, const char *header)
{
	return http_put(next(), "/cache/ns/k", slice_of(value), header);
}

static int give_back(const char *key, const char *token)
{
	char target[200];

	(void)snprintf(target, sizeof(target), "/cache/ns/%s", key);
	return (int)http_delete(next(), target, lease_header(token))->status;
}

Test(fleet_flight, any_server_serves_any_request)
{
	struct token first, second, other;

	for (unsigned round = 0; round < SERVERS; round++) {
		turn = round;
		first = token_of(get("k?lease=60"));
		expect_plain_miss(get("k?lease=60"));
		expect_plain_miss(get("k?lease=60&wait=0.05"));
		other = token_of(get("other?lease=60"));
		cr_expect_eq(give_back("k", other.text), 404);
		cr_expect_eq(give_back("k", "00112233445566778899aabbccddeeff"), 404);
		expect_plain_miss(get("k?lease=60"));
		/* Given back, it is free at once, and the old token has no power over the new
		 * lease. */
		cr_expect_eq(give_back("k", first.text), 204);
		second = token_of(get("k?lease=60"));
		cr_expect_str_neq(second.text, first.text);
		cr_expect_eq(give_back("k", first.text), 204);
		expect_plain_miss(get("k?lease=60"));
		/* A value that is refused for good ends the lease. */
		expect_status(http_put(next(), "/cache/ns/k", SLICE("v"), "If-Match: *",
				       lease_header(second.text)),
			      412);
		first = token_of(get("k?lease=60"));
		expect_status(
			http_put(next(), "/cache/ns/k?ttl=x", SLICE("v"), lease_header(first.text)),
			400);
		first = token_of(get("k?lease=60"));
		/* So does a value, whoever stores it. */
		expect_status(put("v", round == 0 ? lease_header(first.text) : "A: b"), 201);
		for (size_t i = 0; i < SERVERS; i++)
			expect_body(get("k?lease=60&wait=60"), SLICE("v"));
		cr_expect_eq(give_back("k", first.text), 204);
		expect_status(http_delete(next(), "/cache/ns/k"), 204);
		first = token_of(get("k?lease=60"));
		cr_expect_eq(give_back("k", first.text), 204);
		cr_expect_eq(give_back("other", other.text), 204);
	}
	stop_fleet();
}

/* ---- Requests that wait ---- */

static void ask(size_t i, size_t server, const char *query)
{
	leave(i);
	cr_assert(raw_open(&crowd[i], servers[server].url));
	cr_assert(raw_send_text(&crowd[i], "GET /cache/ns/%s HTTP/1.1\r\nHost: localhost\r\n\r\n",
				query));
}

static size_t count_waiting(size_t server)
{
	const char *name = "\nsteadycache_requests_waiting ";
	const char *found = strstr(http_get(clients[server], "/metrics")->body, name);

	return found ? strtoul(found + strlen(name), NULL, 10) : 0;
}

static void await_waiting(size_t server, size_t count)
{
	cr_assert(await_condition(count_waiting(server) == count, LONG_MS),
		  "%zu wait at server %zu", count_waiting(server), server);
}

static void expect_lease(size_t i, int timeout_ms)
{
	cr_assert_eq(raw_await_answer(&crowd[i], timeout_ms), 404, "%s", crowd[i].received);
	cr_assert(strstr(crowd[i].received, "\r\nLease: "), "%s", crowd[i].received);
}

static void expect_value(size_t i, int timeout_ms)
{
	cr_assert_eq(raw_await_answer(&crowd[i], timeout_ms), 200, "%zu: %s", i, crowd[i].received);
	cr_assert(strstr(crowd[i].received, "computed"));
}

static struct token token_in(size_t i)
{
	struct token token = {""};

	memcpy(token.text, strstr(crowd[i].received, "\r\nLease: ") + 9, 32);
	return token;
}

/* Waits for an answer to one of the crowd, the only one; returns its number. */
static size_t await_holder(size_t count)
{
	struct pollfd set[CROWD_MAX];
	size_t holder = 0;

	for (size_t i = 0; i < count; i++)
		set[i] = (struct pollfd){.fd = crowd[i].fd, .events = POLLIN};
	cr_assert_eq(poll(set, count, LONG_MS), 1, "one, and only one, is answered");
	for (size_t i = 0; i < count; i++)
		if (set[i].revents)
			holder = i;
	expect_lease(holder, LONG_MS);
	return holder;
}

/* STEADYCACHE_TEST_CROWD: how many, for measurements. */
static size_t crowd_size(void)
{
	const char *wanted = getenv("STEADYCACHE_TEST_CROWD");

	return wanted ? strtoul(wanted, NULL, 10) : 60;
}

Test(fleet_flight, one_of_a_crowd_computes)
{
	size_t count = crowd_size(), holder, waiting = 0;
	long long began_ms, put_ms;

	for (size_t i = 0; i < count; i++)
		ask(i, i % SERVERS, i % 4 == 3 ? "k?wait=100" : "k?wait=100&lease=100");
	holder = await_holder(count);
	cr_assert(await_condition((waiting = count_waiting(0) + count_waiting(1) +
					     count_waiting(2)) == count - 1,
				  LONG_MS),
		  "%zu wait", waiting);
	turn = (unsigned)holder + 1; /* not where it got the lease */
	began_ms = steady_now_ms();
	expect_status(put("computed", lease_header(token_in(holder).text)), 201);
	put_ms = steady_now_ms() - began_ms;
	for (size_t i = 0; i < count; i++)
		if (i != holder)
			expect_value(i, TOLD_MS);
	printf("%zu clients at %d servers: the PUT took %lld ms, all were answered after %lld ms\n",
	       count, SERVERS, put_ms, steady_now_ms() - began_ms);
	(void)fflush(stdout);
	stop_fleet();
}

Test(fleet_flight, each_end_is_heard_where_somebody_waits)
{
	struct raw_socket *holder = &crowd[9];
	struct token token = token_of(http_get(clients[0], "/cache/ns/k?lease=300"));

	/* Given back. */
	ask(1, 1, "k?wait=100&lease=1");
	await_waiting(1, 1);
	turn = 2;
	cr_assert_eq(give_back("k", token.text), 204);
	expect_lease(1, TOLD_MS);
	/* Lapsed. */
	ask(2, 2, "k?wait=100&lease=300&bind=connection");
	expect_lease(2, TOLD_MS);
	/* Its connection closed. */
	ask(0, 0, "k?wait=100&lease=300&bind=connection");
	await_waiting(0, 1);
	leave(2);
	expect_lease(0, TOLD_MS);
	/* Its server stops. */
	ask(1, 1, "k?wait=100&lease=1");
	await_waiting(1, 1);
	cr_assert(server_stop(&servers[0]));
	expect_lease(1, TOLD_MS);
	server_start(&servers[0]);
	/* Its server dies. */
	ask(9, 0, "k?wait=100&lease=2&bind=connection");
	cr_assert_eq(raw_await_answer(holder, TOLD_MS), 404);
	ask(2, 2, "k?wait=100&lease=300");
	await_waiting(2, 1);
	server_kill(&servers[0]);
	expect_lease(2, TOLD_MS);
	leave(2);
}

Test(fleet_flight, one_who_only_waits_hears_of_every_set)
{
	static const char *const paths[] = {"/api/set", "/api/batch/set", "/batch/ns/set"};
	static const char *const bodies[] = {
		"{\"cache_name\":\"ns\",\"key\":\"k\",\"value\":\"computed\",\"size\":8}",
		("{\"cache_name\":\"ns\",\"items\":[{\"key\":\"a\",\"value\":\"v\"},"
		 "{\"key\":\"k\",\"value\":\"computed\"}]}"),
		"{\"items\":[{\"key\":\"k\",\"value\":\"computed\"}]}",
	};

	for (size_t i = 0; i < 3; i++) {
		ask(0, i, "k?wait=100");
		await_waiting(i, 1);
		expect_status(http_post_json(clients[(i + 1) % SERVERS], paths[i], bodies[i]), 200);
		expect_value(0, TOLD_MS);
		leave(0);
		expect_status(http_delete(next(), "/cache/ns/k"), 204);
	}
	stop_fleet();
}

/* A lease goes round all servers: each client has it once, one at a time. */
Test(fleet_flight, lapsed_leases_go_round)
{
	enum { COUNT = 9 };
	struct pollfd set[COUNT];
	size_t answered = 0;

	for (size_t i = 0; i < COUNT; i++)
		ask(i, i % SERVERS, "k?wait=100&lease=0.05");
	for (size_t i = 0; i < COUNT; i++)
		set[i] = (struct pollfd){.fd = crowd[i].fd, .events = POLLIN};
	while (answered < COUNT) {
		cr_assert_gt(poll(set, COUNT, LONG_MS), 0);
		for (size_t i = 0; i < COUNT; i++)
			if (set[i].revents) {
				expect_lease(i, LONG_MS);
				set[i].fd = -1;
				answered++;
			}
	}
	stop_fleet();
}

/* ---- Redis fails ---- */

Test(fleet_flight, without_redis_nobody_gets_a_lease_and_nobody_hangs)
{
	struct token token = token_of(get("k?lease=300"));

	ask(0, 0, "k?wait=100&lease=300");
	ask(1, 1, "k?wait=100&lease=300");
	await_waiting(0, 1);
	await_waiting(1, 1);
	redis_scene_kill();
	for (size_t i = 0; i < SERVERS; i++)
		expect_status(get("other?wait=100&lease=100"), 503);
	cr_expect_eq(give_back("k", token.text), 503);
	/* It comes back, and has forgotten all leases: one of those who wait computes. */
	redis_scene_start("");
	struct pollfd set[2] = {{.fd = crowd[0].fd, .events = POLLIN},
				{.fd = crowd[1].fd, .events = POLLIN}};
	cr_assert_eq(poll(set, 2, LONG_MS), 1);
	size_t holder = set[0].revents ? 0 : 1;
	expect_lease(holder, LONG_MS);
	await_waiting(1 - holder, 1);
	/* The third server may still have to find out. */
	token = token_in(holder);
	cr_assert(
		await_condition(put("computed", lease_header(token.text))->status == 201, LONG_MS));
	expect_value(1 - holder, TOLD_MS);
	stop_fleet();
}
