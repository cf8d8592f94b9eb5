/* SteadyText's .db files, as entries: what its D1 client would look for, and the files untouched.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "steadytext/cache_file.h"
#include "tests/support/steadytext_files.h"
#include "tests/support/temp_dir.h"

#define NOW_US INT64_C(1700000000000000)

static struct temp_dir dir;
static char path[TEMP_PATH_SIZE];
static struct steadytext_file *file;
static struct steadytext_entry entry;
static char reason[STEADYTEXT_REASON_SIZE];
static bool is_foreign;
static struct buffer pickle;

static void open_folder(void)
{
	temp_dir_create(&dir);
	(void)temp_dir_path(&dir, "cache.db", path);
	pickle_text(&pickle, SLICE("a text"));
}

static void close_folder(void)
{
	steadytext_file_close(file);
	file = NULL;
	buffer_deinit(&pickle);
	temp_dir_destroy(&dir);
}

TestSuite(steadytext_db, .init = open_folder, .fini = close_folder, .timeout = 60);

static const struct steadytext_limits no_limits;

static bool try_open(void)
{
	char *real = realpath(dir.path, NULL);
	char name[TEMP_PATH_SIZE];

	(void)snprintf(name, sizeof(name), "%s%s", real, strrchr(path, '/'));
	free(real);
	file = steadytext_file_open(name, &no_limits, NOW_US, &is_foreign, reason, sizeof(reason));
	return file != NULL;
}

static void open_file(void)
{
	cr_assert(try_open(), "%s", reason);
}

static enum steadytext_step next(void)
{
	return steadytext_file_next(file, &entry, reason, sizeof(reason));
}

static void expect_end(void)
{
	enum steadytext_step step = next();

	cr_expect_eq(step, STEADYTEXT_END, "%d: %s", step, reason);
}

static void expect_skipped(const char *why)
{
	enum steadytext_step step = next();

	cr_expect(step == STEADYTEXT_SKIPPED && strstr(reason, why), "%d: %s", step, reason);
}

static void expect_key(const char *key)
{
	enum steadytext_step step = next();

	cr_assert_eq(step, STEADYTEXT_ENTRY, "%d: %s", step, reason);
	cr_expect(slice_equal(entry.key, slice_of(key)), "%.*s", (int)entry.key.len,
		  entry.key.data);
	cr_expect(slice_equal(entry.value, base64_of(buffer_bytes(&pickle))));
}

/* Adds a row that is worth more than those before it. */
static void add(struct sqlite3 *db, const char *column)
{
	static int64_t uses;

	steadytext_db_add(db, column, buffer_bytes(&pickle), ++uses, NOW_US - 1000);
}

#define ADD_PARTS(db, ...)                                                                         \
	add(db, steadytext_column((const char *const[]){__VA_ARGS__},                              \
				  sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)))

/* A file as it was. */
struct trace {
	char *bytes;
	size_t len;
	struct stat found;
};

static struct trace look_at(const char *name)
{
	struct trace ret = {.bytes = file_read(name, &ret.len)};

	cr_assert(ret.bytes && stat(name, &ret.found) == 0, "%s", name);
	return ret;
}

static void expect_untouched(const char *name, struct trace *before)
{
	struct trace now = look_at(name);

	cr_expect(slice_equal((struct slice){now.bytes, now.len},
			      (struct slice){before->bytes, before->len}),
		  "%s", name);
	cr_expect_eq(now.found.st_mtim.tv_sec, before->found.st_mtim.tv_sec);
	cr_expect_eq(now.found.st_mtim.tv_nsec, before->found.st_mtim.tv_nsec);
	cr_expect_eq(now.found.st_ino, before->found.st_ino);
	free(now.bytes);
	free(before->bytes);
}

static const char *beside(const char *suffix)
{
	static char name[TEMP_PATH_SIZE];

	(void)snprintf(name, sizeof(name), "%s%s", path, suffix);
	return name;
}

