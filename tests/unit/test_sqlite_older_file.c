/* A database file of a version that knew no stale time is completed, and keeps what it holds; and
 * what later versions put in is in the way of no older program. */
#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "backends/backend.h"
#include "tests/support/temp_dir.h"

static struct temp_dir dir;
static struct backend *backend;

static void open_backend(void)
{
	struct backend_config config = {.data_dir = dir.path};
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

static void set(const char *key)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_SET);
	op.ns = SLICE("n");
	op.one.key = slice_of(key);
	op.one.value = cache_value_copy(SLICE("v"), SLICE(CONTENT_TYPE_TEXT));
	cr_expect_eq(backend_call(backend, &op), CACHE_OK);
	cache_value_release(op.one.value);
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

Test(older_file, is_completed_and_keeps_its_entries)
{
	set("key");
	close_backend();
	execute("DROP INDEX namespaces_stale; ALTER TABLE namespaces DROP COLUMN stale_ttl");
	open_backend();
	cr_expect(is_there("key"));
	cr_expect_eq(change_stale_ttl(77), 77);
	close_backend();
	open_backend();
	cr_expect(is_there("key"));
}

/* What an older program does with the file while ours has it open. */
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
