/* Another program has the database open, and holds its write lock or reads for long. */
#include "tests/process/scene.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

PROCESS_SUITE(foreign_lock);

#define PUTS 8
/* What does not wait for a lock is answered within this time, even on a busy machine. */
#define AT_ONCE_MS 3000

static sqlite3 *foreign;

static void foreign_run(const char *sql)
{
	char *error = NULL;

	if (!foreign) {
		char path[TEMP_PATH_SIZE + 32];

		(void)snprintf(path, sizeof(path), "%s/steadycache.db", scene.data_dir);
		cr_assert_eq(sqlite3_open(path, &foreign), SQLITE_OK);
		(void)sqlite3_busy_timeout(foreign, 10000);
	}
	cr_assert_eq(sqlite3_exec(foreign, sql, NULL, NULL, &error), SQLITE_OK, "%s: %s", sql,
		     error);
}

static void foreign_close(void)
{
	(void)sqlite3_close(foreign);
	foreign = NULL;
}

static void send_puts(struct raw_socket sockets[PUTS])
{
	for (int i = 0; i < PUTS; i++) {
		cr_assert(raw_open(&sockets[i], scene.server.url));
		cr_assert(raw_send_text(&sockets[i],
					"PUT /cache/ns/k%d HTTP/1.1\r\nHost: localhost\r\n"
					"Content-Length: 1\r\n\r\nv",
					i));
	}
}

static void expect_puts(struct raw_socket sockets[PUTS], int status)
{
	for (int i = 0; i < PUTS; i++) {
		cr_assert_eq(raw_await_answer(&sockets[i], 30000), status, "PUT %d: %s", i,
			     sockets[i].received);
		if (status == 503) {
			cr_assert(strstr(sockets[i].received, "\r\nRetry-After: ") != NULL);
			cr_assert(strstr(sockets[i].received, "write lock") != NULL);
		}
		raw_close(&sockets[i]);
	}
}

static void expect_reads_at_once(void)
{
	static const char *const targets[] = {
		"/healthz", "/cache/ns/a",       "/cache/ns/none", "/cache/ns",
		"/cache",   "/cache/ns?limit=1", "/stats",         "/stats/ns",
		"/metrics", "/export",           "/export/ns",     "/api/stats?cache_name=ns",
		"/readyz",  "/readyz",
	};

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		long long began_ms = steady_now_ms();
		const struct http_answer *answer = http_get(scene.client, targets[i]);

		cr_assert_lt(steady_now_ms() - began_ms, AT_ONCE_MS, "%s waits", targets[i]);
		if (strcmp(targets[i], "/readyz") == 0) {
			expect_status(answer, 503);
			cr_assert(strstr(answer->body, "write lock") != NULL, "%s", answer->body);
		} else {
			expect_that(answer, answer_->status < 500, "no failure");
		}
	}
	expect_status(http_post_json(scene.client, "/batch/ns/get", "{\"keys\":[\"a\"]}"), 200);
	expect_status(http_post_json(scene.client, "/batch/ns/exists", "{\"keys\":[\"a\"]}"), 200);
}

/* All wait together, none behind another, and a refused write is not done later. */
Test(foreign_lock, every_write_waits_once_and_no_read_does)
{
	struct raw_socket sockets[PUTS];

	scene_start();
	expect_status(scene_put("a", "1"), 201);
	foreign_run("BEGIN IMMEDIATE");
	long long began_ms = steady_now_ms();
	send_puts(sockets);
	expect_reads_at_once();
	expect_puts(sockets, 503);
	cr_assert_lt(steady_now_ms() - began_ms, 18000, "some waited behind others");
	expect_reads_at_once();
	foreign_run("COMMIT");
	foreign_close();
	cr_assert(await_condition(http_get(scene.client, "/readyz")->status == 200, 30000));
	expect_status(scene_put("after", "1"), 201);
	cr_assert_eq(scene_stat("entry_count"), 2, "a refused write was done later");
	scene_stop();
}

Test(foreign_lock, a_lock_that_comes_and_goes_only_delays)
{
	struct raw_socket sockets[PUTS];

	scene_start();
	expect_status(scene_put("a", "1"), 201);
	for (int i = 0; i < 3; i++) {
		foreign_run("BEGIN EXCLUSIVE");
		send_puts(sockets);
		cr_assert(await_condition(http_get(scene.client, "/readyz")->status == 503, 30000));
		foreign_run("COMMIT");
		expect_puts(sockets, i == 0 ? 201 : 204);
	}
	foreign_close();
	cr_assert_eq(scene_stat("entry_count"), 1 + PUTS);
	scene_stop();
}

/* The writes in progress are answered, and the process ends in time. */
Test(foreign_lock, a_stop_does_not_wait_for_it)
{
	struct raw_socket sockets[PUTS];

	scene_start();
	expect_status(scene_put("a", "1"), 201);
	expect_status(scene_get("a"), 200); /* a use that waits to be written */
	foreign_run("BEGIN IMMEDIATE");
	send_puts(sockets);
	cr_assert(await_condition(http_get(scene.client, "/readyz")->status == 503, 30000));
	cr_assert_eq(kill(scene.server.pid, SIGTERM), 0);
	expect_puts(sockets, 503);
	struct server_exit end = server_await_exit(&scene.server, 30000);
	cr_assert_eq(end.code, 0, "exit %d: %s", end.code, end.log);
	cr_assert(strstr(end.log, "msg=stopped") != NULL, "%s", end.log);
	free(end.log);
	foreign_run("COMMIT");
	foreign_close();
	scene_start();
	expect_status(scene_get("a"), 200);
	cr_assert_eq(scene_stat("entry_count"), 1, "a refused write was done later");
	scene_stop();
}

/* The log cannot be reset while it is read: that is reported, and nothing else waits. */
Test(foreign_lock, a_long_read_is_told)
{
	char *value = calloc(1, 2 << 20);
	char key[32];

	cr_assert_not_null(value);
	scene_start();
	expect_status(scene_put("a", "1"), 201);
	foreign_run("BEGIN; SELECT count(*) FROM entries");
	/* 64 MB, twice. */
	for (int i = 0; i < 72; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i % 8);
		memset(value, 'A' + i / 8, (2 << 20) - 1);
		expect_that(scene_put(key, value), answer_->status / 100 == 2, "success");
	}
	cr_assert(server_await_log(&scene.server, "steadycache.db-wal has grown to", 30000));
	foreign_run("COMMIT");
	foreign_close();
	free(value);
	scene_stop();
}
