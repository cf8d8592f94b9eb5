/* `steadycache backup`: it contains what was acknowledged before it began, a server starts on it,
 * and it damages neither the database nor an existing file. */
#include "tests/process/client_run.h"

#include <sched.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/stat.h>

PROCESS_SUITE(backup);

#define WRITERS 4
#define BACKUPS 3
#define FIXED   60

static char db_path[TEMP_PATH_SIZE + 32], wal_path[TEMP_PATH_SIZE + 32];

static void set_paths(void)
{
	(void)snprintf(db_path, sizeof(db_path), "%s/steadycache.db", scene.data_dir);
	(void)snprintf(wal_path, sizeof(wal_path), "%s/steadycache.db-wal", scene.data_dir);
}

/* As docs/operations.md says: with the server stopped, the file in place and its log removed. */
static void restore(const char *name)
{
	char line[256];

	(void)snprintf(line, sizeof(line),
		       "rm -f data/steadycache.db-wal data/steadycache.db-shm && "
		       "install -m 600 %s data/steadycache.db",
		       name);
	expect_run(0, line);
}

static void expect_sound(void)
{
	char *verdict = scene_check_database();

	cr_assert_str_eq(verdict, "ok", "integrity_check: %s", verdict);
	free(verdict);
	cr_assert_eq(folder_count(scene.data_dir, "steadycache.db.corrupted", NULL), 0);
}

/* ---- Under load ---- */

struct load {
	atomic_uint acknowledged[WRITERS];
	unsigned before[BACKUPS][WRITERS]; /* acknowledged when the backup began */
	atomic_bool stop;
};

static void fill(char value[1500], size_t thread, unsigned number)
{
	int len = snprintf(value, 1500, "%zu/%u ", thread, number);
	size_t more = 100 + number * 37 % 1200;

	memset(value + len, 'a' + (int)(number % 26), more);
	value[(size_t)len + more] = '\0';
}

static const char *back_up(struct load *load)
{
	for (unsigned i = 0; i < BACKUPS; i++) {
		unsigned from = atomic_load(&load->acknowledged[0]);
		char line[80];

		if (!await_condition(atomic_load(&load->acknowledged[0]) > from + 100 &&
					     atomic_load(&load->acknowledged[WRITERS - 1]) > 100,
				     30000))
			return "the writers stand still";
		for (size_t w = 0; w < WRITERS; w++)
			load->before[i][w] = atomic_load(&load->acknowledged[w]);
		(void)snprintf(line, sizeof(line), "$S backup --data-dir data b%u.db", i);
		if (run(line) != 0)
			return "a backup failed";
	}
	return NULL;
}

static const char *write_or_back_up(size_t index, void *user)
{
	struct load *load = user;
	struct http_client *client;
	const char *failure = NULL;
	char target[64], value[1500];

	if (index == WRITERS) {
		failure = back_up(load);
		atomic_store(&load->stop, true);
		return failure;
	}
	client = http_client_open(scene.server.url, NULL);
	for (unsigned i = 0; !failure && !atomic_load(&load->stop); i++) {
		(void)snprintf(target, sizeof(target), "/cache/ns/w%zu-%u", index, i);
		fill(value, index, i);
		if (http_put(client, target, slice_of(value))->status != 201)
			failure = "a write failed during a backup";
		atomic_store(&load->acknowledged[index], i + 1);
	}
	http_client_close(client);
	return failure;
}

static void put_fixed(void)
{
	char target[64], value[1500], type[64];

	expect_status(http_put_json(scene.client, "/cache/ns",
				    "{\"max_size_mb\":2000,\"capacity\":9000000,"
				    "\"eviction\":\"lru\",\"default_ttl\":7777,\"stale_ttl\":55}"),
		      204);
	for (unsigned i = 0; i < FIXED; i++) {
		(void)snprintf(target, sizeof(target), "/cache/ns/fixed-%02u?ttl=%u", i,
			       i % 3 * 5000);
		(void)snprintf(type, sizeof(type), "Content-Type: text/x-%u", i);
		fill(value, 99, i);
		expect_status(http_put(scene.client, target, slice_of(value), type), 201);
	}
}

