/* Memory that persists: what a restart finds, what a crash finds, what is answered while the file
 * is loaded, values that memory has no room for, and a file that cannot be written. The contract's
 * suite and test_backends_agree.c run on it too. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/memory/memory.h"
#include "backends/persist/persist.h"
#include "backends/sqlite/sqlite.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_dir.h"
#include "tests/support/threads.h"

#define NS  SLICE("n")
#define MIB (1 << 20)

static struct temp_dir dir;
static struct backend *backend;
/* Never by itself, if a test does not say so. */
static struct memory_settings settings = {.persist_every_us = 3600 * US_PER_S};

static struct backend *open_in(const char *path)
{
	struct backend_config config = {.data_dir = path, .settings = &settings};
	char error[256] = "";
	struct backend *opened = persist_memory_ops.open(&config, error, sizeof(error));

	cr_assert(opened, "%s", error);
	return opened;
}

static void begin(void)
{
	temp_dir_create(&dir);
	backend = open_in(dir.path);
}

static void end(void)
{
	backend->ops->close(backend);
	temp_dir_destroy(&dir);
}

TestSuite(persist, .init = begin, .fini = end, .timeout = 120);

static void reopen(void)
{
	backend->ops->close(backend);
	backend = open_in(dir.path);
}

static struct slice key_of(unsigned i)
{
	static _Thread_local char keys[4][32];
	static _Thread_local unsigned at;
	char *key = keys[at++ % 4];

	(void)snprintf(key, 32, "key %u", i);
	return slice_of(key);
}

static enum cache_status set_if(struct slice key, struct slice bytes, enum condition_kind kind)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_SET);
	op.ns = NS;
	op.one.key = key;
	op.one.value = cache_value_copy(bytes, SLICE(CONTENT_TYPE_BYTES));
	op.one.condition.kind = kind;
	enum cache_status status = backend_call(backend, &op);
	cache_value_release(op.one.value);
	return status;
}

static enum cache_status set(struct slice key, const char *text)
{
	return set_if(key, slice_of(text), CONDITION_NONE);
}

static enum cache_status simple(enum cache_op_type type, struct slice key)
{
	struct cache_op op;

	cache_op_init(&op, type);
	op.ns = NS;
	op.one.key = key;
	enum cache_status status = backend_call(backend, &op);
	cache_op_deinit(&op);
	return status;
}

/* Whether the value of `key` is `text`; NULL: there is none. */
static bool has_in(struct backend *in, struct slice key, const char *text)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_GET);
	op.ns = NS;
	op.one.key = key;
	enum cache_status status = backend_call(in, &op);
	bool has = text ? status == CACHE_OK &&
				   slice_equal(cache_value_bytes(op.one.value), slice_of(text))
			: status == CACHE_NOT_FOUND;
	cache_op_deinit(&op);
	return has;
}

static bool has(struct slice key, const char *text)
{
	return has_in(backend, key, text);
}

static enum cache_status configure(unsigned mask, struct namespace_settings wanted)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_CONFIGURE);
	op.ns = NS;
	op.settings = wanted;
	op.settings_mask = mask;
	return backend_call(backend, &op);
}

static struct namespace_stats stats(void)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_STATS);
	op.ns = NS;
	cr_assert_eq(backend_call(backend, &op), CACHE_OK);
	struct namespace_stats ret = op.stats[0];
	cache_op_deinit(&op);
	return ret;
}

static double gauge(const char *group, const char *name)
{
	struct backend_gauge gauges[BACKEND_GAUGES_MAX];
	size_t count = backend->ops->gauges(backend, gauges, BACKEND_GAUGES_MAX);

	for (size_t i = 0; i < count; i++)
		if (strcmp(gauges[i].group, group) == 0 && strcmp(gauges[i].name, name) == 0)
			return gauges[i].value;
	cr_assert(false, "no gauge %s %s", group, name);
	return 0;
}

/* What a crash at this moment would leave, opened as another server would. */
static struct backend *open_after_crash(struct temp_dir *ret_dir)
{
	static const char *const names[] = {"steadycache.db", "steadycache.db-wal"};

	temp_dir_create(ret_dir);
	for (size_t i = 0; i < 2; i++) {
		char command[2 * TEMP_PATH_SIZE + 64];

		(void)snprintf(command, sizeof(command), "cp '%s/%s' '%s/'", dir.path, names[i],
			       ret_dir->path);
		cr_assert_eq(system(command), 0);
	}
	return open_in(ret_dir->path);
}