/* ---- Keys ---- */

Test(steadytext_db, keys_are_what_str_prints)
{
	struct sqlite3 *db = steadytext_db_make(path);

	ADD_PARTS(db, "a prompt::with colons\n");
	ADD_PARTS(db, "");
	ADD_PARTS(db, "query", "it's", "task");
	ADD_PARTS(db, "\xc3\xa9\n\xe2\x80\xa8", "'\"", "5");
	steadytext_db_end(db);
	open_file();
	cr_expect_eq(steadytext_file_count(file), 4);
	expect_key("a prompt::with colons\n");
	expect_key("");
	expect_key("('query', \"it's\", 'task')");
	expect_key("('\xc3\xa9\\n\\u2028', '\\'\"', '5')");
	expect_end();
	expect_end();
}

Test(steadytext_db, the_cache_says_what_a_key_of_one_part_was)
{
	struct sqlite3 *db;

	(void)temp_dir_path(&dir, "embedding_cache.db", path);
	db = steadytext_db_make(path);
	ADD_PARTS(db, "text");
	steadytext_db_end(db);
	open_file();
	expect_key("('text',)");
	expect_end();
	steadytext_file_close(file);
	(void)temp_dir_path(&dir, "index_search_cache.db", path);
	db = steadytext_db_make(path);
	ADD_PARTS(db, "/path", "query", "05");
	ADD_PARTS(db, "/path", "query", "-5");
	ADD_PARTS(db, "/path", "5");
	steadytext_db_end(db);
	open_file();
	expect_key("('/path', 'query', '05')");
	expect_key("('/path', 'query', -5)");
	expect_key("('/path', '5')");
	expect_end();
}

Test(steadytext_db, pythons_that_print_a_key_differently_find_it_too)
{
	struct sqlite3 *db = steadytext_db_make(path);

	ADD_PARTS(db, "\xf0\x9f\xab\xa0", "x"); /* of Unicode 14.0, which Python 3.11 has */
	steadytext_db_end(db);
	open_file();
	expect_key("('\\U0001fae0', 'x')");
	expect_key("('\xf0\x9f\xab\xa0', 'x')");
	expect_end();
}

Test(steadytext_db, keys_that_are_none_are_skipped)
{
	static const char *const columns[] = {"YQ",    "YR==",    "YQ==\n", "not base64",
					      "/w==",  "YQ==::",  "YQ==:",  "YQ==::YQ",
					      "=====", "YQ==YQ=="};
	struct sqlite3 *db = steadytext_db_make(path);

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		add(db, columns[i]);
	steadytext_db_end(db);
	open_file();
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		if (strcmp(columns[i], "YQ==::") == 0)
			expect_key("('a', '')");
		else
			expect_skipped("its key is not base64");
	expect_end();
}

/* ---- Uses ---- */

Test(steadytext_db, the_least_worth_come_first_with_their_uses)
{
	struct sqlite3 *db = steadytext_db_make(path);

	steadytext_db_add(db, "Yg==", buffer_bytes(&pickle), 100, NOW_US - 1000000);
	steadytext_db_add(db, "YQ==", buffer_bytes(&pickle), 3, NOW_US - 5000000);
	steadytext_db_add(db, "Yw==", buffer_bytes(&pickle), 40, NOW_US);
	steadytext_db_end(db);
	open_file();
	expect_key("a");
	cr_expect_eq(entry.frequency, 3);
	cr_expect_eq(entry.last_access_us, NOW_US - 5000000);
	expect_key("c");
	cr_expect_eq(entry.frequency, 40);
	expect_key("b");
	cr_expect_eq(entry.frequency, 100);
	expect_end();
}

