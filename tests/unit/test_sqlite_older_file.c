/* Database files of older programs are taken over and keep their contents: those of this schema
 * without a stale time, and those of the previous schema, which did not count keys. And an older
 * program that has the file open meanwhile does no harm. */
#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "store/find.h"
#include "tests/support/temp_dir.h"

static struct temp_dir dir;
static struct backend *backend;

static char notices[8192];

static void keep_notice(void *user, enum notice_level level, const char *sentence)
{
	size_t len = strlen(notices);

	(void)user;
	(void)level;
	(void)snprintf(notices + len, sizeof(notices) - len, "%s\n", sentence);
}

static void open_backend(void)
{
	struct backend_config config = {.data_dir = dir.path, .notice = keep_notice};
	char error[256] = "";

	backend = backend_find("sqlite")->open(&config, error, sizeof(error));
	cr_assert(backend, "%s", error);
}

static void close_backend(void)
{
	backend->ops->close(backend);
	backend = NULL;
}

static void open_dir(void)
{
	temp_dir_create(&dir);
	open_backend();
}

static void close_dir(void)
{
	if (backend)
		close_backend();
	temp_dir_destroy(&dir);
}

TestSuite(older_file, .init = open_dir, .fini = close_dir);

static void execute(const char *sql)
{
	char path[4096 + 32];
	char *error = NULL;
	sqlite3 *db = NULL;

	(void)snprintf(path, sizeof(path), "%s/steadycache.db", dir.path);
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, &error), SQLITE_OK, "%s", error);
	cr_assert_eq(sqlite3_close(db), SQLITE_OK);
}

/* A file that no program of this schema has opened. */
#define VERSION_2                                                                                  \
	"ALTER TABLE namespaces RENAME COLUMN size_sum TO total_size;"                             \
	"ALTER TABLE namespaces DROP COLUMN used_bytes; PRAGMA user_version=2"

static void make_version_2(void)
{
	execute(VERSION_2);
}

static void set_typed(const char *ns, const char *key, const char *value, const char *type)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_SET);
	op.ns = slice_of(ns);
	op.one.key = slice_of(key);
	op.one.value = cache_value_copy(slice_of(value), slice_of(type));
	cr_expect_eq(backend_call(backend, &op), CACHE_OK);
	cache_value_release(op.one.value);
}

static void set(const char *key)
{
	set_typed("n", key, "v", CONTENT_TYPE_TEXT);
}

static struct namespace_stats stats_of(const char *ns)
{
	struct namespace_stats found = {0};
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_STATS);
	op.ns = slice_of(ns);
	cr_assert_eq(backend_call(backend, &op), CACHE_OK);
	found = op.stats[0];
	cache_op_deinit(&op);
	return found;
}

static void run(enum cache_op_type type, const char *ns, const char *key, uint64_t max_size_bytes)
{
	struct cache_op op;

	cache_op_init(&op, type);
	op.ns = slice_of(ns);
	op.one.key = slice_of(key);
	op.settings.max_size_bytes = max_size_bytes;
	op.settings_mask = SETTING_MAX_SIZE;
	cr_expect_eq(backend_call(backend, &op), CACHE_OK);
	cache_op_deinit(&op);
}

static bool is_there(const char *key)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_EXISTS);
	op.ns = SLICE("n");
	op.one.key = slice_of(key);
	return backend_call(backend, &op) == CACHE_OK;
}

static int64_t change_stale_ttl(int64_t stale_ttl_s)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_CONFIGURE);
	op.ns = SLICE("n");
	op.settings.stale_ttl_s = stale_ttl_s;
	op.settings_mask = SETTING_STALE_TTL;
	cr_expect_eq(backend_call(backend, &op), CACHE_OK);
	cache_op_init(&op, CACHE_OP_STATS);
	op.ns = SLICE("n");
	cr_assert_eq(backend_call(backend, &op), CACHE_OK);
	int64_t now_s = op.stats[0].settings.stale_ttl_s;
	cache_op_deinit(&op);
	return now_s;
}

#define NO_IDLE                                                                                    \
	"DROP INDEX namespaces_idle; ALTER TABLE namespaces DROP COLUMN max_idle;"                 \
	"ALTER TABLE namespaces DROP COLUMN compression;"                                          \
	"ALTER TABLE namespaces DROP COLUMN put_status;"                                           \
	"DROP INDEX uses_idle; ALTER TABLE uses DROP COLUMN idle;"

static unsigned change_put_status(unsigned put_status)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_CONFIGURE);
	op.ns = SLICE("n");
	op.settings.put_status = put_status;
	op.settings_mask = SETTING_PUT_STATUS;
	cr_expect_eq(backend_call(backend, &op), CACHE_OK);
	return stats_of("n").settings.put_status;
}

Test(older_file, without_an_idle_time_is_completed)
{
	cr_expect_eq(change_stale_ttl(77), 77);
	set("key");
	close_backend();
	execute(NO_IDLE);
	open_backend();
	cr_expect(is_there("key"));
	cr_expect_eq(stats_of("n").settings.stale_ttl_s, 77);
	cr_expect_eq(stats_of("n").settings.max_idle_s, 0);
	cr_expect_eq(change_put_status(200), 200);
	close_backend();
	open_backend();
	cr_expect_eq(stats_of("n").settings.put_status, 200);
}

