/* Namespaces in several backends behind one server: where their entries are, and that one backend
 * takes nothing from the namespaces of the others. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/process/redis_scene.h"

REDIS_SUITE(routes);

static const struct http_answer *put(const char *ns)
{
	char target[100];

	(void)snprintf(target, sizeof(target), "/cache/%s/k", ns);
	return http_put(scene.client, target, slice_of(ns));
}

static const struct http_answer *get(const char *ns)
{
	char target[100];

	(void)snprintf(target, sizeof(target), "/cache/%s/k", ns);
	return http_get(scene.client, target);
}

/* ---- Where entries are ---- */

/* Whether a file of /proc about the server has `text` in it. */
static bool shows(const char *file, const char *text)
{
	char path[100], *content;
	size_t len = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)scene.server.pid, file);
	content = file_read(path, &len);
	cr_assert_not_null(content, "%s", path);
	bool found = memmem(content, len, text, strlen(text));
	free(content);
	return found;
}

Test(routes, each_namespace_is_where_its_name_leads)
{
	char route[TEMP_PATH_SIZE + 100];

	redis_scene_start("--requirepass word");
	(void)snprintf(route, sizeof(route), "--route=disk_?=sqlite://%s/own?cache-mb=1",
		       scene.dir.path);
	scene_flag("--backend=memory");
	scene_flag("--near-mb=4");
	scene_env_printf("STEADYCACHE_ROUTES=red_*=redis://:word@127.0.0.1:%d\n"
			 "  *_a=redis://:word@127.0.0.1:%d?prefix=other",
			 redis_scene_port(), redis_scene_port());
	scene_start();
	expect_status(put("red_a"), 201);
	expect_status(put("b_a"), 201);
	expect_status(put("x"), 201);
	expect_body(get("red_a"), SLICE("red_a"));
	expect_body(get("x"), SLICE("x"));
	cr_expect(strstr(redis_scene_tell("--no-auth-warning -a word EXISTS steadycache:namespaces "
					  "other:namespaces"),
			 "2"));
	cr_expect(shows("environ", "redis://****"));
	cr_expect_not(shows("environ", "word@"));
	const char *all = http_get(scene.client, "/export")->body;
	cr_expect(strstr(all, "\"red_a\"") && strstr(all, "\"b_a\"") && strstr(all, "\"x\""), "%s",
		  all);
	json_auto_t *stats = http_json(http_get(scene.client, "/stats"));
	json_t *backends = json_object_get(stats, "backends");
	cr_expect_eq(json_object_size(backends), 3);
	cr_expect(json_is_true(json_object_get(json_object_get(backends, "redis#2"), "up")));
	char *text = json_dumps(stats, 0);
	cr_expect_not(strstr(text, "word"), "%s", text);
	free(text);
	scene_stop();

	/* Flags replace the environment; what is elsewhere is not seen, and comes back. */
	scene_flag(route);
	scene_start();
	expect_status(get("red_a"), 404);
	expect_status(put("disk_1"), 201);
	expect_status(put("disk_22"), 201);
	scene_stop();
	scene_start();
	expect_body(get("disk_1"), SLICE("disk_1"));
	expect_status(get("disk_22"), 404);
	expect_header(http_get(scene.client, "/readyz"), "Content-Type",
		      "text/plain; charset=utf-8");
	scene_stop();
}

