/* Another program removes, replaces or truncates files that the server has open: writes are refused
 * and reads are correct or refused, /readyz and one line of the log report it, no file is
 * recreated, and the stop is clean. */
#include "tests/process/scene.h"
#include "tests/support/sanitized.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

PROCESS_SUITE(lost_files);

#define ENTRIES 24

static char db[TEMP_PATH_SIZE + 32], wal[TEMP_PATH_SIZE + 32], shm[TEMP_PATH_SIZE + 32];

static const char *value_of(int number)
{
	static char value[9001];
	/* Some are longer than a page. */
	size_t len = number % 3 == 0 ? sizeof(value) - 1 : 200;

	memset(value, 'a' + number, len);
	value[len] = '\0';
	return value;
}

static const char *key_of(int number)
{
	static char key[16];

	(void)snprintf(key, sizeof(key), "k%d", number);
	return key;
}

/* The first half of the entries is in the database, the second in its log. */
static void start_with_entries(void)
{
	(void)snprintf(db, sizeof(db), "%s/steadycache.db", scene.data_dir);
	(void)snprintf(wal, sizeof(wal), "%s-wal", db);
	(void)snprintf(shm, sizeof(shm), "%s-shm", db);
	scene_env("STEADYCACHE_SQLITE_CACHE_MB=0"); /* reads are reads of the files */
	for (int i = 0; i < ENTRIES; i++) {
		if (i == 0 || i == ENTRIES / 2)
			scene_start();
		expect_status(scene_put(key_of(i), value_of(i)), 201);
		if (i == ENTRIES / 2 - 1)
			scene_stop();
	}
}

/* Expects each entry to be as stored, or 503 if `may_refuse`. Returns how many could be read. */
static int expect_entries(int from, bool may_refuse)
{
	int found = 0;

	for (int i = from; i < ENTRIES; i++) {
		const struct http_answer *answer = scene_get(key_of(i));

		if (may_refuse && answer->status == 503)
			continue;
		expect_body(answer, slice_of(value_of(i)));
		found++;
	}
	return found;
}

static void expect_refusals(const char *sentence)
{
	const struct http_answer *answer = scene_put("new", "lost");

	expect_status(answer, 503);
	expect_that(answer, strstr(answer->body, sentence), "expected: %s", sentence);
	expect_status(http_delete(scene.client, "/cache/ns/k1"), 503);
	expect_status(http_delete(scene.client, "/cache/other?all"), 503);
	answer = http_get(scene.client, "/readyz");
	expect_status(answer, 503);
	expect_that(answer, strstr(answer->body, sentence), "expected: %s", sentence);
	expect_status(http_get(scene.client, "/healthz"), 200);
}

