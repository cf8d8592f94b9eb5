/* A full disk: 507 on writes, reads go on, and with space the service is back by itself. */
#include "tests/process/scene.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

PROCESS_SUITE(full_disk);

#define DISK_MB 6

/* A small file system at the data directory, in a mount namespace of this process and its children:
 * it is gone with them, whatever happens. */
static void mount_small_disk(void)
{
	char options[32];

	cr_assert_eq(mkdir(scene.data_dir, 0700), 0);
	(void)snprintf(options, sizeof(options), "size=%dm", DISK_MB);
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", scene.data_dir, "tmpfs", 0, options) != 0)
		cr_skip("this test mounts a small file system, which is not allowed here: %s",
			strerror(errno));
}

static char value[65536];

static const struct http_answer *put_large(int number)
{
	char target[64];

	(void)snprintf(target, sizeof(target), "/cache/ns/k%d", number);
	memset(value, 'a' + number % 26, sizeof(value));
	return http_put(scene.client, target, ((struct slice){value, sizeof(value)}));
}

static void expect_large(int number)
{
	char key[64];
	const struct http_answer *answer;

	(void)snprintf(key, sizeof(key), "k%d", number);
	answer = scene_get(key);
	expect_status(answer, 200);
	memset(value, 'a' + number % 26, sizeof(value));
	cr_assert(answer->len == sizeof(value) && memcmp(answer->body, value, answer->len) == 0,
		  "k%d came back changed", number);
}

/* Puts until it is refused; how many were stored. */
static int fill_disk(void)
{
	const struct http_answer *answer;

	for (int i = 0; i < 2 * DISK_MB * 16; i++) {
		answer = put_large(i);
		if (answer->status == 201)
			continue;
		expect_status(answer, 507);
		expect_header(answer, "Content-Type", "application/problem+json");
		return i;
	}
	cr_assert(false, "a disk of %d MB took %d MB", DISK_MB, 2 * DISK_MB);
	return 0;
}

static void fill_free_and_go_on(void)
{
	char ballast_path[TEMP_PATH_SIZE + 16], *ballast = calloc(1, 2 << 20), *verdict;
	int stored;

	cr_assert(ballast);
	mount_small_disk();
	(void)snprintf(ballast_path, sizeof(ballast_path), "%s/ballast", scene.data_dir);
	file_write(ballast_path, (struct slice){ballast, 2 << 20});
	free(ballast);
	scene_start();
	stored = fill_disk();
	cr_assert_gt(stored, 10);
	/* Again and again, and reads in between. */
	for (int i = 0; i < 5; i++) {
		expect_status(put_large(1000 + i), 507);
		for (int j = 0; j < stored; j += 7)
			expect_large(j);
	}
	expect_status(http_post_json(scene.client, "/api/get",
				     "{\"cache_name\":\"ns\",\"key\":\"absent\"}"),
		      200);
	expect_status(http_get(scene.client, "/healthz"), 200);
	cr_assert_eq(scene_stat("entry_count"), stored);
	cr_assert_eq(scene_stat("sets"), stored, "what was refused is no set");

	cr_assert_eq(remove(ballast_path), 0);
	cr_assert(await_condition(put_large(2000)->status == 201, 15000),
		  "writes are still refused 15 s after there is space again");
	expect_large(2000);
	for (int j = 0; j < stored; j++)
		expect_large(j);
	scene_expect_true_totals(scene.client);
	scene_stop();
	verdict = scene_check_database();
	cr_assert_str_eq(verdict, "ok", "integrity_check: %s", verdict);
	free(verdict);
	scene_start();
	expect_large(2000);
	for (int j = 0; j < stored; j++)
		expect_large(j);
	scene_stop();
}

Test(full_disk, recovers_by_itself)
{
	fill_free_and_go_on();
}

Test(full_disk, recovers_by_itself_with_full_durability)
{
	scene_env("STEADYCACHE_DURABILITY=full");
	fill_free_and_go_on();
}

/* Uses wait in memory until the writer can take them: a full disk must not lose the reads. */
Test(full_disk, kill_on_a_full_disk_loses_nothing_acknowledged)
{
	int stored;

	mount_small_disk();
	scene_start();
	stored = fill_disk();
	scene_kill();
	scene_start();
	for (int j = 0; j < stored; j++)
		expect_large(j);
	scene_stop();
}

/* Space may also come from the cache itself: clearing it must help. */
Test(full_disk, clearing_helps)
{
	mount_small_disk();
	scene_start();
	(void)fill_disk();
	expect_that(http_delete(scene.client, "/cache/ns"),
		    answer_->status == 204 || answer_->status == 507, "expected 204 or 507");
	scene_stop();
}

/* Writes until nothing goes any more. */
static void take_all_space(const char *path)
{
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file);
	setbuf(file, NULL);
	memset(value, 'x', sizeof(value));
	for (size_t len = sizeof(value); len > 0; len /= 2)
		while (fwrite(value, len, 1, file) == 1)
			;
	cr_assert_eq(errno, ENOSPC);
	(void)fclose(file);
}

/* After a clean stop SQLite must make its "-shm" file first, which fails: that says nothing about
 * the database, which must not be set aside. */
Test(full_disk, a_start_does_not_take_the_database_for_damaged)
{
	char ballast_path[TEMP_PATH_SIZE + 16];

	mount_small_disk();
	scene_start();
	expect_status(scene_put("k", "computed for hours"), 201);
	scene_stop();
	(void)snprintf(ballast_path, sizeof(ballast_path), "%s/ballast", scene.data_dir);
	take_all_space(ballast_path);
	server_spawn(&scene.server);
	struct server_exit ended = server_await_exit(&scene.server, 10000);
	cr_expect_eq(ended.code, 1, "%s", ended.log);
	cr_expect(strstr(ended.log, "cannot read") || strstr(ended.log, "space"), "%s", ended.log);
	free(ended.log);
	cr_assert_eq(remove(ballast_path), 0);
	scene_start();
	cr_expect_str_eq(scene_get("k")->body, "computed for hours");
	scene_stop();
}