Test(routes, what_is_wrong_is_refused_at_the_start)
{
	static const char *const wrong[][2] = {
		{"STEADYCACHE_ROUTES=a", "PATTERN=BACKEND"},
		{"STEADYCACHE_ROUTES=a/b=memory", "PATTERN=BACKEND"},
		{"STEADYCACHE_ROUTES==memory", "PATTERN=BACKEND"},
		{"STEADYCACHE_ROUTES=a=memory b=mongodb://u:secret@h", "--route 'b=...'"},
		{"STEADYCACHE_ROUTES=a=memory://?max-mb=x", "max-mb must be"},
		{"STEADYCACHE_ROUTES=a=redis://u:secret@h:0", "redis://h:0: the URL of Redis"},
		{"STEADYCACHE_ROUTES=a=sqlite://?cache-mb=1", "are the same directory"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		scene_env(wrong[i][0]);
		char *line = scene_refused_start();
		cr_expect(strstr(line, wrong[i][1]), "%s", line);
		cr_expect_not(strstr(line, "secret"), "%s", line);
		free(line);
	}
}

/* ---- One that hangs ---- */

#define REQUESTS 400

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

/* In microseconds; nearly the slowest, as a busy machine makes some wait. */
static double latency_of_memory(double *ret_most)
{
	double took_us[REQUESTS];

	for (size_t i = 0; i < REQUESTS; i++) {
		int64_t began_us = monotonic_now_us();

		expect_body(get("m"), SLICE("m"));
		took_us[i] = (double)(monotonic_now_us() - began_us);
	}
	qsort(took_us, REQUESTS, sizeof(took_us[0]), compare);
	*ret_most = took_us[REQUESTS * 9 / 10];
	return took_us[REQUESTS / 2];
}

#define CLIENTS 40
#define SHARE   21 /* of 60 connections, for 2 backends and one share left free */

static struct raw_socket waiting[CLIENTS];

static unsigned count_refused(void)
{
	unsigned count = 0;

	for (size_t i = 0; i < CLIENTS; i++)
		count += raw_await(&waiting[i], "as many requests wait", 1);
	return count;
}

Test(routes, a_backend_that_hangs_takes_nothing_from_others)
{
	double before_most, most;

	redis_scene_start("");
	scene_flag("--backend=memory");
	scene_flag("--max-connections=60");
	scene_env_printf("STEADYCACHE_ROUTES=red_*=redis://127.0.0.1:%d?timeout=8",
			 redis_scene_port());
	scene_start();
	expect_status(put("m"), 201);
	expect_status(put("red_a"), 201);
	double before = latency_of_memory(&before_most);
	redis_scene_signal(SIGSTOP);
	for (size_t i = 0; i < CLIENTS; i++) {
		cr_assert(raw_open(&waiting[i], scene.server.url));
		cr_assert(raw_send_text(&waiting[i],
					"GET /cache/red_a/k HTTP/1.1\r\nHost: localhost\r\n\r\n"));
	}
	cr_expect(await_condition(count_refused() == CLIENTS - SHARE, 5000), "%u are refused",
		  count_refused());
	double during = latency_of_memory(&most);
	cr_expect_lt(during, before * 2 + 200, "%g us, %g before", during, before);
	cr_expect_lt(most, before_most * 3 + 1000, "%g us, %g before", most, before_most);
	expect_status(put("m"), 204);

	/* What is asked of all waits for a short while, and tells of each. */
	int64_t began_us = monotonic_now_us();
	const struct http_answer *ready = http_get(scene.client, "/readyz");
	expect_status(ready, 200);
	expect_that(ready, strstr(ready->body, "failed redis") && strstr(ready->body, "ok memory"),
		    "expected both");
	const char *metrics = http_get(scene.client, "/metrics")->body;
	cr_expect(strstr(metrics, "\nsteadycache_backend_up{backend=\"redis\"} 0\n"));
	cr_expect(strstr(metrics, "\nsteadycache_backend_up{backend=\"memory\"} 1\n"));
	cr_expect(strstr(metrics, "\nsteadycache_entries{namespace=\"m\"} 1\n"));
	cr_expect(strstr(metrics, "\nsteadycache_redis_servers{backend=\"redis\"} 1\n"));
	cr_expect_lt(monotonic_now_us() - began_us, 6 * US_PER_S);

	redis_scene_signal(SIGCONT);
	for (size_t i = 0; i < CLIENTS; i++) {
		if (!strstr(waiting[i].received ? waiting[i].received : "", "503"))
			cr_expect_gt(raw_await_answer(&waiting[i], 10000), 0);
		raw_close(&waiting[i]);
	}
	cr_assert(await_condition(get("red_a")->status == 200, 3000));
	expect_status(put("red_a"), 204);
	scene_stop();
}