static void close_copy(struct backend *copy, struct temp_dir *copy_dir)
{
	copy->ops->close(copy);
	temp_dir_destroy(copy_dir);
}

static enum cache_status sync_all(void)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_SYNC);
	return backend_call(backend, &op);
}

/* ---- Restart and crash ---- */

Test(persist, without_the_option_it_is_plain_memory)
{
	struct memory_settings none = {0};
	struct backend_config config = {.settings = &none};
	char error[256];

	cr_expect(persist_memory_ops.variant(&config) == &memory_backend_ops);
	struct backend *plain = persist_memory_ops.open(&config, error, sizeof(error));
	cr_assert(plain);
	cr_expect_not(plain->ops->bits & (BACKEND_PERSISTS | BACKEND_WANTS_DIR));
	plain->ops->close(plain);
	config.settings = &settings;
	cr_expect(persist_memory_ops.variant(&config)->bits & BACKEND_WANTS_DIR);
}

Test(persist, a_crash_costs_what_was_not_synced)
{
	struct temp_dir copy_dir;

	for (unsigned i = 0; i < 1000; i++)
		cr_assert_eq(set(key_of(i % 10), "old"), CACHE_OK);
	cr_expect_eq(gauge("unpersisted", "entries"), 10);
	cr_expect_gt(gauge("unpersisted", "bytes"), 10 * 3);
	cr_assert_eq(sync_all(), CACHE_OK);
	cr_expect_eq(gauge("unpersisted", "entries"), 0);
	cr_expect_eq(gauge("unpersisted", "bytes"), 0);
	cr_expect_eq(gauge("persist", "written_entries"), 10, "written more than once");

	cr_assert_eq(set(key_of(0), "new"), CACHE_OK);
	cr_assert_eq(simple(CACHE_OP_DELETE, key_of(1)), CACHE_OK);
	cr_expect_eq(gauge("unpersisted", "entries"), 2);
	struct backend *copy = open_after_crash(&copy_dir);
	cr_expect(has_in(copy, key_of(0), "old"));
	cr_expect(has_in(copy, key_of(1), "old"));
	close_copy(copy, &copy_dir);

	cr_assert_eq(sync_all(), CACHE_OK);
	copy = open_after_crash(&copy_dir);
	cr_expect(has_in(copy, key_of(0), "new"));
	cr_expect(has_in(copy, key_of(1), NULL));
	cr_expect(has_in(copy, key_of(2), "old"));
	close_copy(copy, &copy_dir);
}

Test(persist, writes_by_itself_at_the_interval)
{
	settings.persist_every_us = US_PER_S / 20;
	reopen();
	cr_assert_eq(set(key_of(1), "v"), CACHE_OK);
	cr_expect(await_condition(gauge("unpersisted", "entries") == 0, 10000));
	struct temp_dir copy_dir;
	struct backend *copy = open_after_crash(&copy_dir);
	cr_expect(has_in(copy, key_of(1), "v"));
	close_copy(copy, &copy_dir);
}

/* A key in every state between two flushes. */
Test(persist, keeps_the_order_of_each_key)
{
	struct temp_dir copy_dir;

	for (unsigned i = 0; i < 6; i++)
		cr_assert_eq(set(key_of(i), "first"), CACHE_OK);
	cr_assert_eq(sync_all(), CACHE_OK);
	cr_assert_eq(simple(CACHE_OP_DELETE, key_of(0)), CACHE_OK); /* removed */
	cr_assert_eq(simple(CACHE_OP_DELETE, key_of(1)), CACHE_OK); /* removed and set again */
	cr_assert_eq(set(key_of(1), "again"), CACHE_OK);
	cr_assert_eq(simple(CACHE_OP_DELETE, key_of(2)), CACHE_OK); /* and removed again */
	cr_assert_eq(set(key_of(2), "again"), CACHE_OK);
	cr_assert_eq(simple(CACHE_OP_DELETE, key_of(2)), CACHE_OK);
	cr_assert_eq(set(key_of(6), "short"), CACHE_OK); /* never in the file */
	cr_assert_eq(simple(CACHE_OP_DELETE, key_of(6)), CACHE_OK);
	cr_assert_eq(sync_all(), CACHE_OK);
	/* Removed after it was written together with the tombstone of the former one. */
	cr_assert_eq(simple(CACHE_OP_DELETE, key_of(1)), CACHE_OK);
	cr_assert_eq(set(key_of(3), "third"), CACHE_OK);
	cr_assert_eq(sync_all(), CACHE_OK);
	struct backend *copy = open_after_crash(&copy_dir);
	cr_expect(has_in(copy, key_of(0), NULL));
	cr_expect(has_in(copy, key_of(1), NULL));
	cr_expect(has_in(copy, key_of(2), NULL));
	cr_expect(has_in(copy, key_of(3), "third"));
	cr_expect(has_in(copy, key_of(4), "first"));
	cr_expect(has_in(copy, key_of(6), NULL));
	close_copy(copy, &copy_dir);
}

