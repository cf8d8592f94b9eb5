/* A full disk: 507 on writes, reads go on, and with space the service is back by itself; or
 * without, by removing entries. */
#include "tests/process/scene.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

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

static void write_path(char ret[TEMP_PATH_SIZE + 32], const char *name)
{
	(void)snprintf(ret, TEMP_PATH_SIZE + 32, "%s/%s", scene.data_dir, name);
}

/* Fills the disk with one entry, and with what is not the cache's. */
static void fill_with_ballast(char ballast_path[TEMP_PATH_SIZE + 32])
{
	mount_small_disk();
	scene_start();
	expect_status(scene_put("k", "computed for hours"), 201);
	scene_stop();
	write_path(ballast_path, "ballast");
	take_all_space(ballast_path);
}

/* After a clean stop SQLite must make its "-shm" file first: the reserve has room for that. */
Test(full_disk, a_start_needs_no_room)
{
	char ballast_path[TEMP_PATH_SIZE + 32];

	fill_with_ballast(ballast_path);
	scene_start();
	cr_expect_str_eq(scene_get("k")->body, "computed for hours");
	expect_status(scene_put("k2", "small"), 201);
	expect_status(http_delete(scene.client, "/cache/ns/k"), 204);
	scene_stop();
}

/* Without the reserve it fails. That says nothing about the database, which must not be set aside.
 */
