/* The import of a folder of SteadyText's caches into a backend. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "steadytext/backend_sink.h"
#include "steadytext/import.h"
#include "store/find.h"
#include "tests/support/steadytext_files.h"
#include "tests/support/temp_dir.h"

#define NOW_US (cache_clock_now_us(&system_clock))

static struct temp_dir dir, data;
static struct backend *backend;
static struct steadytext_backend_sink sink;
static struct steadytext_import import;
static struct buffer told;
static struct pkl pkl;

/* ---- The store ---- */

static struct namespace_settings changed; /* max_size_bytes, capacity: where they are not 0 */

static void defaults(void *user, struct slice ns, struct namespace_settings *ret)
{
	(void)user;
	(void)ns;
	if (changed.max_size_bytes > 0)
		ret->max_size_bytes = changed.max_size_bytes;
	if (changed.capacity != 0)
		ret->capacity = changed.capacity - 1;
}

static void open_store(const char *name)
{
	static const struct steadytext_limits limits = {.key_max_bytes = 1 << 20,
							.value_max_bytes = 32 << 20};
	static struct backend_config config;
	char error[400] = "";

	config = (struct backend_config){.data_dir = data.path, .defaults = defaults};
	backend = backend_find(name)->open(&config, error, sizeof(error));
	cr_assert(backend, "%s", error);
	steadytext_backend_sink_init(&sink, backend, &limits);
}

static void close_store(void)
{
	backend->ops->close(backend);
	backend = NULL;
}

static void open_folders(void)
{
	temp_dir_create(&dir);
	temp_dir_create(&data);
	changed = (struct namespace_settings){0};
}

static void close_folders(void)
{
	if (backend)
		close_store();
	buffer_deinit(&told);
	temp_dir_destroy(&dir);
	temp_dir_destroy(&data);
}

TestSuite(steadytext_import, .init = open_folders, .fini = close_folders, .timeout = 60);

/* The value of an entry, to be freed; NULL: there is none. */
static char *value_of(const char *ns, const char *key)
{
	char *ret = NULL;
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_GET);
	op.ns = slice_of(ns);
	op.one.key = slice_of(key);
	op.no_touch = true;
	enum cache_status status = backend_call(backend, &op);
	cr_assert(status == CACHE_OK || status == CACHE_NOT_FOUND);
	if (status == CACHE_OK) {
		struct slice bytes = cache_value_bytes(op.one.value);

		cr_expect_str_eq(cache_value_content_type(op.one.value), CONTENT_TYPE_TEXT);
		ret = strndup(bytes.data, bytes.len);
	}
	cache_op_deinit(&op);
	return ret;
}

/* Expects the pickle of `text` in base64, or nothing if that is NULL. */
static void expect_value(const char *ns, const char *key, const char *text)
{
	struct buffer pickle = {0};
	char *value = value_of(ns, key);

	if (text) {
		pickle_text(&pickle, slice_of(text));
		cr_expect(value && slice_equal(slice_of(value), base64_of(buffer_bytes(&pickle))),
			  "%s: %s", key, value);
	} else {
		cr_expect_null(value, "%s: %s", key, value);
	}
	buffer_deinit(&pickle);
	free(value);
}

static void set(const char *ns, const char *key, const char *text)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_SET);
	op.ns = slice_of(ns);
	op.one.key = slice_of(key);
	op.one.value = cache_value_copy(slice_of(text), SLICE(CONTENT_TYPE_TEXT));
	cr_assert_eq(backend_call(backend, &op), CACHE_OK);
	cache_value_release(op.one.value);
}

static uint64_t count_of(const char *ns)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_STATS);
	op.ns = slice_of(ns);
	cr_assert_eq(backend_call(backend, &op), CACHE_OK);
	uint64_t count = op.stats[0].entry_count;
	cache_op_deinit(&op);
	return count;
}

/* ---- The import ---- */