Test(steadytext_db, uses_that_are_none_become_likely_ones)
{
	static const struct timespec times[2] = {{.tv_sec = 1600000000}, {.tv_sec = 1600000000}};
	struct sqlite3 *db = steadytext_db_make(path);

	steadytext_db_add(db, "YQ==", buffer_bytes(&pickle), -7, -1);
	steadytext_db_add(db, "Yg==", buffer_bytes(&pickle), 2, INT64_MAX);
	steadytext_db_add(db, "Yw==", buffer_bytes(&pickle), 1, 0);
	steadytext_db_run(db, "UPDATE cache SET frequency = 'often', last_access = 'just now' "
			      "WHERE key = 'Yw=='");
	steadytext_db_end(db);
	cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
	open_file();
	for (const char *key = "a"; key; key = strcmp(key, "a") == 0 ? "c" : NULL) {
		expect_key(key);
		cr_expect_eq(entry.frequency, 1);
		cr_expect_eq(entry.last_access_us, INT64_C(1600000000000000));
	}
	expect_key("b");
	cr_expect_eq(entry.last_access_us, NOW_US);
	expect_end();
}

/* ---- Beside SteadyText ---- */

Test(steadytext_db, is_read_while_others_write_and_stays_untouched)
{
	struct sqlite3 *db = steadytext_db_make(path);
	struct trace main, wal;
	char wal_path[TEMP_PATH_SIZE];

	(void)snprintf(wal_path, sizeof(wal_path), "%s", beside("-wal"));
	ADD_PARTS(db, "first");
	steadytext_db_run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
	ADD_PARTS(db, "in the wal");
	steadytext_db_run(db, "BEGIN IMMEDIATE");
	ADD_PARTS(db, "not committed");
	main = look_at(path);
	wal = look_at(wal_path);
	open_file();
	expect_key("first");
	/* What SteadyText does after a write, and must not wait for. */
	steadytext_db_run(db, "COMMIT");
	steadytext_db_run(db, "DELETE FROM cache WHERE key = 'aW4gdGhlIHdhbA=='");
	expect_end();
	steadytext_file_close(file);
	file = NULL;
	expect_untouched(path, &main);
	free(wal.bytes);
	steadytext_db_end(db);
}

Test(steadytext_db, never_makes_a_checkpoint_wait)
{
	struct sqlite3 *db = steadytext_db_make(path);
	int frames = -1;

	ADD_PARTS(db, "a");
	ADD_PARTS(db, "b");
	open_file();
	expect_key("a");
	ADD_PARTS(db, "c");
	cr_expect_eq(sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, &frames, NULL),
		     SQLITE_OK);
	cr_expect_eq(file_size(beside("-wal")), 0);
	expect_key("b");
	expect_end();
	steadytext_db_end(db);
}

Test(steadytext_db, leaves_no_trace)
{
	struct trace before;

	steadytext_db_end(steadytext_db_make(path));
	before = look_at(path);
	open_file();
	expect_end();
	steadytext_file_close(file);
	file = NULL;
	expect_untouched(path, &before);
	cr_expect_eq(folder_count(dir.path, "cache.db", NULL), 1);
}

Test(steadytext_db, leaves_what_others_have_begun_to_use)
{
	struct sqlite3 *db;

	steadytext_db_end(steadytext_db_make(path));
	open_file();
	db = steadytext_db_make(path);
	ADD_PARTS(db, "a");
	steadytext_file_close(file);
	file = NULL;
	cr_expect_gt(file_size(beside("-wal")), 0);
	cr_expect_gt(file_size(beside("-shm")), 0);
	steadytext_db_run(db, "PRAGMA integrity_check");
	steadytext_db_end(db);
}

/* Copies what a process that dies leaves: the database and its -wal. */
static void copy_open_files(struct sqlite3 *db)
{
	char from[TEMP_PATH_SIZE];
	size_t len;

	(void)db;
	for (size_t i = 0; i < 2; i++) {
		static const char *const suffixes[] = {"", "-wal"};
		(void)snprintf(from, sizeof(from), "%s", beside(suffixes[i]));
		char *bytes = file_read(from, &len);
		char *to = strdup(from);
		memcpy(strstr(to, "cache.db"), "other.db", 8);
		file_write(to, (struct slice){bytes, len});
		cr_assert_eq(chmod(to, 0644), 0);
		free(bytes);
		free(to);
	}
}

