/* The server itself empties a disk that is full of cache: nobody frees anything outside. */
#include "tests/process/scene.h"
#include "tests/process/small_disk.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

PROCESS_SUITE(full_of_cache);

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
	/* A second one: a set may need one page more than the previous one. */
	expect_status(http_delete(scene.client, "/cache/ns/k0"), 204);
	expect_status(put_large(3), 201);
	for (int round = 0; round < 2; round++) {
		expect_status(scene_get("k0"), 404);
		for (int i = 1; i < stored; i++)
			expect_large(i);
		scene_expect_true_totals(scene.client);
		kill_and_start();
	}
	scene_stop();
	expect_sound_database();
}

Test(full_of_cache, deleting_a_key_helps)
{
	delete_one(leave_running);
}

Test(full_of_cache, deleting_a_key_helps_after_a_restart)
{
	delete_one(restart);
}

Test(full_of_cache, deleting_a_key_helps_after_a_kill)
{
	delete_one(kill_and_start);
}

Test(full_of_cache, deleting_a_key_helps_with_full_durability)
{
	scene_env("STEADYCACHE_DURABILITY=full");
	delete_one(kill_and_start);
}

#define ROUNDS 6

/* Clears repeatedly; each time nearly as much as before must fit. */
static void clear_in_rounds(void (*between)(void))
{
	mount_small_disk();
	scene_start();
	int first = fill_disk();
	for (int round = 0; round < ROUNDS; round++) {
		between();
		expect_status(http_delete(scene.client, "/cache/ns?all"), 204);
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

Test(full_of_cache, clearing_helps)
{
	clear_in_rounds(leave_running);
}

Test(full_of_cache, clearing_helps_after_restarts)
{
	clear_in_rounds(restart);
}

Test(full_of_cache, clearing_helps_after_kills)
{
	clear_in_rounds(kill_and_start);
}

Test(full_of_cache, clearing_helps_with_full_durability)
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
	/* Evictions still work on the full disk. */
	expect_sets(1000, 100);
	cr_assert_leq(scene_stat("total_size"), 1 << 20);
	expect_large(1099);
	scene_expect_true_totals(scene.client);
	scene_stop();
	expect_sound_database();
}

Test(full_of_cache, a_smaller_limit_helps)
{
	shrink(leave_running);
}

Test(full_of_cache, a_smaller_limit_helps_after_a_restart)
{
	shrink(restart);
}

Test(full_of_cache, a_smaller_limit_helps_after_a_kill)
{
	shrink(kill_and_start);
}

Test(full_of_cache, what_expires_makes_room)
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
Test(full_of_cache, a_namespace_at_its_limit_takes_sets)
{
	static char value[65000];
	char target[64];

	mount_small_disk();
	scene_start();
	expect_status(http_put_json(scene.client, "/cache/small", "{\"max_size_mb\":1}"), 204);
	memset(value, 's', sizeof(value));
	for (int i = 0; i < 16; i++) {
		(void)snprintf(target, sizeof(target), "/cache/small/%d", i);
		expect_status(
			http_put(scene.client, target, ((struct slice){value, sizeof(value)})),
			201);
	}
	(void)fill_disk();
	memset(value, 's', sizeof(value));
	for (int i = 100; i < 200; i++) {
		(void)snprintf(target, sizeof(target), "/cache/small/%d", i);
		expect_status(
			http_put(scene.client, target, ((struct slice){value, sizeof(value)})),
			201);
	}
	scene_stop();
	expect_sound_database();
}

/* Another program takes what the reserve left free: the log's room is enough. */
Test(full_of_cache, nothing_else_is_needed)
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
	expect_status(http_delete(scene.client, "/cache/ns?all"), 204);
	expect_sets(0, stored * 9 / 10);
	answer = http_get(scene.client, "/metrics");
	expect_that(answer, strstr(answer_->body, "\nsteadycache_sqlite_low_space 1\n"),
		    "expected the gauge to say 1");
	cr_assert_eq(remove(ballast_path), 0);
	scene_stop();
	expect_sound_database();
}