static void tell(void *user, enum steadytext_level level, const char *sentence)
{
	static const char *const names[] = {"info", "warn", "error"};

	(void)user;
	buffer_printf(&told, "%s %s\n", names[level], sentence);
}

static bool run_with(struct steadytext_import options)
{
	import = options;
	import.dir = dir.path;
	import.sink = &sink.sink;
	import.tell = tell;
	told.len = 0;
	bool is_good = steadytext_import_run(&import);
	buffer_append_char(&told, '\0');
	return is_good;
}

static bool run(void)
{
	return run_with((struct steadytext_import){0});
}

static void expect_told(const char *what)
{
	cr_expect(strstr(told.data, what), "no \"%s\" in: %s", what, told.data);
}

static char *path_of(const char *name)
{
	static char path[TEMP_PATH_SIZE];

	return temp_dir_path(&dir, name, path);
}

static bool is_there(const char *name)
{
	return file_size(path_of(name)) >= 0;
}

/* A .db of str keys "k0", "k1", ... with values that begin with `text`. */
static void make_db(const char *name, size_t count, const char *text)
{
	struct sqlite3 *db = steadytext_db_make(path_of(name));
	struct buffer pickle = {0};
	char key[32], value[64];

	steadytext_db_run(db, "BEGIN");
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(key, sizeof(key), "k%zu", i);
		(void)snprintf(value, sizeof(value), "%s%zu", text, i);
		pickle.len = 0;
		pickle_text(&pickle, slice_of(value));
		steadytext_db_add(db, steadytext_column((const char *const[]){key}, 1),
				  buffer_bytes(&pickle), (int64_t)i + 1, NOW_US);
	}
	steadytext_db_run(db, "COMMIT");
	steadytext_db_end(db);
	buffer_deinit(&pickle);
}

static void make_pkl(const char *name, size_t count, const char *text)
{
	char key[32], value[64];

	for (size_t i = 0; i < count; i++) {
		(void)snprintf(key, sizeof(key), "k%zu", i);
		(void)snprintf(value, sizeof(value), "%s%zu", text, i);
		pkl_add(&pkl, slice_of(key), slice_of(value), (int64_t)i + 1, (int64_t)i);
	}
	pkl_write(&pkl, (int64_t)count, path_of(name));
}

Test(steadytext_import, files_are_taken_once)
{
	make_db("generation_cache.db", 600, "text ");
	make_pkl("old.pkl", 3, "old ");
	open_store("sqlite");
	cr_expect(run());
	cr_expect_eq(import.files, 2);
	cr_expect_eq(import.entries, 603);
	expect_value("generation_cache", "k0", "text 0");
	expect_value("generation_cache", "k599", "text 599");
	expect_value("old", "k2", "old 2");
	cr_expect(is_there("generation_cache.db"));
	cr_expect(!is_there("old.pkl"));
	/* SteadyText writes on, and the server's clients do. */
	set("generation_cache", "k0", "newer");
	struct sqlite3 *db = steadytext_db_make(path_of("generation_cache.db"));
	steadytext_db_run(db, "DELETE FROM cache WHERE frequency > 1");
	steadytext_db_end(db);
	close_store();
	open_store("sqlite");
	cr_expect(run());
	cr_expect_eq(import.files, 0);
	cr_expect_eq(import.files_before, 1);
	expect_told("generation_cache.db: was imported before");
	/* And again on request: what is there stays. */
	cr_expect(run_with((struct steadytext_import){.again = true}));
	cr_expect_eq(import.files, 1);
	cr_expect_eq(import.kept, 1);
	char *newer = value_of("generation_cache", "k0");
	cr_expect_str_eq(newer, "newer");
	free(newer);
	cr_expect_eq(count_of("generation_cache"), 600);
}