static void make_left_behind(void)
{
	struct sqlite3 *db = steadytext_db_make(path);

	ADD_PARTS(db, "first");
	steadytext_db_run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
	ADD_PARTS(db, "in the wal");
	copy_open_files(db);
	steadytext_db_end(db);
	(void)temp_dir_path(&dir, "other.db", path);
}

Test(steadytext_db, what_a_killed_process_left_is_read_and_not_repaired)
{
	struct trace main, wal;
	char wal_path[TEMP_PATH_SIZE];

	make_left_behind();
	(void)snprintf(wal_path, sizeof(wal_path), "%s", beside("-wal"));
	main = look_at(path);
	wal = look_at(wal_path);
	open_file();
	expect_key("first");
	expect_key("in the wal");
	expect_end();
	steadytext_file_close(file);
	file = NULL;
	expect_untouched(path, &main);
	expect_untouched(wal_path, &wal);
	cr_expect_eq(folder_count(dir.path, "other.db", NULL), 2);
}

/* ---- Folders without write access ---- */

/* Runs `test` in a process that may only read the folder, and expects exit code 0. */
static void run_as_reader(int (*test)(void))
{
	cr_assert_eq(chmod(dir.path, 0555), 0);
	pid_t child = fork();
	if (child == 0) {
		if (geteuid() == 0 &&
		    (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0))
			_exit(99);
		_exit(test());
	}
	int status = -1;
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(chmod(dir.path, 0755), 0);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %d", status);
}

static int reads_one(void)
{
	if (!try_open() || next() != STEADYTEXT_ENTRY || next() != STEADYTEXT_END) {
		(void)fprintf(stderr, "%s\n", reason);
		return 1;
	}
	steadytext_file_close(file);
	return 0;
}

static int reads_two(void)
{
	if (!try_open() || next() != STEADYTEXT_ENTRY || next() != STEADYTEXT_ENTRY ||
	    next() != STEADYTEXT_END) {
		(void)fprintf(stderr, "%s\n", reason);
		return 1;
	}
	steadytext_file_close(file);
	return 0;
}

static int is_refused(void)
{
	if (!try_open() && strstr(reason, "-wal") && strstr(reason, "write access"))
		return 0;
	(void)fprintf(stderr, "%s\n", reason);
	return 1;
}

Test(steadytext_db, keys_in_utf_16_are_read)
{
	struct sqlite3 *db = NULL;

	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	steadytext_db_run(db, "PRAGMA encoding='UTF-16le'");
	steadytext_db_run(db, "CREATE TABLE makes_the_file (a)");
	steadytext_db_end(db);
	db = steadytext_db_make(path);
	ADD_PARTS(db, "a");
	steadytext_db_end(db);
	open_file();
	cr_assert_eq(next(), STEADYTEXT_ENTRY, "%s", reason);
	cr_expect(slice_equal(entry.key, SLICE("a")));
}

Test(steadytext_db, a_folder_without_write_access_is_read)
{
	struct sqlite3 *db = steadytext_db_make(path);

	ADD_PARTS(db, "a");
	steadytext_db_end(db);
	run_as_reader(reads_one);
	cr_expect_eq(folder_count(dir.path, "cache.db", NULL), 1);
}

Test(steadytext_db, a_folder_without_write_access_is_read_while_others_write)
{
	struct sqlite3 *db = steadytext_db_make(path);

	ADD_PARTS(db, "a");
	steadytext_db_run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
	ADD_PARTS(db, "in the wal");
	run_as_reader(reads_two);
	steadytext_db_end(db);
}