/* Small entries fill pages of indexes, too, and there are more than one step removes. */
Test(full_of_cache, many_small_entries)
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
		/* Reads whose uses may not fit on the full disk must not interfere. */
		for (int j = 0; j < 300; j++) {
			char key[64];

			(void)snprintf(key, sizeof(key), "%u-%d", (unsigned)j * 2654435761U, j);
			expect_status(scene_get(key), 200);
		}
		expect_status(http_delete(scene.client, "/cache/ns?prefix=1"), 204);
		expect_status(scene_put("a", "b"), 201);
		scene_expect_true_totals(scene.client);
		expect_status(http_delete(scene.client, "/cache/ns?all"), 204);
	}
	cr_assert_geq(stored[1], stored[0] * 9 / 10);
	scene_stop();
	expect_sound_database();
}

/* Values larger than the reserve: they need the log and the database at once. */
Test(full_of_cache, large_values)
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
	expect_status(http_delete(scene.client, "/cache/ns?all"), 204);
	expect_sets(0, 20);
	scene_stop();
	expect_sound_database();
}

/* With room outside, the server works as before, and says so. */
Test(full_of_cache, low_space_ends)
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
	cr_assert(server_await_log(&scene.server, "is full", 10000));
	cr_assert_eq(remove(ballast_path), 0);
	cr_assert(server_await_log(&scene.server, "there is room again", 10000));
	cr_assert_eq(access(reserve_path, F_OK), 0);
	expect_that(http_get(scene.client, "/metrics"),
		    strstr(answer_->body, "\nsteadycache_sqlite_low_space 0\n"),
		    "expected the gauge to say 0");
	expect_sets(3000, 10);
	/* If the reserve is deleted, nobody has to intervene. */
	cr_assert_eq(remove(reserve_path), 0);
	cr_assert(await_condition(access(reserve_path, F_OK) == 0, 10000));
	scene_stop();
}

/* Two servers share the disk and the reserve. */
Test(full_of_cache, two_servers_share_the_reserve)
{
	static struct server_process second;

	mount_small_disk();
	second = (struct server_process){.data_dir = scene.data_dir};
	scene_start();
	server_start(&second);
	struct http_client *other = http_client_open(second.url, NULL);
	for (int round = 0; round < ROUNDS; round++) {
		int stored = fill_disk();

		cr_assert_gt(stored, 20, "round %d", round);
		/* The other server has not seen that the disk is full. */
		expect_status(http_delete(other, "/cache/ns/k0"), 204);
		expect_status(http_put(other, "/cache/other/k", SLICE("v")), round ? 204 : 201);
		expect_status(http_delete(round % 2 ? scene.client : other, "/cache/ns?all"), 204);
		cr_assert_eq(scene_stat("entry_count"), 0);
	}
	http_client_close(other);
	cr_assert(server_stop(&second));
	server_dispose(&second);
	scene_stop();
	expect_sound_database();
}

/* Something reads for long, as a backup does: the log cannot be copied, and the database grows by
 * more than the reserve covers. While there is room, that is not a full disk. */
Test(full_of_cache, a_long_reader_stops_nothing)
{
	char path[TEMP_PATH_SIZE + 32];
	sqlite3 *reader = NULL;

	mount_small_disk();
	scene_start();
	expect_sets(0, 1);
	write_path(path, "steadycache.db");
	cr_assert_eq(sqlite3_open_v2(path, &reader, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM meta", NULL, NULL, NULL),
		     SQLITE_OK);
	expect_sets(1, 15);
	expect_that(http_get(scene.client, "/metrics"),
		    strstr(answer_->body, "\nsteadycache_sqlite_low_space 0\n"),
		    "expected the gauge to say 0");
	/* Without room there are refusals, but nothing is lost, and service continues
	 * afterwards. */
	int stored = 16;
	while (put_large(stored)->status == 201)
		stored++;
	cr_assert_lt(stored, DISK_MB * 16);
	expect_all(stored);
	cr_assert_eq(sqlite3_exec(reader, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_close(reader), SQLITE_OK);
	expect_status(http_delete(scene.client, "/cache/ns?all"), 204);
	expect_sets(0, stored * 9 / 10);
	scene_stop();
	expect_sound_database();
}