/* What must be unchanged afterwards: all entries that `put_fixed` made, and their namespace. */
static json_t *describe_fixed(void)
{
	static const char *const headers[] = {"ETag", "Content-Type"};
	json_t *all = json_array(), *item;
	json_auto_t *listing =
		http_json(http_get(scene.client, "/cache/ns?prefix=fixed-&limit=1000"));
	json_auto_t *stats = http_json(http_get(scene.client, "/stats/ns"));
	char key[64];
	size_t i;

	cr_assert_eq(json_array_size(json_object_get(listing, "keys")), FIXED);
	json_array_foreach(json_object_get(listing, "keys"), i, item)
	{
		(void)json_object_del(item, "frequency");
		(void)json_object_del(item, "last_access");
		(void)json_array_append(all, item);
	}
	for (unsigned k = 0; k < FIXED; k++) {
		const struct http_answer *answer;

		(void)snprintf(key, sizeof(key), "fixed-%02u", k);
		answer = scene_get(key);
		expect_status(answer, 200);
		(void)json_array_append_new(all, json_stringn(answer->body, answer->len));
		for (size_t h = 0; h < 2; h++)
			(void)json_array_append_new(all,
						    json_string(http_header(answer, headers[h])));
	}
	for (const char *const *name =
		     (const char *const[]){"max_size_bytes", "capacity", "eviction", "default_ttl",
					   "stale_ttl", NULL};
	     *name; name++) {
		cr_assert(json_object_get(stats, *name), "/stats tells no %s", *name);
		(void)json_array_append(all, json_object_get(stats, *name));
	}
	return all;
}

static void expect_acknowledged(const struct load *load, unsigned backup)
{
	char key[64], value[1500];

	for (size_t w = 0; w < WRITERS; w++) {
		unsigned count = load->before[backup][w];

		for (unsigned i = 0; i < count; i += i + 60 < count ? 7 : 1) {
			(void)snprintf(key, sizeof(key), "w%zu-%u", w, i);
			fill(value, w, i);
			expect_body(scene_get(key), slice_of(value));
		}
	}
}

Test(backup, under_load_holds_all_that_was_acknowledged)
{
	static struct load load;
	const char *failure;
	json_t *before;

	scene_start();
	put_fixed();
	before = describe_fixed();
	failure = in_threads(WRITERS + 1, write_or_back_up, &load);
	cr_assert_null(failure, "%s", failure);
	scene_stop();
	for (unsigned i = 0; i < BACKUPS; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "b%u.db", i);
		restore(name);
		expect_sound();
		scene_start();
		json_auto_t *after = describe_fixed();
		cr_assert(json_equal(before, after), "%s\n\n%s", json_dumps(before, 0),
			  json_dumps(after, 0));
		expect_acknowledged(&load, i);
		scene_expect_true_totals(scene.client);
		expect_status(scene_put("new", "v"), 201);
		scene_stop();
		expect_sound();
	}
	json_decref(before);
}

/* ---- Without a server ---- */

/* A database with entries k0 to k299 in ns, and a server that runs on it. */
static void start_filled(void)
{
	char key[16], value[1500];

	set_paths();
	scene_start();
	for (unsigned i = 0; i < 300; i++) {
		(void)snprintf(key, sizeof(key), "k%u", i);
		fill(value, 7, i);
		expect_status(scene_put(key, value), 201);
	}
}

static void expect_filled(void)
{
	char key[16], value[1500];

	for (unsigned i = 0; i < 300; i++) {
		(void)snprintf(key, sizeof(key), "k%u", i);
		fill(value, 7, i);
		expect_body(scene_get(key), slice_of(value));
	}
}

static void expect_same_bytes(const char *path, const char *copy_name)
{
	char line[TEMP_PATH_SIZE + 128];

	(void)snprintf(line, sizeof(line), "cmp '%s' %s", path, copy_name);
	expect_run(0, line);
}