Test(full_disk, a_start_does_not_take_the_database_for_damaged)
{
	char ballast_path[TEMP_PATH_SIZE + 32], reserve_path[TEMP_PATH_SIZE + 32];

	fill_with_ballast(ballast_path);
	write_path(reserve_path, "steadycache.db.reserve");
	cr_assert_eq(remove(reserve_path), 0);
	cr_assert_eq(remove(ballast_path), 0);
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

/* ---- A disk that is full of cache, and nobody frees anything outside ---- */

static void expect_sound_database(void)
{
	char *verdict = scene_check_database();

	cr_assert_str_eq(verdict, "ok", "integrity_check: %s", verdict);
	free(verdict);
}

/* What may happen to the server between filling and emptying. */
static void leave_running(void)
{
}

static void restart(void)
{
	scene_stop();
	scene_start();
}

static void kill_and_start(void)
{
	scene_kill();
	scene_start();
}

static void expect_all(int stored)
{
	for (int i = 0; i < stored; i++)
		expect_large(i);
}

static void expect_sets(int from, int count)
{
	for (int i = from; i < from + count; i++)
		expect_status(put_large(i), 201);
}

static void delete_one(void (*between)(void))
{
	mount_small_disk();
	scene_start();
	int stored = fill_disk();
	between();
	expect_status(http_delete(scene.client, "/cache/ns/k3"), 204);
	expect_status(scene_get("k3"), 404);
	expect_status(put_large(3), 201);
	expect_all(stored);
	scene_expect_true_totals(scene.client);
	kill_and_start();
	expect_all(stored);
	scene_stop();
	expect_sound_database();
}

Test(full_disk, deleting_a_key_helps)
{
	delete_one(leave_running);
}

Test(full_disk, deleting_a_key_helps_after_a_restart)
{
	delete_one(restart);
}

Test(full_disk, deleting_a_key_helps_after_a_kill)
{
	delete_one(kill_and_start);
}

Test(full_disk, deleting_a_key_helps_with_full_durability)
{
	scene_env("STEADYCACHE_DURABILITY=full");
	delete_one(kill_and_start);
}

#define ROUNDS 6

/* Clears again and again; after each time as much as before must fit, nearly. */
static void clear_in_rounds(void (*between)(void))
{
	mount_small_disk();
	scene_start();
	int first = fill_disk();
	for (int round = 0; round < ROUNDS; round++) {
		between();
		expect_status(http_delete(scene.client, "/cache/ns"), 204);
		cr_assert_eq(scene_stat("entry_count"), 0);
		int stored = fill_disk();
		cr_assert_geq(stored, first * 9 / 10, "round %d", round);
		expect_all(stored);
	}
	scene_expect_true_totals(scene.client);
	scene_kill();
	scene_start();
	scene_stop();
	expect_sound_database();
}

Test(full_disk, clearing_helps)
{
	clear_in_rounds(leave_running);
}

Test(full_disk, clearing_helps_after_restarts)
{
	clear_in_rounds(restart);
}

Test(full_disk, clearing_helps_after_kills)
{
	clear_in_rounds(kill_and_start);
}

Test(full_disk, clearing_helps_with_full_durability)
{
	scene_env("STEADYCACHE_DURABILITY=full");
	clear_in_rounds(kill_and_start);
}

static void shrink(void (*between)(void))
{
	mount_small_disk();
	scene_start();
	(void)fill_disk();
	between();
	expect_status(http_put_json(scene.client, "/cache/ns", "{\"max_size_mb\":1}"), 204);
	cr_assert_leq(scene_stat("total_size"), 1 << 20);
	/* Evictions go on on the full disk. */
	expect_sets(1000, 100);
	cr_assert_leq(scene_stat("total_size"), 1 << 20);
	expect_large(1099);
	scene_expect_true_totals(scene.client);
	scene_stop();
	expect_sound_database();
}

Test(full_disk, a_smaller_limit_helps)
{
	shrink(leave_running);
}

Test(full_disk, a_smaller_limit_helps_after_a_restart)
{
	shrink(restart);
}

Test(full_disk, a_smaller_limit_helps_after_a_kill)
{
	shrink(kill_and_start);
}

Test(full_disk, what_expires_makes_room)
{
	mount_small_disk();
	scene_start();
	expect_status(http_put_json(scene.client, "/cache/ns", "{\"default_ttl\":3}"), 204);
	int stored = fill_disk();
	cr_assert(await_condition(scene_stat("entry_count") == 0, 20000),
		  "what has expired is still there");
	expect_status(http_put_json(scene.client, "/cache/ns", "{\"default_ttl\":0}"), 204);
	expect_sets(2000, stored * 9 / 10);
	scene_stop();
	expect_sound_database();
}

/* A namespace that is at its limit makes room for its own sets. */
Test(full_disk, a_namespace_at_its_limit_takes_sets)
{
	char target[64];

	mount_small_disk();
	scene_start();
	expect_status(http_put_json(scene.client, "/cache/small", "{\"max_size_mb\":1}"), 204);
	memset(value, 's', sizeof(value));
	for (int i = 0; i < 16; i++) {
		(void)snprintf(target, sizeof(target), "/cache/small/%d", i);
		expect_status(http_put(scene.client, target, ((struct slice){value, 65000})), 201);
	}
	(void)fill_disk();
	memset(value, 's', sizeof(value));
	for (int i = 100; i < 200; i++) {
		(void)snprintf(target, sizeof(target), "/cache/small/%d", i);
		expect_status(http_put(scene.client, target, ((struct slice){value, 65000})), 201);
	}
	scene_stop();
	expect_sound_database();
}

/* Somebody else takes what the reserve left free: what the log has is enough. */
Test(full_disk, nothing_else_is_needed)
{
	char ballast_path[TEMP_PATH_SIZE + 32];
	const struct http_answer *answer;

	mount_small_disk();
	scene_start();
	int stored = fill_disk();
	write_path(ballast_path, "ballast");
	take_all_space(ballast_path);
	for (int i = 0; i < stored / 2; i++) {
		char target[64];

		(void)snprintf(target, sizeof(target), "/cache/ns/k%d", i);
		expect_status(http_delete(scene.client, target), 204);
	}
	/* All but a few: pages of the trees may stay half empty. */
	expect_sets(0, stored * 2 / 5);
	expect_all(stored * 2 / 5);
	for (int i = stored / 2; i < stored; i++)
		expect_large(i);
	expect_status(http_delete(scene.client, "/cache/ns"), 204);
	expect_sets(0, stored * 9 / 10);
	answer = http_get(scene.client, "/metrics");
	expect_that(answer, strstr(answer_->body, "\nsteadycache_sqlite_low_space 1\n"),
		    "expected the gauge to say 1");
	cr_assert_eq(remove(ballast_path), 0);
	scene_stop();
	expect_sound_database();
}

/* Small entries fill pages of indexes, too, and there are more than one step removes. */
Test(full_disk, many_small_entries)
{
	static char batch[65536];
	int stored[2] = {0};

	mount_small_disk();
	scene_start();
	for (int round = 0; round < 2; round++) {
		for (int i = 0;; i += 100) {
			size_t len = 0;

			len += (size_t)snprintf(batch, sizeof(batch), "{\"items\":[");
			for (int j = i; j < i + 100; j++)
				len += (size_t)snprintf(
					batch + len, sizeof(batch) - len,
					"%s{\"key\":\"%u-%d\",\"value\":\"%0300d\"}",
					j > i ? "," : "", (unsigned)j * 2654435761U, j, j);
			(void)snprintf(batch + len, sizeof(batch) - len, "]}");
			long status = http_post_json(scene.client, "/batch/ns/set", batch)->status;
			if (status == 507)
				break;
			cr_assert_eq(status, 200);
			stored[round] += 100;
		}
		cr_assert_gt(stored[round], 3000);
		cr_assert_eq(scene_stat("entry_count"), stored[round]);
		/* Reads whose uses the full disk may have no room for must not get in the way. */
		for (int j = 0; j < 300; j++) {
			char key[64];

			(void)snprintf(key, sizeof(key), "%u-%d", (unsigned)j * 2654435761U, j);
			expect_status(scene_get(key), 200);
		}
		expect_status(http_delete(scene.client, "/cache/ns?prefix=1"), 204);
		expect_status(scene_put("a", "b"), 201);
		scene_expect_true_totals(scene.client);
		expect_status(http_delete(scene.client, "/cache/ns"), 204);
	}
	cr_assert_geq(stored[1], stored[0] * 9 / 10);
	scene_stop();
	expect_sound_database();
}

/* Values larger than the reserve: what needs the log and the database at once. */
Test(full_disk, large_values)
{
	static char large[1300000];
	struct slice body = {large, sizeof(large)};
	int stored = 0;

	memset(large, 'l', sizeof(large));
	mount_small_disk();
	scene_start();
	for (char target[64];; stored++) {
		(void)snprintf(target, sizeof(target), "/cache/ns/large%d", stored);
		long status = http_put(scene.client, target, body)->status;
		if (status == 507)
			break;
		cr_assert_eq(status, 201);
	}
	cr_assert_geq(stored, 2);
	(void)fill_disk();
	kill_and_start();
	expect_status(http_delete(scene.client, "/cache/ns/large0"), 204);
	expect_body(scene_get("large1"), body);
	expect_status(http_delete(scene.client, "/cache/ns"), 204);
	expect_sets(0, 20);
	scene_stop();
	expect_sound_database();
}

/* With room outside the server is as before, and says so. */
Test(full_disk, low_space_ends)
{
	char ballast_path[TEMP_PATH_SIZE + 32], reserve_path[TEMP_PATH_SIZE + 32];

	mount_small_disk();
	write_path(ballast_path, "ballast");
	write_path(reserve_path, "steadycache.db.reserve");
	char *ballast = calloc(1, 3 << 20);

	cr_assert_not_null(ballast);
	file_write(ballast_path, (struct slice){ballast, 3 << 20});
	free(ballast);
	scene_start();
	cr_assert_eq(access(reserve_path, F_OK), 0);
	(void)fill_disk();
	cr_assert_neq(access(reserve_path, F_OK), 0);
	cr_assert(server_await_log(&scene.server, "is full", 1000));
	cr_assert_eq(remove(ballast_path), 0);
	cr_assert(server_await_log(&scene.server, "there is room again", 10000));
	cr_assert_eq(access(reserve_path, F_OK), 0);
	expect_that(http_get(scene.client, "/metrics"),
		    strstr(answer_->body, "\nsteadycache_sqlite_low_space 0\n"),
		    "expected the gauge to say 0");
	expect_sets(3000, 10);
	/* Nobody else's hand is needed where the reserve is deleted. */
	cr_assert_eq(remove(reserve_path), 0);
	cr_assert(await_condition(access(reserve_path, F_OK) == 0, 10000));
	scene_stop();
}