/* The line appears without any request, too. */
static void expect_told(const char *text)
{
	cr_assert(server_await_log(&scene.server, text, 10000), "the log does not tell: %s", text);
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* More clients than open readers, so that new connections are opened. */
static void read_by_many(void)
{
	for (int i = 0; i < 20; i++) {
		struct http_client *client = http_client_open(scene.server.url, NULL);

		expect_body(http_get(client, "/cache/ns/k1"), slice_of(value_of(1)));
		http_client_close(client);
	}
}

Test(lost_files, all_removed)
{
	start_with_entries();
	cr_assert(unlink(db) == 0 && unlink(wal) == 0 && unlink(shm) == 0);
	expect_told("steadycache.db is gone");
	expect_refusals("was removed");
	read_by_many();
	cr_expect_eq(expect_entries(0, false), ENTRIES);
	expect_status(http_get(scene.client, "/cache/ns?limit=5"), 200);
	cr_expect_eq(scene_stat("entry_count"), ENTRIES);
	cr_expect_eq(server_log_count(&scene.server, "is gone"), 1, "told more than once");
	cr_expect_not(exists(db) || exists(wal) || exists(shm), "a file was made anew");
	scene_stop();
	cr_expect_not(exists(db) || exists(wal) || exists(shm), "a file was made anew");
}

/* Acknowledged writes reach the database, although its log is gone. */
Test(lost_files, log_removed)
{
	start_with_entries();
	cr_assert_eq(unlink(wal), 0);
	expect_told("steadycache.db-wal is gone");
	expect_refusals("was removed");
	expect_entries(0, false);
	scene_stop();
	scene_start();
	cr_expect_eq(expect_entries(0, false), ENTRIES);
	scene_stop();
}

Test(lost_files, index_removed)
{
	start_with_entries();
	cr_assert_eq(unlink(shm), 0);
	expect_told("steadycache.db-shm is gone");
	expect_refusals("was removed");
	scene_stop();
	scene_start();
	cr_expect_eq(expect_entries(0, false), ENTRIES);
	scene_stop();
}

/* A backup that replaces the file under the server must not meet the log of the former database. */
Test(lost_files, database_replaced)
{
	char other[TEMP_PATH_SIZE + 32];
	size_t len = 0;
	char *bytes = NULL;

	start_with_entries();
	(void)snprintf(other, sizeof(other), "%s/other", scene.dir.path);
	bytes = file_read(db, &len);
	file_write(other, (struct slice){bytes, len});
	free(bytes);
	cr_assert_eq(rename(other, db), 0);
	expect_told("steadycache.db is another file");
	expect_refusals("was replaced");
	cr_expect_eq(expect_entries(0, false), ENTRIES);
	cr_assert(await_condition(file_size(wal) == 0, 10000), "the log still has frames");
	scene_kill();
	scene_start();
	for (int i = 0; i < ENTRIES / 2; i++)
		expect_body(scene_get(key_of(i)), slice_of(value_of(i)));
	expect_status(scene_get(key_of(ENTRIES - 1)), 404);
	scene_stop();
}

Test(lost_files, moved_away_and_back)
{
	char away[TEMP_PATH_SIZE + 32];

	start_with_entries();
	(void)snprintf(away, sizeof(away), "%s/away", scene.data_dir);
	cr_assert_eq(rename(db, away), 0);
	expect_told("is gone");
	expect_refusals("was removed");
	cr_assert_eq(rename(away, db), 0);
	expect_told("are in their places again");
	expect_status(scene_put("new", "kept"), 201);
	expect_status(http_get(scene.client, "/readyz"), 200);
	scene_stop();
	scene_start();
	cr_expect_eq(expect_entries(0, false), ENTRIES);
	expect_body(scene_get("new"), SLICE("kept"));
	scene_stop();
}

/* Reads of what was cut off would raise SIGBUS, or return zeros. */
static void cut_database(off_t bytes)
{
	start_with_entries();
	expect_entries(0, false); /* from the mapping */
	cr_assert_eq(truncate(db, bytes), 0);
	expect_entries(0, true);
	expect_told("steadycache.db was cut short");
	expect_refusals("cut short");
	expect_entries(0, true);
	(void)http_get(scene.client, "/cache/ns?limit=1000");
	cr_expect_eq(server_log_count(&scene.server, "was cut short by another program while"), 1,
		     "told more than once");
	scene_stop();
	/* What is left is set aside, with the log. */
	scene_start();
	cr_expect_eq(folder_count(scene.data_dir, "steadycache.db.corrupted.", NULL), 3);
	expect_status(scene_put("new", "1"), 201);
	scene_stop();
}

Test(lost_files, database_cut_to_nothing)
{
	cut_database(0);
}

Test(lost_files, database_cut_between_pages)
{
	cut_database(8 * 4096);
}

Test(lost_files, database_cut_within_a_page)
{
	cut_database(8 * 4096 + 1000);
}

Test(lost_files, log_cut)
{
	start_with_entries();
	cr_assert_eq(truncate(wal, 0), 0);
	expect_told("steadycache.db-wal was cut short");
	expect_refusals("cut short");
	expect_entries(0, true);
	scene_stop();
	scene_start();
	for (int i = 0; i < ENTRIES / 2; i++)
		expect_body(scene_get(key_of(i)), slice_of(value_of(i)));
	scene_stop();
}

/* All connections share this memory: without it the process ends, and says why. */
Test(lost_files, index_cut)
{
	start_with_entries();
	cr_assert_eq(truncate(shm, 0), 0);
	(void)scene_put("new", "lost");
	struct server_exit ended = server_await_exit(&scene.server, 20000);
	cr_expect_neq(ended.code, 0);
	/* A handler that was there before, a sanitizer's, is the one that is asked. */
	cr_expect(strstr(ended.log,
			 IS_SANITIZED ? "BUS on unknown address" : "cut short or cannot be read"),
		  "%s", ended.log);
	free(ended.log);
	scene_start();
	cr_expect_eq(expect_entries(0, false), ENTRIES);
	scene_stop();
}

/* SQLite would take the empty file for a new one and remove the log. */
Test(lost_files, a_log_without_its_database_is_set_aside)
{
	start_with_entries();
	scene_kill();
	cr_assert_eq(unlink(db), 0);
	scene_start();
	cr_assert(server_await_log(&scene.server, "its log is not", 10000));
	cr_expect_eq(folder_count(scene.data_dir, "steadycache.db.corrupted.", NULL), 2);
	expect_status(scene_put("new", "1"), 201);
	scene_stop();
}