Test(steadytext_import, uses_are_kept)
{
	struct cache_op op;

	make_db("c.db", 3, "v");
	open_store("sqlite");
	cr_expect(run());
	cache_op_init(&op, CACHE_OP_SCAN);
	op.ns = SLICE("c");
	op.limit = 10;
	cr_assert_eq(backend_call(backend, &op), CACHE_OK);
	cr_assert_eq(op.entry_count, 3);
	for (size_t i = 0; i < 3; i++) {
		cr_expect_eq(op.entries[i].frequency, i + 1);
		cr_expect_lt(NOW_US - op.entries[i].last_access_us, 60 * US_PER_S);
		cr_expect_eq(op.entries[i].expires_at_us, 0);
	}
	cache_op_deinit(&op);
}

Test(steadytext_import, another_file_of_the_same_name_is_new)
{
	make_db("c.db", 1, "first ");
	make_pkl("p.pkl", 1, "first ");
	open_store("sqlite");
	cr_expect(run_with((struct steadytext_import){.keeps = true}));
	(void)unlink(path_of("c.db"));
	make_db("c.db", 2, "second ");
	/* In place, where it is the same file. */
	make_pkl("p.pkl", 2, "second ");
	cr_expect(run());
	cr_expect_eq(import.files, 2);
	expect_value("c", "k0", "first 0");
	expect_value("c", "k1", "second 1");
	expect_value("p", "k0", "first 0");
	expect_value("p", "k1", "second 1");
}

Test(steadytext_import, the_db_goes_before_the_pkl_of_the_same_cache)
{
	make_pkl("c.pkl", 2, "older ");
	make_db("c.db", 1, "newer ");
	open_store("sqlite");
	cr_expect(run());
	expect_value("c", "k0", "newer 0");
	expect_value("c", "k1", "older 1");
	cr_expect(!is_there("c.pkl"));
}

Test(steadytext_import, a_dry_run_changes_nothing)
{
	make_db("c.db", 2, "v");
	make_pkl("p.pkl", 2, "v");
	open_store("sqlite");
	set("c", "k0", "mine");
	for (size_t i = 0; i < 2; i++) {
		cr_expect(run_with((struct steadytext_import){.is_dry = true}));
		cr_expect_eq(import.entries, 3);
		cr_expect_eq(import.kept, 1);
	}
	expect_told("would be taken");
	cr_expect(is_there("p.pkl"));
	expect_value("c", "k1", NULL);
	cr_expect_eq(count_of(STEADYTEXT_MARKS), 0);
}

/* ---- When a .pkl stays ---- */

static void expect_it_stays(const char *why)
{
	cr_expect(is_there("p.pkl"));
	expect_told(why);
	/* Nor does a later start remove it. */
	(void)run();
	cr_expect(is_there("p.pkl"));
}

Test(steadytext_import, a_pkl_stays_if_it_shall)
{
	make_pkl("p.pkl", 2, "v");
	open_store("sqlite");
	cr_expect(run_with((struct steadytext_import){.keeps = true}));
	expect_it_stays("p.pkl: the file stays, as you wish");
}

Test(steadytext_import, a_pkl_stays_if_the_store_forgets)
{
	make_pkl("p.pkl", 2, "v");
	open_store("memory");
	cr_expect(run());
	expect_value("p", "k1", "v1");
	expect_it_stays("as the store forgets");
	/* An empty memory is filled again. */
	close_store();
	open_store("memory");
	cr_expect(run());
	expect_value("p", "k1", "v1");
}

Test(steadytext_import, a_pkl_stays_if_something_is_skipped)
{
	pkl_add_parts(&pkl, SLICE("cmodule\nname\n)R"), SLICE("N"));
	make_pkl("p.pkl", 2, "v");
	open_store("sqlite");
	cr_expect(run());
	cr_expect_eq(import.entries, 2);
	cr_expect_eq(import.skipped, 1);
	expect_it_stays("not taken");
}

Test(steadytext_import, a_pkl_stays_if_the_store_evicts_and_the_most_used_remain)
{
	make_pkl("p.pkl", 1000, "v");
	changed.max_size_bytes = 64 << 10;
	open_store("sqlite");
	cr_expect(run());
	expect_value("p", "k999", "v999");
	expect_value("p", "k900", "v900");
	expect_value("p", "k0", NULL);
	expect_told("warn p.pkl: p has evicted");
	expect_it_stays("as the store has evicted entries");
}

