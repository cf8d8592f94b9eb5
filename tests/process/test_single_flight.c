/* Single flight with many clients, with clients that die, and with a server that stops. */
#include "tests/process/scene.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

PROCESS_SUITE(single_flight);

#define CROWD_MAX 10000
#define LONG_MS   30000
/* What a parked request may cost on top of an idle connection. */
#define PARKED_BYTES_MAX 4096

#ifdef __SANITIZE_ADDRESS__
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif

static struct raw_socket crowd[CROWD_MAX];

static void start(const char *backend)
{
	struct rlimit limit;

	cr_assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = limit.rlim_max;
	cr_assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	scene_env_printf("STEADYCACHE_BACKEND=%s", backend);
	scene_flag("--max-connections=10100");
	scene_start();
	/* Misses are counted in a namespace that exists. */
	expect_status(scene_put("other", "x"), 201);
}

/* How many connections this machine allows on both sides, up to `wanted`. */
static size_t crowd_size(size_t wanted)
{
	struct rlimit limit;

	cr_assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	return limit.rlim_max < wanted + 500 ? (size_t)limit.rlim_max - 500 : wanted;
}

static void ask(struct raw_socket *socket, const char *target)
{
	cr_assert(raw_send_text(socket, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", target));
}

static void open_and_ask(struct raw_socket *socket, const char *target)
{
	cr_assert(raw_open(socket, scene.server.url));
	ask(socket, target);
}

static bool has_lease(const struct raw_socket *socket)
{
	return strstr(socket->received, "\r\nLease: ") != NULL;
}

static void post(struct raw_socket *socket, const char *target, const char *json)
{
	cr_assert(raw_send_text(socket,
				"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
				"application/json\r\nContent-Length: %zu\r\n\r\n%s",
				target, strlen(json), json));
}

/* Takes a lease on ns/k for the scene's client; returns it, to be freed. */
static char *take_lease(const char *target)
{
	const struct http_answer *answer = http_get(scene.client, target);

	expect_status(answer, 404);
	expect_that(answer, http_header(answer, "Lease"), "expected a Lease");
	return strndup(http_header(answer, "Lease"), 32);
}

static void release(const char *key, const char *token)
{
	char target[64], header[80];

	(void)snprintf(target, sizeof(target), "/cache/ns/%s", key);
	(void)snprintf(header, sizeof(header), "Lease: %s", token);
	expect_status(http_delete(scene.client, target, header), 204);
}

/* A read counts its miss just before it parks. */
static void await_misses(double count)
{
	cr_assert(await_condition(scene_stat("misses") >= count, LONG_MS), "%g of %g misses",
		  scene_stat("misses"), count);
}

static void expect_value(struct raw_socket *socket, const char *value)
{
	int status = raw_await_answer(socket, LONG_MS);

	cr_assert_eq(status, 200, "status %d: %s", status, socket->received);
	cr_assert(strstr(socket->received, value) != NULL, "%s", socket->received);
}

/* ---- Many ---- */

#define CLIENTS 1000

/* Every second client asks through the other API. */
static void ask_for_the_lease(size_t i)
{
	if (i % 2 == 0)
		ask(&crowd[i], "/cache/ns/k?wait=100&lease=100&bind=connection");
	else
		post(&crowd[i], "/api/get",
		     "{\"cache_name\":\"ns\",\"key\":\"k\",\"wait\":100,\"lease\":100}");
}

static bool done[CLIENTS]; /* answered and closed */

/* Waits for an answer to one of `crowd`, which must be the only one, and a lease. Returns its
 * index. */
static size_t await_holder(void)
{
	static struct pollfd set[CLIENTS];
	size_t holder = CLIENTS;

	for (size_t i = 0; i < CLIENTS; i++)
		set[i] = (struct pollfd){.fd = done[i] ? -1 : crowd[i].fd, .events = POLLIN};
	cr_assert_eq(poll(set, CLIENTS, LONG_MS), 1, "one, and only one, is answered");
	for (size_t i = 0; i < CLIENTS; i++)
		if (set[i].revents)
			holder = i;
	cr_assert_eq(raw_await_answer(&crowd[holder], LONG_MS), holder % 2 ? 200 : 404);
	return holder;
}

static void leave(size_t i)
{
	raw_close(&crowd[i]);
	done[i] = true;
}

static void expect_value_for_all(void)
{
	for (size_t i = 0; i < CLIENTS; i++)
		if (!done[i]) {
			expect_value(&crowd[i], "computed");
			leave(i);
		}
}

static void open_crowd(void)
{
	for (size_t i = 0; i < CLIENTS; i++)
		cr_assert(raw_open(&crowd[i], scene.server.url));
}

/* The holder computes and stores, through the API that it asked through. */
static void compute(struct raw_socket *holder)
{
	const char *rest = strstr(holder->received, "\r\nLease: ");
	const char *api = strstr(holder->received, "\"lease\":\"");
	char *token = NULL;
	char json[160];

	cr_assert(rest || api, "no lease: %s", holder->received);
	token = strndup(rest ? rest + 9 : api + 9, 32);
	(void)snprintf(json, sizeof(json),
		       "{\"cache_name\":\"ns\",\"key\":\"k\",\"value\":\"computed\",\"size\":8,"
		       "\"lease\":\"%s\"}",
		       token);
	if (rest)
		cr_assert(raw_send_text(holder,
					"PUT /cache/ns/k HTTP/1.1\r\nHost: localhost\r\nLease: "
					"%s\r\nContent-Length: 8\r\n\r\ncomputed",
					token));
	else
		post(holder, "/api/set", json);
	cr_assert_eq(raw_await_answer(holder, LONG_MS), rest ? 201 : 200, "%s", holder->received);
	free(token);
}

static void one_of_a_thousand_computes(const char *backend)
{
	size_t holder = 0;

	start(backend);
	open_crowd();
	for (size_t i = 0; i < CLIENTS; i++)
		ask_for_the_lease(i);
	await_misses(CLIENTS);
	holder = await_holder();
	compute(&crowd[holder]);
	leave(holder);
	expect_value_for_all();
	scene_stop();
}

Test(single_flight, one_of_a_thousand_computes_memory)
{
	one_of_a_thousand_computes("memory");
}

Test(single_flight, one_of_a_thousand_computes_sqlite)
{
	one_of_a_thousand_computes("sqlite");
}

/* The holder dies, and so does each next one whose lease is bound to its connection: at any time
 * there is one holder, and in the end one has computed. */
static void holders_die(const char *backend)
{
	bool computed = false;

	start(backend);
	open_crowd();
	ask_for_the_lease(0);
	cr_assert_eq(await_holder(), 0);
	for (size_t i = 1; i < CLIENTS; i++)
		ask_for_the_lease(i);
	await_misses(CLIENTS);
	leave(0);
	while (!computed) {
		size_t holder = await_holder();

		computed = holder % 2 == 1;
		if (computed)
			compute(&crowd[holder]);
		leave(holder);
	}
	expect_value_for_all();
	scene_stop();
}

Test(single_flight, holders_die_memory)
{
	holders_die("memory");
}

Test(single_flight, holders_die_sqlite)
{
	holders_die("sqlite");
}

/* However many wait, the client with the value gets in. */
Test(single_flight, a_put_gets_in_beside_all_who_may_wait)
{
	enum { MAY_WAIT = 28 }; /* an eighth of the connections is kept for others */
	const struct http_answer *answer = NULL;

	scene_flag("--max-connections=32");
	scene_start();
	expect_status(scene_put("other", "x"), 201);
	for (size_t i = 0; i < MAY_WAIT; i++)
		open_and_ask(&crowd[i], "/cache/ns/k?wait=100");
	/* A miss is counted before its request waits. */
	cr_assert(await_condition(strstr(http_get(scene.client, "/metrics")->body,
					 "steadycache_requests_waiting 28\n") != NULL,
				  LONG_MS));
	answer = http_get(scene.client, "/cache/ns/k?wait=100");
	expect_status(answer, 503);
	expect_header(answer, "Retry-After", "1");
	expect_that(answer, strstr(answer->body, "STEADYCACHE_MAX_CONNECTIONS") != NULL,
		    "expected the limit's name");
	/* On its own connection. */
	open_and_ask(&crowd[MAY_WAIT], "/cache/ns/k?lease=100");
	cr_assert_eq(raw_await_answer(&crowd[MAY_WAIT], LONG_MS), 404);
	compute(&crowd[MAY_WAIT]);
	for (size_t i = 0; i < MAY_WAIT; i++)
		expect_value(&crowd[i], "computed");
	for (size_t i = 0; i <= MAY_WAIT; i++)
		raw_close(&crowd[i]);
	scene_stop();
}

Test(single_flight, a_switched_off_cache_lets_everybody_compute)
{
	scene_flag("--disable-cache");
	scene_start();
	free(take_lease("/cache/ns/k?wait=100&lease=100"));
	free(take_lease("/cache/ns/k?wait=100&lease=100"));
	expect_status(http_get(scene.client, "/cache/ns/k?wait=100"), 404);
	scene_stop();
}

Test(single_flight, ten_thousand_wake)
{
	size_t count;
	long empty_kib, idle_kib, parked_kib;
	long long began_ms, put_ms, woken_ms;

	start("memory");
	count = crowd_size(CROWD_MAX);
	empty_kib = server_resident_kib(&scene.server);
	for (size_t i = 0; i < count; i++) {
		open_and_ask(&crowd[i], "/healthz");
		cr_assert_eq(raw_await_answer(&crowd[i], LONG_MS), 200);
	}
	idle_kib = server_resident_kib(&scene.server);
	free(take_lease("/cache/ns/k?lease=300"));
	for (size_t i = 0; i < count; i++)
		ask(&crowd[i], "/cache/ns/k?wait=300");
	await_misses((double)count + 1);
	parked_kib = server_resident_kib(&scene.server);
	began_ms = steady_now_ms();
	expect_status(http_put(scene.client, "/cache/ns/k", SLICE("computed")), 201);
	put_ms = steady_now_ms() - began_ms;
	for (size_t i = 0; i < count; i++)
		expect_value(&crowd[i], "computed");
	woken_ms = steady_now_ms() - began_ms;
	printf("%zu parked: %ld bytes each, beside %ld of an idle connection; the PUT took %lld "
	       "ms, all were answered after %lld ms\n",
	       count, (parked_kib - idle_kib) * 1024 / (long)count,
	       (idle_kib - empty_kib) * 1024 / (long)count, put_ms, woken_ms);
	(void)fflush(stdout);
	if (!IS_SANITIZED && !getenv("STEADYCACHE_TEST_BINARY")) /* if memory figures are
								  * meaningful */
		cr_assert_lt((parked_kib - idle_kib) * 1024 / (long)count, PARKED_BYTES_MAX);
	cr_assert_lt(woken_ms, 30000);
	for (size_t i = 0; i < count; i++)
		raw_close(&crowd[i]);
	scene_stop();
}

/* ---- Holders that die ---- */

Test(single_flight, a_bound_lease_ends_with_its_connection)
{
	struct raw_socket holder, heir;

	start("memory");
	open_and_ask(&holder, "/cache/ns/k?lease=300&bind=connection");
	cr_assert_eq(raw_await_answer(&holder, LONG_MS), 404);
	cr_assert(has_lease(&holder));
	open_and_ask(&heir, "/cache/ns/k?lease=300&wait=300&bind=connection");
	await_misses(2);
	raw_close(&holder);
	cr_assert_eq(raw_await_answer(&heir, LONG_MS), 404);
	cr_assert(has_lease(&heir), "%s", heir.received);
	/* So does one that was passed on. */
	open_and_ask(&holder, "/cache/ns/k?lease=300&wait=300");
	await_misses(4); /* the heir has read twice */
	raw_close(&heir);
	cr_assert_eq(raw_await_answer(&holder, LONG_MS), 404);
	cr_assert(has_lease(&holder), "%s", holder.received);
	/* This one is not bound: nobody gets it when its connection closes. */
	raw_close(&holder);
	open_and_ask(&heir, "/cache/ns/k?lease=300&wait=1.5");
	cr_assert_eq(raw_await_answer(&heir, LONG_MS), 404);
	cr_assert_not(has_lease(&heir), "%s", heir.received);
	raw_close(&heir);
	scene_stop();
}

Test(single_flight, one_who_has_left_is_passed_over)
{
	struct raw_socket gone, heir;

	start("memory");
	for (int round = 0; round < 30; round++) {
		double misses = scene_stat("misses");
		char key[16], target[64];
		char *token;

		(void)snprintf(key, sizeof(key), "k%d", round);
		(void)snprintf(target, sizeof(target), "/cache/ns/%s?lease=300&wait=300", key);
		token = take_lease(target);
		open_and_ask(&gone, target);
		await_misses(misses + 2);
		open_and_ask(&heir, target);
		await_misses(misses + 3);
		raw_close(&gone);
		release(key, token);
		cr_assert_eq(raw_await_answer(&heir, LONG_MS), 404);
		cr_assert(has_lease(&heir), "%s", heir.received);
		raw_close(&heir);
		free(token);
	}
	scene_stop();
}

/* ---- Time ---- */

Test(single_flight, time_outs_leave_the_parked_alone)
{
	struct raw_socket waiter;
	long long began_ms;

	scene_flag("--idle-timeout=1");
	scene_flag("--request-timeout=1");
	start("memory");
	free(take_lease("/cache/ns/k?lease=300"));
	began_ms = steady_now_ms();
	open_and_ask(&waiter, "/cache/ns/k?wait=4");
	cr_assert_eq(raw_await_answer(&waiter, LONG_MS), 404);
	cr_assert_geq(steady_now_ms() - began_ms, 3990);
	raw_close(&waiter);
	scene_stop();
}

Test(single_flight, a_bound_lease_survives_the_idle_timeout)
{
	struct raw_socket holder, heir;

	scene_flag("--idle-timeout=1");
	start("memory");
	open_and_ask(&holder, "/cache/ns/k?lease=30&bind=connection");
	cr_assert_eq(raw_await_answer(&holder, LONG_MS), 404);
	cr_assert(has_lease(&holder));
	open_and_ask(&heir, "/cache/ns/k?lease=30&wait=4");
	cr_assert_eq(raw_await_answer(&heir, LONG_MS), 404);
	cr_assert_not(has_lease(&heir), "%s", heir.received);
	compute(&holder);
	raw_close(&holder);
	raw_close(&heir);
	scene_stop();
}

static void stop_while_parked(const char *backend)
{
	enum { PARKED = 200 };

	start(backend);
	free(take_lease("/cache/ns/k?lease=300"));
	for (size_t i = 0; i < PARKED; i++)
		open_and_ask(&crowd[i],
			     i % 2 ? "/cache/ns/k?wait=300" : "/cache/ns/k?wait=300&lease=300");
	await_misses(PARKED + 1);
	scene_stop();
	for (size_t i = 0; i < PARKED; i++) {
		cr_assert_eq(raw_await_answer(&crowd[i], LONG_MS), 503, "%s", crowd[i].received);
		cr_assert(strstr(crowd[i].received, "Connection: close") != NULL, "%s",
			  crowd[i].received);
		raw_close(&crowd[i]);
	}
}

Test(single_flight, stop_while_parked_memory)
{
	stop_while_parked("memory");
}

Test(single_flight, stop_while_parked_sqlite)
{
	stop_while_parked("sqlite");
}