Test(steadytext_db, a_wal_that_cannot_be_read_is_not_passed_over)
{
	make_left_behind();
	run_as_reader(is_refused);
}

/* Where the file system does not tell of a change, it is noticed. */
static int notices_a_change(void)
{
	if (!try_open() || next() != STEADYTEXT_ENTRY)
		return 1;
	/* Another process, which may write. */
	(void)utimensat(AT_FDCWD, path, NULL, 0);
	return next() == STEADYTEXT_FAILED && strstr(reason, "changed") ? 0 : 2;
}

Test(steadytext_db, a_change_below_a_reader_without_locks_is_noticed)
{
	struct sqlite3 *db = steadytext_db_make(path);

	ADD_PARTS(db, "a");
	ADD_PARTS(db, "b");
	steadytext_db_end(db);
	cr_assert_eq(chmod(path, 0666), 0);
	run_as_reader(notices_a_change);
}

/* ---- What is no cache, or a damaged one ---- */

static void expect_refused(const char *why, bool foreign)
{
	cr_assert(!try_open());
	cr_expect(strstr(reason, why), "%s", reason);
	cr_expect_eq(is_foreign, foreign, "%s", reason);
}

Test(steadytext_db, what_is_no_cache_is_told)
{
	static const char *const schemas[] = {
		"CREATE TABLE other (key, value)",
		"CREATE TABLE cache (key, value)",
		"CREATE VIEW cache AS SELECT 'YQ==' AS key, x'2e' AS value, 1 AS frequency, "
		"1 AS last_access",
		"CREATE TABLE cache (key TEXT PRIMARY KEY, value, frequency, last_access) "
		"WITHOUT ROWID",
		"CREATE TABLE cache (rowid, key, value, frequency, last_access)",
		"CREATE VIRTUAL TABLE cache USING fts5(key, value, frequency, last_access)",
		"CREATE TABLE cache (key, frequency, last_access, "
		"value BLOB AS (zeroblob(1000000000)))",
	};

	for (size_t i = 0; i < sizeof(schemas) / sizeof(schemas[0]); i++) {
		struct sqlite3 *db = NULL;

		(void)unlink(path);
		cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
		steadytext_db_run(db, schemas[i]);
		steadytext_db_end(db);
		expect_refused("none of its caches", true);
		steadytext_file_close(file);
	}
	file_write(path, SLICE(""));
	expect_refused("no SQLite database", false);
	file_write(path, SLICE("SQLite format 3 it is not, although it is longer than a page's "
			       "header, which has one hundred bytes in all databases"));
	expect_refused("no SQLite database", false);
}

Test(steadytext_db, only_regular_files_are_opened)
{
	char other[TEMP_PATH_SIZE];

	cr_assert_eq(mkfifo(path, 0600), 0);
	expect_refused("no regular file", false);
	(void)unlink(path);
	steadytext_db_end(steadytext_db_make(temp_dir_path(&dir, "other.db", other)));
	cr_assert_eq(symlink(other, path), 0);
	expect_refused("symbolic link", false);
	(void)unlink(path);
	steadytext_db_end(steadytext_db_make(path));
	cr_assert_eq(mkfifo(beside("-wal"), 0600), 0);
	expect_refused("-wal", false);
}

Test(steadytext_db, values_that_are_no_pickles_are_skipped)
{
	struct sqlite3 *db = steadytext_db_make(path);

	steadytext_db_add(db, "YQ==", SLICE(""), 1, NOW_US - 60000000);
	steadytext_db_add(db, "Yg==", SLICE("\x80\x04X\x05\0\0\0"), 1, NOW_US - 50000000);
	steadytext_db_add(db, "Yw==", SLICE("\x01\x02."), 1, NOW_US - 40000000);
	steadytext_db_add(db, "ZA==", SLICE("x"), 1, NOW_US - 30000000);
	steadytext_db_run(db, "UPDATE cache SET value = 'text.' WHERE key = 'ZA=='");
	ADD_PARTS(db, "e");
	steadytext_db_end(db);
	open_file();
	for (size_t i = 0; i < 4; i++)
		expect_skipped("its value is no pickle");
	expect_key("e");
	expect_end();
}