Test(steadytext_import, a_namespace_without_room_takes_nothing)
{
	make_pkl("p.pkl", 30, "v");
	changed.capacity = 1; /* 0 */
	open_store("sqlite");
	cr_expect(run());
	cr_expect_eq(import.entries, 0);
	cr_expect_eq(import.skipped, 30);
	expect_told("capacity is 0");
	expect_told("29 more were skipped");
	cr_expect(is_there("p.pkl"));
}

Test(steadytext_import, a_store_that_keeps_nothing_takes_nothing)
{
	make_pkl("p.pkl", 2, "v");
	open_store("disabled");
	cr_expect(!run());
	cr_expect_eq(import.files_failed, 1);
	expect_told("the store keeps nothing");
	cr_expect(is_there("p.pkl"));
}

/* ---- Ends in between ---- */

static struct steadytext_sink_ops broken;
static const struct steadytext_sink_ops *sound;

static bool fail_put(struct steadytext_sink *a_sink, struct steadytext_batch *batch, char *reason,
		     size_t reason_size)
{
	static unsigned calls;

	if (calls++ == 1) {
		(void)snprintf(reason, reason_size, "the disk is full");
		return false;
	}
	return sound->put(a_sink, batch, reason, reason_size);
}

static bool fail_settle(struct steadytext_sink *a_sink, const char *ns,
			struct steadytext_settled *ret, char *reason, size_t reason_size)
{
	(void)a_sink;
	(void)ns;
	(void)ret;
	(void)snprintf(reason, reason_size, "the disk is full");
	return false;
}

/* The process ends once the mark is stored. */
static bool end_after_mark(struct steadytext_sink *a_sink, const char *key, struct slice text,
			   char *reason, size_t reason_size)
{
	(void)sound->set_mark(a_sink, key, text, reason, reason_size);
	(void)snprintf(reason, reason_size, "killed");
	return false;
}

static bool fail_to_look(struct steadytext_sink *a_sink, const char *key, bool *ret_found,
			 struct buffer *ret, char *reason, size_t reason_size)
{
	(void)a_sink;
	(void)key;
	(void)ret_found;
	(void)ret;
	(void)snprintf(reason, reason_size, "no answer within 30 s");
	return false;
}

/* Another file takes the place of p.pkl, which waits aside. */
static bool replace_after_look(struct steadytext_sink *a_sink, const char *key, bool *ret_found,
			       struct buffer *ret, char *reason, size_t reason_size)
{
	if (!is_there("aside")) {
		char *aside = strdup(path_of("aside"));

		cr_assert_eq(rename(path_of("p.pkl"), aside), 0);
		free(aside);
		make_pkl("p.pkl", 1, "another");
	}
	return sound->get_mark(a_sink, key, ret_found, ret, reason, reason_size);
}

static void break_store(void)
{
	sound = sink.sink.ops;
	broken = *sound;
	sink.sink.ops = &broken;
}

static void mend_store(void)
{
	sink.sink.ops = sound;
}

Test(steadytext_import, what_breaks_off_is_completed_by_the_next)
{
	make_pkl("p.pkl", 600, "v");
	open_store("sqlite");
	break_store();
	broken.put = fail_put;
	cr_expect(!run());
	cr_expect_eq(import.files_failed, 1);
	expect_told("error p.pkl: failed after 256 entries: the disk is full");
	cr_expect(is_there("p.pkl"));
	mend_store();
	cr_expect(run());
	cr_expect_eq(import.entries, 344);
	cr_expect_eq(import.kept, 256);
	cr_expect(!is_there("p.pkl"));
	cr_expect_eq(count_of("p"), 600);
}

