/* A file that is not a database is moved aside, and service continues with an empty one. */
#include "tests/process/scene.h"

#include <ctype.h>
#include <glob.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

PROCESS_SUITE(corrupt);

static char db_path[TEMP_PATH_SIZE + 32];

static void make_data_dir(void)
{
	cr_assert(mkdir(scene.data_dir, 0700) == 0);
	(void)snprintf(db_path, sizeof(db_path), "%s/steadycache.db", scene.data_dir);
}

/* A database of some MB as a server leaves it. */
static void make_database(void)
{
	char value[4096];

	(void)snprintf(db_path, sizeof(db_path), "%s/steadycache.db", scene.data_dir);
	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	scene_start();
	for (int i = 0; i < 300; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "k%d", i);
		expect_status(scene_put(key, value), 201);
	}
	scene_stop();
	cr_assert_gt(file_size(db_path), 1000000, "the database has %ld bytes",
		     (long)file_size(db_path));
}

static void write_at(long offset, struct slice bytes)
{
	FILE *file = fopen(db_path, "r+e");

	cr_assert(file && fseek(file, offset, SEEK_SET) == 0);
	cr_assert_eq(fwrite(bytes.data, 1, bytes.len, file), bytes.len);
	cr_assert_eq(fclose(file), 0);
}

/* The number of databases set aside; the first of them in `ret` unless that is NULL. Their logs and
 * indexes are beside them, under names that end in letters. */
static size_t count_set_aside(char ret[TEMP_PATH_SIZE])
{
	char pattern[TEMP_PATH_SIZE + 64];
	glob_t found = {0};

	(void)snprintf(pattern, sizeof(pattern), "%s/steadycache.db.corrupted.*[0-9]",
		       scene.data_dir);
	(void)glob(pattern, 0, NULL, &found);
	size_t count = found.gl_pathc;
	if (ret && count > 0)
		(void)snprintf(ret, TEMP_PATH_SIZE, "%s", found.gl_pathv[0]);
	globfree(&found);
	return count;
}

/* Starts the server; expects the file to be moved aside unchanged, a line in the log, and an empty
 * cache that works, also after a restart. */
static void expect_quarantine(void)
{
	size_t before_len = 0, after_len = 0;
	char *before = file_read(db_path, &before_len), *after, moved[TEMP_PATH_SIZE];
	const char *stamp;

	cr_assert(before);
	scene_start();
	cr_assert_eq(count_set_aside(NULL), 1, "expected one file steadycache.db.corrupted.<time>");
	(void)count_set_aside(moved);
	stamp = strrchr(moved, '.') + 1;
	cr_assert_eq(strspn(stamp, "0123456789"), strlen(stamp), "%s: no Unix time", moved);
	cr_assert_leq(labs(atol(stamp) - (long)time(NULL)), 60, "%s: not the time", moved);
	after = file_read(moved, &after_len);
	cr_assert(after && after_len == before_len && memcmp(after, before, after_len) == 0,
		  "the file was not moved as it was: %zu bytes, now %zu", before_len, after_len);
	free(before);
	free(after);
	cr_assert(server_await_log(&scene.server, "steadycache.db.corrupted.", 10000),
		  "the log does not tell where the file went");

	expect_status(scene_get("k1"), 404);
	expect_status(scene_put("k1", "new"), 201);
	scene_stop();
	scene_start();
	expect_body(scene_get("k1"), SLICE("new"));
	cr_assert_eq(count_set_aside(NULL), 1);
	scene_stop();
}

/* Runs `sql` on the database, and expects a server that leaves the file alone and says so. */
static void expect_refusal(const char *sql, const char *sentence)
{
	sqlite3 *db = NULL;

	cr_assert_eq(sqlite3_open(db_path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_close(db), SQLITE_OK);
	server_spawn(&scene.server);
	struct server_exit ended = server_await_exit(&scene.server, 10000);
	cr_expect_eq(ended.code, 1, "%s", ended.log);
	cr_expect(strstr(ended.log, sentence), "%s", ended.log);
	free(ended.log);
	cr_assert_eq(count_set_aside(NULL), 0);
}

/* A sound file stays where it is: after a downgrade, or with a wrong folder. */
Test(corrupt, what_is_sound_but_not_ours_stays)
{
	make_database();
	expect_refusal("PRAGMA user_version=99", "another version of steadycache (99,");
	expect_refusal("PRAGMA user_version=2; PRAGMA application_id=7", "another program's");
}

Test(corrupt, garbage)
{
	char garbage[20000];
	unsigned state = 5;

	make_data_dir();
	for (size_t i = 0; i < sizeof(garbage); i++) {
		state = state * 1664525 + 1013904223;
		garbage[i] = (char)(state >> 24);
	}
	file_write(db_path, (struct slice){garbage, sizeof(garbage)});
	expect_quarantine();
}

Test(corrupt, a_short_text)
{
	make_data_dir();
	file_write(db_path, SLICE("this is not a database\n"));
	expect_quarantine();
}

Test(corrupt, truncated_in_the_middle)
{
	make_database();
	cr_assert_eq(truncate(db_path, file_size(db_path) / 2), 0);
	expect_quarantine();
}

Test(corrupt, truncated_to_its_header)
{
	make_database();
	cr_assert_eq(truncate(db_path, 100), 0);
	expect_quarantine();
}

Test(corrupt, header_overwritten)
{
	char bytes[100];

	make_database();
	memset(bytes, 0x5A, sizeof(bytes));
	write_at(0, (struct slice){bytes, sizeof(bytes)});
	expect_quarantine();
}

Test(corrupt, page_size_flipped)
{
	make_database();
	write_at(16, SLICE("\x00\x03"));
	expect_quarantine();
}

Test(corrupt, pages_overwritten)
{
	size_t len = 600000;
	char *bytes = malloc(len);

	cr_assert(bytes);
	make_database();
	memset(bytes, 0xA5, len);
	write_at(4096, (struct slice){bytes, len});
	free(bytes);
	expect_quarantine();
}

Test(corrupt, somebody_elses_schema_stays)
{
	make_data_dir();
	expect_refusal("CREATE TABLE entries (id INTEGER PRIMARY KEY, name TEXT);"
		       "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT);"
		       "INSERT INTO customers (name) VALUES ('precious')",
		       "another program's database");
}

Test(corrupt, an_empty_file_is_a_new_database)
{
	make_data_dir();
	file_write(db_path, SLICE(""));
	scene_start();
	expect_status(scene_put("k", "v"), 201);
	cr_assert_eq(count_set_aside(NULL), 0);
	scene_stop();
}

/* Twice in one second: the second file must not overwrite the first. */
Test(corrupt, twice)
{
	for (int i = 0; i < 2; i++) {
		if (i == 0)
			make_data_dir();
		file_write(db_path, SLICE("this is not a database\n"));
		scene_start();
		expect_status(scene_put("k", "v"), 201);
		scene_stop();
	}
	cr_assert_eq(count_set_aside(NULL), 2);
}

/* A stale write-ahead log beside a garbage file belongs to that file and must not be replayed. */
Test(corrupt, with_leftovers_of_its_log)
{
	char path[sizeof(db_path) + 8];

	make_data_dir();
	file_write(db_path, SLICE("this is not a database\n"));
	(void)snprintf(path, sizeof(path), "%s-wal", db_path);
	file_write(path, SLICE("nor is this a log"));
	expect_quarantine();
}