Test(persist, a_clear_removes_what_was_before_it)
{
	struct temp_dir copy_dir;

	cr_assert_eq(set(key_of(0), "old"), CACHE_OK);
	cr_assert_eq(set(key_of(1), "old"), CACHE_OK);
	cr_assert_eq(sync_all(), CACHE_OK);
	cr_assert_eq(set(key_of(2), "old"), CACHE_OK);
	cr_assert_eq(simple(CACHE_OP_CLEAR, SLICE("")), CACHE_OK);
	cr_assert_eq(set(key_of(1), "new"), CACHE_OK);
	cr_assert_eq(sync_all(), CACHE_OK);
	struct backend *copy = open_after_crash(&copy_dir);
	cr_expect(has_in(copy, key_of(0), NULL));
	cr_expect(has_in(copy, key_of(1), "new"));
	cr_expect(has_in(copy, key_of(2), NULL));
	close_copy(copy, &copy_dir);
}

/* One thread clears and sets, the other flushes meanwhile. */
static const char *clear_or_flush(size_t index, void *user)
{
	atomic_bool *is_done = user;

	while (index == 1 && !atomic_load(is_done))
		(void)sync_all();
	for (unsigned i = 0; index == 0 && i < 1500; i++) {
		if (i % 5 == 0 && simple(CACHE_OP_CLEAR, SLICE("")) != CACHE_OK)
			return "a clear failed";
		for (unsigned at = 0; at < 20; at++)
			if (set(key_of(i % 5 * 20 + at), "v") != CACHE_OK)
				return "a set failed";
	}
	atomic_store(is_done, true);
	return NULL;
}

Test(persist, keeps_what_is_set_after_a_clear_during_a_flush)
{
	atomic_bool is_done = false;
	const char *failed = in_threads(2, clear_or_flush, &is_done);

	cr_assert_null(failed, "%s", failed);
	cr_assert_eq(sync_all(), CACHE_OK);
	cr_expect_eq(gauge("unpersisted", "entries"), 0);
	cr_expect_eq(stats().entry_count, 100);
	reopen();
	cr_expect_eq(stats().entry_count, 100);
}

/* A number of the file. */
static int64_t in_file(const char *sql)
{
	char path[TEMP_PATH_SIZE + 32];
	sqlite3 *db = NULL;
	sqlite3_stmt *query = NULL;

	(void)snprintf(path, sizeof(path), "%s/steadycache.db", dir.path);
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &query, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_step(query), SQLITE_ROW);
	int64_t ret = sqlite3_column_int64(query, 0);
	(void)sqlite3_finalize(query);
	(void)sqlite3_close(db);
	return ret;
}

/* A row that was written lately is found without a look-up; meanwhile it may be another key's, or
 * of a namespace that was cleared. */