Test(steadytext_import, a_pkl_is_not_removed_before_the_store_has_settled)
{
	make_pkl("p.pkl", 2, "v");
	open_store("sqlite");
	break_store();
	broken.settle = fail_settle;
	cr_expect(!run());
	cr_expect(is_there("p.pkl"));
	cr_expect_eq(count_of(STEADYTEXT_MARKS), 0);
}

Test(steadytext_import, a_store_that_does_not_answer_is_asked_once)
{
	make_db("a.db", 1, "v");
	make_pkl("b.pkl", 1, "v");
	open_store("sqlite");
	break_store();
	broken.get_mark = fail_to_look;
	cr_expect(!run());
	cr_expect_eq(import.files_failed, 1);
	expect_told("error a.db: failed: no answer within 30 s");
	cr_expect(!strstr(told.data, "b.pkl"), "%s", told.data);
}

Test(steadytext_import, a_pkl_is_not_marked_for_one_that_took_its_place)
{
	make_pkl("p.pkl", 2, "v");
	open_store("sqlite");
	break_store();
	broken.get_mark = replace_after_look;
	cr_expect(!run());
	expect_told("error p.pkl: was replaced while it was opened: import it again");
	mend_store();
	char *aside = strdup(path_of("aside"));
	cr_assert_eq(rename(aside, path_of("p.pkl")), 0);
	free(aside);
	cr_expect(run());
	cr_expect_eq(count_of("p"), 2);
	cr_expect(!is_there("p.pkl"));
}

Test(steadytext_import, a_pkl_that_was_taken_is_removed_later)
{
	make_pkl("p.pkl", 2, "v");
	open_store("sqlite");
	break_store();
	broken.set_mark = end_after_mark;
	cr_expect(!run());
	cr_expect(is_there("p.pkl"));
	mend_store();
	cr_expect(run_with((struct steadytext_import){.is_dry = true}));
	cr_expect(is_there("p.pkl"));
	cr_expect(run());
	cr_expect_eq(import.files_before, 1);
	cr_expect(!is_there("p.pkl"));
}

static bool is_over_soon(void *user)
{
	unsigned *asked = user;

	return ++*asked > 2;
}

Test(steadytext_import, ends_between_batches_if_it_shall)
{
	unsigned asked = 0;

	make_db("c.db", 2000, "v");
	make_db("d.db", 1, "v");
	open_store("sqlite");
	cr_expect(!run_with((struct steadytext_import){.is_over = is_over_soon, .user = &asked}));
	cr_expect(import.was_ended);
	cr_expect_eq(import.files_failed, 0);
	cr_expect_eq(count_of("c"), 512);
	cr_expect(run());
	cr_expect_eq(count_of("c"), 2000);
	cr_expect_eq(count_of("d"), 1);
}

/* ---- Folders and names ---- */

Test(steadytext_import, other_names_are_left_alone)
{
	static const char *const ignored[] = {"c.db-wal.txt", "c.corrupted.1700000000", "c.tmp",
					      "c.db.bak", "notes.txt"};
	char target[TEMP_PATH_SIZE];

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		file_write(path_of(ignored[i]), SLICE("x"));
	cr_assert_eq(mkfifo(path_of("fifo.db"), 0600), 0);
	cr_assert_eq(mkdir(path_of("folder.pkl"), 0700), 0);
	(void)snprintf(target, sizeof(target), "%s", path_of("real.db"));
	make_db("real.db", 1, "v");
	cr_assert_eq(symlink(target, path_of("link.db")), 0);
	file_write(path_of("-.pkl"), SLICE("x"));
	file_write(path_of(".pkl"), SLICE("x"));
	file_write(path_of("two words\n.db"), SLICE("x"));
	make_pkl(STEADYTEXT_MARKS ".pkl", 1, "v");
	make_db("foreign.db", 0, "");
	struct sqlite3 *db = steadytext_db_make(path_of("foreign.db"));
	steadytext_db_run(db, "DROP TABLE cache");
	steadytext_db_end(db);
	open_store("sqlite");
	cr_expect(run());
	cr_expect_eq(import.files, 1);
	expect_told("warn fifo.db: skipped: it is no regular file");
	expect_told("warn folder.pkl: skipped: it is no regular file");
	expect_told("warn link.db: skipped: it is a symbolic link");
	expect_told("warn -.pkl: skipped: its name");
	expect_told("warn two words?.db: skipped: its name");
	expect_told("warn steadytext_imports.pkl: skipped");
	expect_told("warn foreign.db: has no table of SteadyText's");
	cr_expect(!strstr(told.data, "corrupted") && !strstr(told.data, "notes"), "%s", told.data);
}