Test(steadytext_db, an_old_pickle_is_one_too)
{
	struct sqlite3 *db = steadytext_db_make(path);

	buffer_deinit(&pickle);
	buffer_append(&pickle, SLICE("S'text'\np0\n."));
	ADD_PARTS(db, "a");
	steadytext_db_end(db);
	open_file();
	expect_key("a");
	expect_end();
}

Test(steadytext_db, of_a_damaged_file_the_rest_is_taken)
{
	struct sqlite3 *db = steadytext_db_make(path);
	char key[32], value[900];
	size_t taken = 0;
	size_t skipped = 0;

	buffer_deinit(&pickle);
	memset(value, 'v', sizeof(value));
	pickle_text(&pickle, (struct slice){value, sizeof(value)});
	for (size_t i = 0; i < 400; i++) {
		(void)snprintf(key, sizeof(key), "key %zu", i);
		ADD_PARTS(db, key);
	}
	steadytext_db_end(db);
	int raw = open(path, O_WRONLY | O_CLOEXEC);
	memset(value, 0xa5, sizeof(value));
	cr_assert_eq(pwrite(raw, value, sizeof(value), 60 * 4096), (ssize_t)sizeof(value));
	(void)close(raw);
	open_file();
	for (enum steadytext_step step; (step = next()) != STEADYTEXT_END;) {
		cr_assert_neq(step, STEADYTEXT_FAILED, "%s", reason);
		if (step == STEADYTEXT_ENTRY) {
			taken++;
			cr_assert(slice_equal(entry.value, base64_of(buffer_bytes(&pickle))));
		} else {
			skipped++;
		}
	}
	cr_expect_gt(taken, 380);
	cr_expect_gt(skipped, 0);
}

Test(steadytext_db, what_the_store_does_not_take_is_skipped)
{
	const struct steadytext_limits limits = {.key_max_bytes = 3, .value_max_bytes = 24};
	struct sqlite3 *db = steadytext_db_make(path);
	char *real;

	ADD_PARTS(db, "long");
	ADD_PARTS(db, "a");
	buffer_deinit(&pickle);
	pickle_text(&pickle, SLICE("some more text"));
	ADD_PARTS(db, "b");
	steadytext_db_end(db);
	real = realpath(path, NULL);
	file = steadytext_file_open(real, &limits, NOW_US, &is_foreign, reason, sizeof(reason));
	free(real);
	cr_assert(file, "%s", reason);
	expect_skipped("STEADYCACHE_MAX_KEY_KB");
	cr_expect_eq(next(), STEADYTEXT_ENTRY);
	expect_skipped("STEADYCACHE_MAX_BODY_MB");
	expect_end();
}

Test(steadytext_db, of_keys_that_print_the_same_the_last_used_comes)
{
	struct sqlite3 *db = steadytext_db_make(path);

	add(db, steadytext_column((const char *const[]){"x", "y"}, 2));
	steadytext_db_run(db, "UPDATE cache SET frequency = 1000, last_access = 1");
	ADD_PARTS(db, "('x', 'y')");
	steadytext_db_end(db);
	open_file();
	cr_expect_eq(steadytext_file_count(file), 2);
	for (size_t i = 0, entries = 0; i < 2; i++) {
		enum steadytext_step step = next();

		if (step == STEADYTEXT_SKIPPED)
			cr_expect(strstr(reason, "row 1: another key"), "%s", reason);
		else
			cr_expect(step == STEADYTEXT_ENTRY && entry.frequency < 1000 &&
				  ++entries == 1);
	}
	expect_end();
}