Test(persist, remembers_no_wrong_row)
{
	cr_assert_eq(set(key_of(1), "one"), CACHE_OK);
	cr_assert_eq(set(key_of(2), "two"), CACHE_OK);
	cr_assert_eq(sync_all(), CACHE_OK);
	cr_assert_eq(simple(CACHE_OP_DELETE, key_of(2)), CACHE_OK);
	cr_assert_eq(sync_all(), CACHE_OK);
	cr_assert_eq(set(key_of(3), "two"), CACHE_OK); /* in the row of the former */
	cr_assert_eq(set(key_of(1), "one, longer"), CACHE_OK);
	cr_assert_eq(sync_all(), CACHE_OK);
	cr_assert_eq(set(key_of(2), "two again"), CACHE_OK);
	cr_assert_eq(set(key_of(1), "1"), CACHE_OK);
	cr_assert(has(key_of(1), "1"));
	cr_assert_eq(sync_all(), CACHE_OK);
	cr_expect_eq(in_file("SELECT entry_count FROM namespaces"), 3);
	cr_expect_eq(in_file("SELECT size_sum FROM namespaces"), 1 + 9 + 3);
	cr_expect_eq(in_file("SELECT frequency_sum - (SELECT sum(frequency) FROM uses)"
			     " FROM namespaces"),
		     0);
	reopen();
	cr_expect(has(key_of(1), "1"));
	cr_expect(has(key_of(2), "two again"));
	cr_expect(has(key_of(3), "two"));
	cr_assert_eq(set(key_of(1), "before"), CACHE_OK);
	cr_assert_eq(sync_all(), CACHE_OK);
	cr_assert_eq(simple(CACHE_OP_CLEAR, SLICE("")), CACHE_OK);
	cr_assert_eq(set(key_of(1), "after"), CACHE_OK);
	cr_assert_eq(sync_all(), CACHE_OK);
	reopen();
	cr_expect(has(key_of(1), "after"));
	cr_expect_eq(stats().entry_count, 1);
	cr_expect_eq(in_file("SELECT size_sum FROM namespaces"), 5);
}

/* The file is one of the SQLite backend. */
Test(persist, sqlite_opens_the_file)
{
	char error[256] = "";
	struct backend_config config = {.data_dir = dir.path};

	cr_assert_eq(set(key_of(1), "v"), CACHE_OK);
	cr_assert_eq(configure(SETTING_CAPACITY, (struct namespace_settings){.capacity = 5}),
		     CACHE_OK);
	backend->ops->close(backend);
	backend = sqlite_backend_ops.open(&config, error, sizeof(error));
	cr_assert(backend, "%s", error);
	cr_expect(has(key_of(1), "v"));
	cr_expect_eq(stats().settings.capacity, 5);
	cr_expect_eq(stats().entry_count, 1);
	cr_assert_eq(set(key_of(2), "by sqlite"), CACHE_OK);
	reopen();
	cr_expect(has(key_of(2), "by sqlite"));
	cr_expect_eq(stats().used_bytes,
		     2 * cache_used_bytes(5, strlen(CONTENT_TYPE_BYTES), 0) + 10);
}

Test(persist, one_server_at_a_time)
{
	struct backend_config config = {.data_dir = dir.path, .settings = &settings};
	char error[256] = "";

	cr_expect_null(persist_memory_ops.open(&config, error, sizeof(error)));
	cr_expect(strstr(error, "another process"), "%s", error);
}

/* ---- While it loads ---- */

#define MANY 20000

static void fill_many(void)
{
	struct cache_item items[1000];

	for (unsigned i = 0; i < MANY; i += 1000) {
		char keys[1000][16];
		struct cache_op op;

		cache_op_init(&op, CACHE_OP_SET);
		op.ns = NS;
		op.items = items;
		op.item_count = 1000;
		for (unsigned j = 0; j < 1000; j++) {
			(void)snprintf(keys[j], sizeof(keys[j]), "key %u", i + j);
			items[j] = (struct cache_item){
				.key = slice_of(keys[j]),
				.value = cache_value_copy(SLICE("old"), SLICE(CONTENT_TYPE_BYTES)),
			};
		}
		cr_assert_eq(backend_call(backend, &op), CACHE_OK);
		for (unsigned j = 0; j < 1000; j++)
			cache_value_release(items[j].value);
	}
}

Test(persist, answers_rightly_while_it_loads)
{
	fill_many();
	reopen();
	/* The last ones are loaded last. */
	cr_expect(has(key_of(MANY - 1), "old"));
	cr_expect_eq(set_if(key_of(MANY - 2), SLICE("new"), CONDITION_ABSENT),
		     CACHE_PRECONDITION_FAILED);
	cr_expect_eq(set_if(key_of(MANY - 3), SLICE("new"), CONDITION_PRESENT), CACHE_OK);
	cr_expect_eq(set(key_of(MANY - 4), "new"), CACHE_OK);
	cr_expect_eq(simple(CACHE_OP_DELETE, key_of(MANY - 5)), CACHE_OK);
	cr_expect_eq(simple(CACHE_OP_DELETE, key_of(MANY - 5)), CACHE_NOT_FOUND);
	cr_expect_eq(simple(CACHE_OP_EXISTS, key_of(MANY - 6)), CACHE_OK);
	cr_expect_eq(simple(CACHE_OP_EXISTS, key_of(MANY)), CACHE_NOT_FOUND);
	cr_expect_eq(set(key_of(MANY + 1), "added"), CACHE_OK);
	cr_expect_eq(simple(CACHE_OP_DELETE, key_of(MANY + 1)), CACHE_OK);
	/* Statistics wait for all of it. */
	cr_expect_eq(stats().entry_count, MANY - 1);
	cr_expect_eq(gauge("persist", "loading"), 0);
	cr_expect(has(key_of(MANY - 2), "old"));
	cr_expect(has(key_of(MANY - 3), "new"));
	cr_expect(has(key_of(MANY - 4), "new"));
	cr_expect(has(key_of(MANY - 5), NULL));
	cr_expect(has(key_of(0), "old"));
	reopen();
	cr_expect(has(key_of(MANY - 4), "new"));
	cr_expect(has(key_of(MANY - 5), NULL));
	cr_expect_eq(stats().entry_count, MANY - 1);
}

