/* A full disk: writes get 507, reads continue. The service recovers by itself once there is space,
 * or, without it, by removing entries. */
#include "tests/process/scene.h"
#include "tests/process/small_disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

PROCESS_SUITE(full_disk);

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
	/* Repeatedly, with reads in between. */
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

/* Uses wait in memory until the writer can store them: a full disk must not lose the reads. */
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

/* Fills the disk with one entry, and with data that are not the cache's. */
static void fill_with_ballast(char ballast_path[TEMP_PATH_SIZE + 32])
{
	mount_small_disk();
	scene_start();
	expect_status(scene_put("k", "computed for hours"), 201);
	scene_stop();
	write_path(ballast_path, "ballast");
	take_all_space(ballast_path);
}

/* After a clean stop SQLite must create its "-shm" file first: the reserve has room for that. */
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

/* Without the reserve it fails. That says nothing about the database, which must not be set
 * aside. */
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
