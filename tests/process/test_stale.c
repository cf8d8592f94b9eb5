/* Stale serving with single flight: an expired entry is served to a crowd at once while one client
 * computes the new value. */
#include "tests/process/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

PROCESS_SUITE(stale_flight);

#define CLIENTS 200
#define LONG_MS 30000

static struct raw_socket crowd[CLIENTS];

static bool is_stale(const struct http_answer *answer)
{
	const char *status = http_header(answer, "Cache-Status");

	return answer->status == 200 && status && strstr(status, "fwd=stale");
}

/* Starts a server on which ns/k has the value "old" and has expired. */
static void start(const char *backend)
{
	scene_env_printf("STEADYCACHE_BACKEND=%s", backend);
	scene_start();
	expect_status(http_put_json(scene.client, "/cache/ns", "{\"stale_ttl\":1000}"), 204);
	expect_status(http_put(scene.client, "/cache/ns/k?ttl=1", SLICE("old")), 201);
	cr_assert(await_condition(is_stale(http_head(scene.client, "/cache/ns/k")), LONG_MS));
}

static void ask(struct raw_socket *socket, const char *target)
{
	cr_assert(raw_send_text(socket, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", target));
}

static void post(struct raw_socket *socket, const char *target, const char *json)
{
	cr_assert(raw_send_text(socket,
				"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
				"application/json\r\nContent-Length: %zu\r\n\r\n%s",
				target, strlen(json), json));
}

static bool holds(const struct raw_socket *socket, const char *text)
{
	return strstr(socket->received, text) != NULL;
}

/* Takes a lease on ns/k for the scene's client; returns it, to be freed. */
static char *take_lease(const char *target)
{
	const struct http_answer *answer = http_get(scene.client, target);

	expect_status(answer, 404);
	expect_that(answer, http_header(answer, "Lease"), "expected a Lease");
	return strndup(http_header(answer, "Lease"), 32);
}

/* One third each asks with wait and lease, with a lease only, and through the other API. */
static void ask_for_the_lease(size_t i)
{
	if (i % 3 == 0)
		ask(&crowd[i], "/cache/ns/k?wait=100&lease=100");
	else if (i % 3 == 1)
		ask(&crowd[i], "/cache/ns/k?lease=100");
	else
		post(&crowd[i], "/api/get",
		     "{\"cache_name\":\"ns\",\"key\":\"k\",\"wait\":100,\"lease\":100}");
}

/* True: it got the lease. False: it got the old value, marked as stale. */
static bool judge(size_t i)
{
	const struct raw_socket *socket = &crowd[i];
	int status = raw_await_answer(&crowd[i], LONG_MS);
	bool is_api = i % 3 == 2;

	if (holds(socket, is_api ? "\"lease\":\"" : "\r\nLease: ")) {
		cr_expect_eq(status, is_api ? 200 : 404, "%s", socket->received);
		cr_expect(!is_api || holds(socket, "\"found\":false"), "%s", socket->received);
		return true;
	}
	cr_expect_eq(status, 200, "%s", socket->received);
	if (is_api)
		cr_expect(holds(socket, "{\"found\":true,\"value\":\"old\",\"stale\":true}"), "%s",
			  socket->received);
	else
		cr_expect(holds(socket, "fwd=stale; ttl=-") && holds(socket, "\r\n\r\nold"), "%s",
			  socket->received);
	return false;
}

static char *token_of(const struct raw_socket *socket)
{
	const char *rest = strstr(socket->received, "\r\nLease: ");
	const char *api = strstr(socket->received, "\"lease\":\"");

	cr_assert(rest || api);
	return strndup(rest ? rest + 9 : api + 9, 32);
}

static void one_of_a_crowd_computes(const char *backend)
{
	size_t leases = 0;
	size_t holder = 0;
	char header[80];

	start(backend);
	for (size_t i = 0; i < CLIENTS; i++)
		cr_assert(raw_open(&crowd[i], scene.server.url));
	for (size_t i = 0; i < CLIENTS; i++)
		ask_for_the_lease(i);
	/* All are answered while the lease is out: nobody is parked. */
	for (size_t i = 0; i < CLIENTS; i++)
		if (judge(i)) {
			holder = i;
			leases++;
		}
	cr_assert_eq(leases, 1, "%zu leases", leases);
	cr_expect(is_stale(http_get(scene.client, "/cache/ns/k")));
	cr_expect(is_stale(http_get(scene.client, "/cache/ns/k?wait=100")));

	char *token = token_of(&crowd[holder]);
	(void)snprintf(header, sizeof(header), "Lease: %s", token);
	expect_status(http_put(scene.client, "/cache/ns/k", SLICE("new"), header), 201);
	free(token);
	for (size_t i = 0; i < CLIENTS; i++) {
		ask(&crowd[i], "/cache/ns/k?wait=100&lease=100");
		cr_expect_eq(raw_await_answer(&crowd[i], LONG_MS), 200);
		cr_expect(holds(&crowd[i], "\r\n\r\nnew"), "%s", crowd[i].received);
		cr_expect_not(holds(&crowd[i], "fwd=stale"));
		raw_close(&crowd[i]);
	}
	cr_expect_eq(scene_stat("misses"), 0);
	scene_stop();
}

Test(stale_flight, one_of_a_crowd_computes_memory)
{
	one_of_a_crowd_computes("memory");
}

Test(stale_flight, one_of_a_crowd_computes_sqlite)
{
	one_of_a_crowd_computes("sqlite");
}

Test(stale_flight, lease_that_is_given_back_goes_to_the_next_who_asks)
{
	char header[80];

	start("memory");
	for (int round = 0; round < 3; round++) {
		char *token = take_lease("/cache/ns/k?wait=100&lease=100");

		cr_expect(is_stale(http_get(scene.client, "/cache/ns/k?wait=100&lease=100")));
		(void)snprintf(header, sizeof(header), "Lease: %s", token);
		expect_status(http_delete(scene.client, "/cache/ns/k", header), 204);
		free(token);
		cr_expect(is_stale(http_get(scene.client, "/cache/ns/k")),
			  "giving a lease back deletes nothing");
	}
	scene_stop();
}

Test(stale_flight, lease_that_lapses_goes_to_the_next_who_asks)
{
	start("memory");
	free(take_lease("/cache/ns/k?lease=0.2"));
	cr_assert(await_condition(http_get(scene.client, "/cache/ns/k?lease=100")->status == 404,
				  LONG_MS));
	cr_expect(is_stale(http_get(scene.client, "/cache/ns/k?lease=100")));
	scene_stop();
}

Test(stale_flight, head_never_takes_the_lease)
{
	start("memory");
	cr_expect(is_stale(http_head(scene.client, "/cache/ns/k?lease=100")));
	free(take_lease("/cache/ns/k?lease=100"));
	scene_stop();
}

Test(stale_flight, settings_and_stale_entries_survive_a_restart)
{
	start("sqlite");
	scene_stop();
	scene_start();
	cr_expect(is_stale(http_get(scene.client, "/cache/ns/k")));
	cr_expect_eq(scene_stat("stale_ttl"), 1000);
	free(take_lease("/cache/ns/k?lease=100"));
	expect_status(http_put_json(scene.client, "/cache/ns", "{\"stale_ttl\":0}"), 204);
	expect_status(http_get(scene.client, "/cache/ns/k"), 404);
	scene_stop();
}