/* No temporary file is left beside FILE, and an existing file stays. */
#define expect_nothing_left() expect_run(1, "compgen -G '*.new-*' || compgen -G 'small/*.new-*'")

Test(backup, after_kill_9_with_the_log_that_is_left)
{
	start_filled();
	scene_kill();
	cr_assert_gt(file_size(wal_path), 0, "the kill has left no log: nothing is tested");
	expect_run(0, "cp data/steadycache.db db && cp data/steadycache.db-wal wal");
	expect_run(0, "$S backup --data-dir data b.db --json && python3 -m json.tool <out");
	cr_assert(holds("out", "\"entries\":300,"));
	expect_same_bytes(db_path, "db");
	expect_same_bytes(wal_path, "wal");
	expect_run(0, "test $(stat -c %a b.db) = 600 && test $(ls b.db* | wc -l) = 1");
	restore("b.db");
	expect_sound();
	scene_start();
	expect_filled();
	scene_stop();
}

Test(backup, of_a_stopped_server_leaves_its_folder_as_it_was)
{
	start_filled();
	scene_stop();
	expect_run(0, "ls -l --time-style=full-iso data >before && cp data/steadycache.db db");
	expect_run(0, "$S backup --data-dir data b.db");
	cr_assert(holds("err", "backed up 300 entries"));
	expect_run(0, "$S backup -q --data-dir data c.db");
	cr_assert_not(holds("err", "backed"));
	expect_run(0, "ls -l --time-style=full-iso data | cmp - before");
	expect_same_bytes(db_path, "db");
	/* The default of serve. */
	expect_run(0,
		   "unset STEADYCACHE_DATA_DIR; ln -s data steadycache-data && $S backup d.db && "
		   "cmp c.db d.db && $S --options | grep -q 'data-dir.* ./steadycache-data '");
	expect_run(0, "STEADYCACHE_DATA_DIR=data $S backup ./e.db && cmp d.db e.db");
}

Test(backup, to_the_standard_output)
{
	start_filled();
	scene_stop();
	expect_run(0, "mkdir tmp && $S backup --data-dir data b.db && "
		      "TMPDIR=tmp $S backup --data-dir data - >c.db && cmp b.db c.db");
	expect_run(0, "test -z \"$(ls -A tmp)\"");
	expect_run(5, "TMPDIR=none $S backup --data-dir data - >c.db");
	cr_assert(holds("err", "TMPDIR"));
	expect_run(2, "$S backup --data-dir data - --json");
	expect_run(5, "TMPDIR=tmp $S backup --data-dir data - >/dev/full");
	expect_run(0, "test -z \"$(ls -A tmp)\"");
}

/* ---- Refusals ---- */

Test(backup, where_there_is_no_database)
{
	expect_run(1, "$S backup --data-dir none b.db");
	cr_assert(holds("err", "no database in none"));
	cr_assert(holds("err", "steadycache export"));
	expect_run(1, "mkdir data && $S backup --data-dir data b.db");
	expect_run(0, "test -z \"$(ls -A data)\" -a ! -e none -a ! -e b.db");
	expect_run(2, "STEADYCACHE_BACKEND=memory $S backup b.db");
	cr_assert(holds("err", "the memory backend"));
	cr_assert(holds("err", "steadycache export"));
	expect_run(2, "STEADYTEXT_CACHE_BACKEND=d1 $S backup b.db");
	expect_run(2, "STEADYCACHE_DATA_DIR= $S backup b.db");
	expect_run(2, "$S backup");
	expect_nothing_left();
}