Test(older_file, is_completed_and_keeps_its_entries)
{
	set("key");
	close_backend();
	execute("DROP INDEX namespaces_stale; ALTER TABLE namespaces DROP COLUMN "
		"stale_ttl;" NO_IDLE);
	make_version_2();
	open_backend();
	cr_expect(is_there("key"));
	cr_expect_eq(change_stale_ttl(77), 77);
	close_backend();
	open_backend();
	cr_expect(is_there("key"));
}

/* For a value of 10 bytes under a key of 4. */
#define TEXT_USED (4 + sizeof(CONTENT_TYPE_TEXT) - 1 + 10 + 128)

Test(older_file, of_the_schema_before_is_counted_once)
{
	char key[2000];
	uint64_t used = 0;

	for (int i = 0; i < 300; i++) {
		(void)snprintf(key, sizeof(key), "%0*d", 900 + i, i);
		set_typed("n", key, "0123456789", i % 2 ? CONTENT_TYPE_BYTES : "text/x-of-its-own");
		used += 900 + (uint64_t)i + 10 + 128 +
			strlen(i % 2 ? CONTENT_TYPE_BYTES : "text/x-of-its-own");
	}
	set_typed("other", "key1", "0123456789", CONTENT_TYPE_TEXT);
	set_typed("gone", "key1", "0123456789", CONTENT_TYPE_TEXT);
	run(CACHE_OP_CLEAR, "gone", "", 0);
	run(CACHE_OP_CONFIGURE, "n", "", 100000);
	struct namespace_stats before = stats_of("n");
	cr_assert_lt(before.used_bytes, 100000, "the limit evicts here");
	run(CACHE_OP_CONFIGURE, "n", "", 0);
	close_backend();
	make_version_2();
	execute("UPDATE namespaces SET max_size = 50000 WHERE name = 'n'");
	notices[0] = '\0';
	open_backend();
	struct namespace_stats now = stats_of("n");
	cr_expect_eq(now.entry_count, before.entry_count, "taking over evicts nothing");
	cr_expect_eq(now.total_size_bytes, before.total_size_bytes);
	cr_expect_eq(now.used_bytes, before.used_bytes);
	cr_expect_lt(now.used_bytes, used);
	cr_expect_eq(stats_of("other").used_bytes, TEXT_USED);
	cr_expect_eq(stats_of("gone").used_bytes, 0);
	cr_expect(strstr(notices, "schema version 2") && strstr(notices, "version 3 now"), "%s",
		  notices);
	cr_expect(strstr(notices, "namespace n counts"), "%s", notices);
	cr_expect_not(strstr(notices, "namespace other counts"), "%s", notices);

	/* And it can be changed. */
	run(CACHE_OP_DELETE, "other", "key1", 0);
	cr_expect_eq(stats_of("other").used_bytes, 0);
	set_typed("n", "key1", "0123456789", CONTENT_TYPE_TEXT);
	cr_expect_leq(stats_of("n").used_bytes, 50000);
	run(CACHE_OP_CLEAR, "n", "", 0);
	cr_expect_eq(stats_of("n").used_bytes, 0);
	close_backend();
	notices[0] = '\0';
	open_backend();
	cr_expect_not(strstr(notices, "schema"), "%s", notices);
}

/* A program of the previous schema that has the file open when it is taken over. */
Test(older_file, cannot_be_written_by_a_program_of_the_schema_before)
{
	char path[4096 + 32];
	sqlite3_stmt *update = NULL;
	sqlite3 *db = NULL;

	set("key");
	close_backend();
	make_version_2();
	(void)snprintf(path, sizeof(path), "%s/steadycache.db", dir.path);
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_prepare_v2(db, "UPDATE namespaces SET total_size = 5 WHERE id = 1", -1,
					&update, NULL),
		     SQLITE_OK);
	cr_assert_eq(sqlite3_step(update), SQLITE_DONE);
	(void)sqlite3_reset(update);
	open_backend();
	cr_expect_eq(sqlite3_step(update), SQLITE_ERROR);
	(void)sqlite3_finalize(update);
	cr_expect_eq(sqlite3_close(db), SQLITE_OK);
	cr_expect_eq(stats_of("n").used_bytes, 3 + sizeof(CONTENT_TYPE_TEXT) - 1 + 1 + 128);
}

/* What an older program of this schema does with the file while ours has it open. */
Test(older_file, takes_the_writes_of_an_older_program)
{
	cr_expect_eq(change_stale_ttl(77), 77);
	execute("INSERT INTO namespaces(id, name, created) VALUES(1000, 'older', 1);"
		"UPDATE namespaces SET max_size = 5, capacity = 6, default_ttl = 7, policy = 0"
		" WHERE name = 'older'");
	cr_expect_eq(change_stale_ttl(78), 78);
	close_backend();
	open_backend();
	set("key");
	cr_expect(is_there("key"));
}