/* The victim may not be loaded yet: a SET that evicts waits. */
Test(persist, evicts_exactly_while_it_loads)
{
	cr_assert_eq(configure(SETTING_CAPACITY, (struct namespace_settings){.capacity = MANY}),
		     CACHE_OK);
	fill_many();
	reopen();
	cr_expect_eq(set(key_of(MANY), "new"), CACHE_OK);
	cr_expect_eq(stats().entry_count, MANY);
	cr_expect(has(key_of(0), NULL));
	cr_expect(has(key_of(1), "old"));
}

/* ---- More values than memory ---- */

#define LARGE_VALUES  64
#define LARGE_BYTES   (256 << 10)
#define LITTLE_MEMORY (4 * MIB)

static enum cache_status set_large(unsigned i)
{
	char *bytes = malloc(LARGE_BYTES);

	memset(bytes, 'a' + (int)(i % 26), LARGE_BYTES);
	enum cache_status status =
		set_if(key_of(i), (struct slice){bytes, LARGE_BYTES}, CONDITION_NONE);
	free(bytes);
	return status;
}

static bool has_large(unsigned i)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_GET);
	op.ns = NS;
	op.one.key = key_of(i);
	bool is_it = backend_call(backend, &op) == CACHE_OK &&
		     op.one.value->len_bytes == LARGE_BYTES &&
		     cache_value_data(op.one.value)[LARGE_BYTES - 1] == (char)('a' + (int)(i % 26));
	cache_op_deinit(&op);
	return is_it;
}

Test(persist, serves_what_memory_has_no_room_for)
{
	settings.max_bytes = LITTLE_MEMORY;
	reopen();
	for (unsigned i = 0; i < LARGE_VALUES; i++)
		cr_assert_eq(set_large(i), CACHE_OK, "%u", i);
	cr_expect_eq(stats().entry_count, LARGE_VALUES);
	cr_expect_eq(stats().evictions, 0);
	cr_expect_leq(gauge("persist", "memory_bytes"), LITTLE_MEMORY);
	cr_expect_gt(gauge("persist", "spilled_entries"), LARGE_VALUES / 2);
	cr_expect_eq(stats().total_size_bytes, (uint64_t)LARGE_VALUES * LARGE_BYTES);
	for (unsigned i = 0; i < LARGE_VALUES; i++)
		cr_expect(has_large(i), "%u", i);
	cr_expect_gt(gauge("persist", "fetches"), 0);
	cr_expect_eq(stats().hits, LARGE_VALUES);
	/* Conditions and removals need no bytes. */
	cr_expect_eq(set_if(key_of(0), SLICE("x"), CONDITION_ABSENT), CACHE_PRECONDITION_FAILED);
	cr_expect_eq(simple(CACHE_OP_DELETE, key_of(1)), CACHE_OK);
	cr_expect(has(key_of(1), NULL));
	reopen();
	cr_expect_eq(stats().entry_count, LARGE_VALUES - 1);
	cr_expect_leq(gauge("persist", "memory_bytes"), LITTLE_MEMORY);
	for (unsigned i = 2; i < LARGE_VALUES; i++)
		cr_expect(has_large(i), "%u", i);
}

/* Threads that together set more than memory holds take each other's room after each flush. */
static const char *set_largest(size_t index, void *user)
{
	const size_t len = LITTLE_MEMORY * 2 / 5;
	char *bytes = calloc(1, len);
	const char *failed = bytes ? NULL : "out of memory";

	(void)user;
	for (unsigned i = 0; i < 8 && !failed; i++)
		if (set_if(key_of((unsigned)index * 8 + i), (struct slice){bytes, len},
			   CONDITION_NONE) != CACHE_OK)
			failed = "a set failed";
	free(bytes);
	return failed;
}