Test(steadytext_import, a_damaged_file_does_not_keep_others_back)
{
	make_db("a.db", 2, "v");
	make_pkl("b.pkl", 2, "v");
	make_db("c.db", 2, "v");
	cr_assert_eq(truncate(path_of("b.pkl"), file_size(path_of("b.pkl")) - 3), 0);
	file_write(path_of("a.db"), SLICE("garbage"));
	open_store("sqlite");
	cr_expect(!run());
	cr_expect_eq(import.files, 1);
	cr_expect_eq(import.files_failed, 2);
	expect_told("error a.db: is no SQLite database");
	expect_told("error b.pkl: is no sound pickle: at byte ");
	cr_expect(is_there("b.pkl"));
	expect_value("c", "k1", "v1");
}

Test(steadytext_import, the_folder_of_steadytext_leads_to_its_caches)
{
	cr_assert_eq(mkdir(path_of("models"), 0700), 0);
	cr_assert_eq(mkdir(path_of("models/caches"), 0700), 0);
	cr_assert_eq(mkdir(path_of("caches"), 0700), 0);
	open_store("memory");
	cr_expect(run());
	expect_told("warn ");
	expect_told("has no caches of SteadyText's");
	cr_expect(import.found_none);
	make_db("models/caches/generation_cache.db", 1, "newer ");
	make_db("caches/generation_cache.db", 2, "older ");
	cr_expect(run());
	cr_expect_eq(import.files, 2);
	expect_value("generation_cache", "k0", "newer 0");
	expect_value("generation_cache", "k1", "older 1");
	/* One that has caches of its own is it. */
	make_db("own.db", 1, "v");
	cr_expect(run());
	cr_expect_eq(import.files_before, 0);
	cr_expect_eq(import.files, 1);
}

Test(steadytext_import, a_folder_that_is_none_is_told)
{
	open_store("memory");
	(void)rmdir(dir.path);
	cr_expect(!run());
	expect_told("cannot be opened");
}

Test(steadytext_import, what_is_skipped_is_told_up_to_ten_times)
{
	struct sqlite3 *db = steadytext_db_make(path_of("c.db"));
	char column[16];
	size_t told_count = 0;

	for (int i = 0; i < 35; i++) {
		(void)snprintf(column, sizeof(column), "?%d", i);
		steadytext_db_add(db, column, SLICE("N."), 1, 1);
	}
	steadytext_db_end(db);
	open_store("memory");
	cr_expect(run());
	for (const char *at = told.data; (at = strstr(at, "skipped: row ")); at++)
		told_count++;
	cr_expect_eq(told_count, 10);
	expect_told("25 more were skipped");
	expect_told("info c.db: 0 entries taken, 0 were there already, 35 skipped");
}

Test(steadytext_import, keys_are_shown_only_if_they_may_be)
{
	struct sqlite3 *db = steadytext_db_make(path_of("c.db"));

	steadytext_db_add(db, steadytext_column((const char *const[]){"a \x1b[1m secret"}, 1),
			  SLICE("no pickle"), 1, 1);
	steadytext_db_end(db);
	open_store("memory");
	cr_expect(run());
	expect_told("row 1: its value is no pickle\n");
	cr_expect(!strstr(told.data, "secret"));
	cr_expect(run_with((struct steadytext_import){.again = true, .shows_keys = true}));
	expect_told("row 1: its value is no pickle (key a ?[1m secret)");
}