static void execute(const char *sql)
{
	sqlite3 *db = NULL;

	cr_assert(sqlite3_open(db_path, &db) == SQLITE_OK);
	cr_assert(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
	cr_assert(sqlite3_close(db) == SQLITE_OK);
}

Test(backup, of_what_is_no_database_of_ours)
{
	set_paths();
	expect_run(3,
		   "mkdir data && echo text >data/steadycache.db && $S backup --data-dir data b");
	cr_assert(holds("err", "is not a database of steadycache"));
	expect_run(3, ": >data/steadycache.db && $S backup --data-dir data b");
	expect_run(0, "rm data/steadycache.db");
	execute("CREATE TABLE entries(id INTEGER PRIMARY KEY)");
	expect_run(3, "$S backup --data-dir data b");
	cr_assert(holds("err", "is not a database of steadycache"));
	expect_run(0, "rm data/steadycache.db");
	scene_start();
	scene_stop();
	execute("PRAGMA user_version=77");
	expect_run(3, "$S backup --data-dir data b");
	cr_assert(holds("err", "version 77"));
	expect_run(0, "test ! -e b && ls data && test $(ls data | wc -l) = 3");
	expect_nothing_left();
}

Test(backup, of_a_damaged_one)
{
	start_filled();
	scene_stop();
	expect_run(0, "echo old >b && dd if=/dev/zero of=data/steadycache.db bs=4096 seek=20 "
		      "count=30 conv=notrunc 2>/dev/null");
	expect_run(3, "$S backup --data-dir data b --force");
	cr_assert(holds("err", "is damaged"));
	expect_run(0, "test $(cat b) = old");
	expect_run(3, "truncate -s 100000 data/steadycache.db && $S backup --data-dir data c");
	expect_run(0, "test ! -e c");
	expect_nothing_left();
}

Test(backup, keeps_what_has_the_name)
{
	start_filled();
	scene_stop();
	expect_run(2, "echo old >b && $S backup --data-dir data b");
	cr_assert(holds("err", "--force"));
	expect_run(0, "test $(cat b) = old");
	expect_run(2, "mkdir d && $S backup --data-dir data d --force");
	cr_assert(holds("err", "not a regular file"));
	expect_run(5, "$S backup --data-dir data no/such/b");
	cr_assert(holds("err", "cannot write to no/such/b"));
	expect_run(5, "cp data/steadycache.db db && $S backup --data-dir data --force "
		      "data/steadycache.db");
	cr_assert(holds("err", "is the database itself"));
	expect_same_bytes(db_path, "db");
	/* Out of room: a limit on the length of files, in KiB. */
	expect_run(5, "ulimit -f 100; $S backup --data-dir data b --force");
	cr_assert(holds("err", "cannot write b: File too large"));
	expect_run(0, "test $(cat b) = old");
	expect_nothing_left();
	expect_run(0, "$S backup --data-dir data b --force && test $(stat -c %s b) -gt 100000");
}

Test(backup, keeps_what_has_the_name_on_a_full_disk)
{
	char small[TEMP_PATH_SIZE];

	start_filled();
	scene_stop();
	cr_assert_eq(mkdir(temp_dir_path(&scene.dir, "small", small), 0700), 0);
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", small, "tmpfs", 0, "size=128k") != 0)
		cr_skip("this test mounts a small file system, which is not allowed here");
	expect_run(5, "echo old >small/b && $S backup --data-dir data small/b --force");
	cr_assert(holds("err", "cannot write small/b: No space left on device"));
	expect_run(0, "test $(cat small/b) = old && test \"$(ls -A small)\" = b");
	cr_assert_eq(umount(small), 0);
}

/* Something holds the database, so that the backup waits: a signal ends it, and leaves nothing. */
Test(backup, ended_by_a_signal)
{
	sqlite3 *db = NULL;

	start_filled();
	scene_stop();
	cr_assert(sqlite3_open(db_path, &db) == SQLITE_OK);
	cr_assert(sqlite3_exec(db,
			       "PRAGMA locking_mode=EXCLUSIVE; BEGIN IMMEDIATE;"
			       "UPDATE meta SET value = value; COMMIT",
			       NULL, NULL, NULL) == SQLITE_OK);
	expect_run(143, "echo old >b; $S backup --data-dir data b --force & "
			"until compgen -G 'b.new-*'; do :; done; kill -TERM $!; wait $!");
	cr_assert(sqlite3_close(db) == SQLITE_OK);
	expect_run(0, "test $(cat b) = old");
	expect_nothing_left();
	expect_run(0, "$S backup --data-dir data b --force");
}