Test(persist, evicts_nothing_while_sets_compete_for_memory)
{
	settings.max_bytes = LITTLE_MEMORY;
	reopen();
	const char *failed = in_threads(6, set_largest, NULL);
	cr_assert_null(failed, "%s", failed);
	cr_expect_eq(stats().evictions, 0);
	cr_expect_eq(stats().entry_count, 6 * 8);
	cr_expect_leq(gauge("persist", "memory_bytes"), LITTLE_MEMORY);
}

/* Heads alone exceed the limit: then entries go. */
Test(persist, evicts_where_heads_alone_fill_memory)
{
	settings.max_bytes = 2 * MIB;
	reopen();
	fill_many();
	cr_expect_gt(stats().evictions, 0);
	cr_expect_leq(gauge("persist", "memory_bytes"), 2 * MIB);
	cr_expect(has(key_of(MANY - 1), "old"));
}

/* Many threads on few keys, most of whose values are in the file: no value is ever mixed up. */
static const char *churn(size_t index, void *user)
{
	char bytes[600];

	(void)user;
	for (unsigned i = 0; i < 1500; i++) {
		unsigned at = (unsigned)(i * 7 + index * 3) % 30;
		struct cache_op op;

		memset(bytes, 'a' + (int)(at % 26), sizeof(bytes));
		if (i % 3 == 0 && set_if(key_of(at), (struct slice){bytes, 300 + i % 300},
					 CONDITION_NONE) != CACHE_OK)
			return "a set failed";
		if (i % 50 == 49)
			(void)simple(i % 400 == 399 ? CACHE_OP_CLEAR : CACHE_OP_DELETE, key_of(at));
		if (i % 200 == 0)
			(void)sync_all();
		cache_op_init(&op, CACHE_OP_GET);
		op.ns = NS;
		op.one.key = key_of(at);
		enum cache_status status = backend_call(backend, &op);
		bool is_right = status == CACHE_NOT_FOUND;
		if (status == CACHE_OK)
			is_right = op.one.value->len_bytes >= 300 &&
				   cache_value_data(op.one.value)[0] == bytes[0] &&
				   cache_value_data(op.one.value)[op.one.value->len_bytes - 1] ==
					   bytes[0];
		cache_op_deinit(&op);
		if (!is_right)
			return "a wrong value";
	}
	return NULL;
}

Test(persist, mixes_nothing_up)
{
	settings.persist_every_us = 2000;
	settings.spills_all = true;
	reopen();
	const char *failed = in_threads(4, churn, NULL);
	cr_assert_null(failed, "%s", failed);
	uint64_t count = stats().entry_count;
	reopen();
	cr_expect_eq(stats().entry_count, count);
}

/* ---- A file that cannot be written ---- */

Test(persist, refuses_writes_before_too_much_could_be_lost)
{
	char path[TEMP_PATH_SIZE + 32];
	sqlite3 *other = NULL;

	settings.persist_every_us = US_PER_S / 50;
	settings.slack_us = US_PER_S / 4;
	reopen();
	cr_assert_eq(set(key_of(0), "before"), CACHE_OK);
	cr_assert_eq(sync_all(), CACHE_OK);
	(void)snprintf(path, sizeof(path), "%s/steadycache.db", dir.path);
	cr_assert_eq(sqlite3_open(path, &other), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	/* At memory's speed for a while, and then not at all. */
	cr_assert_eq(set(key_of(1), "during"), CACHE_OK);
	cr_expect(await_condition(set(key_of(2), "refused") == CACHE_UNAVAILABLE, 10000));
	cr_expect(has(key_of(1), "during"));
	cr_expect_gt(gauge("unpersisted", "age_seconds"), 0.2);
	cr_expect_eq(simple(CACHE_OP_DELETE, key_of(0)), CACHE_OK);
	cr_assert_eq(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(other);
	cr_expect(await_condition(set(key_of(2), "after") == CACHE_OK, 10000));
	cr_assert_eq(sync_all(), CACHE_OK);
	cr_expect_eq(gauge("unpersisted", "entries"), 0);
	reopen();
	cr_expect(has(key_of(0), NULL));
	cr_expect(has(key_of(1), "during"));
	cr_expect(has(key_of(2), "after"));
}
