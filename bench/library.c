/* Measures libsteadycache in a program, as its users call it, beside SQLite's own functions.
 *
 * usage: bench_library FOLDER SECONDS
 *
 * One row for each store and number of threads, which share it: gets and sets a second of values of
 * 1 KiB under 10,000 keys, chosen at random, and items a second of sets of 100 at once. "sqlite3"
 * is a table in WAL mode with one connection and prepared statements for each thread, and a
 * transaction for each set (or 100), synchronous=NORMAL as the library has it. FOLDER is empty. */
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <steadycache/steadycache.h>

#define KEYS        10000
#define KEY_LEN     16
#define VALUE_BYTES 1024
#define BATCH       100
#define THREADS_MAX 4
#define NS          "bench"

enum work { GETS, SETS, BATCHES };

/* What a thread works on. */
struct worker {
	struct steadycache *store; /* NULL: `database` */
	sqlite3 *database;
	sqlite3_stmt *get, *set, *begin, *commit;
	enum work work;
	uint64_t random, done;
};

static atomic_bool is_over;
static char value[VALUE_BYTES];

static void fail(const char *what, const char *why)
{
	(void)fprintf(stderr, "bench_library: %s: %s\n", what, why);
	exit(EXIT_FAILURE);
}

static void make_key(uint64_t number, char ret[KEY_LEN + 1])
{
	(void)snprintf(ret, KEY_LEN + 1, "key-%012llu", (unsigned long long)number);
}

static void next_key(struct worker *worker, char ret[KEY_LEN + 1])
{
	worker->random ^= worker->random << 13;
	worker->random ^= worker->random >> 7;
	worker->random ^= worker->random << 17;
	make_key(worker->random % KEYS, ret);
}

/* ---- The library ---- */

static void check(enum steadycache_status status, const char *what)
{
	if (status != STEADYCACHE_OK)
		fail(what, steadycache_error());
}

static void work_on_store(struct worker *worker)
{
	static const char type[] = "application/octet-stream";
	char key[KEY_LEN + 1];
	struct steadycache_value *found = NULL;

	next_key(worker, key);
	if (worker->work == SETS) {
		check(steadycache_set(worker->store, NS, key, KEY_LEN, value, VALUE_BYTES, type, 0),
		      "set");
	} else {
		check(steadycache_get(worker->store, NS, key, KEY_LEN, &found), "get");
		if (steadycache_value_len(found) != VALUE_BYTES)
			fail("get", "another value");
		steadycache_value_release(found);
	}
	worker->done++;
}

static void set_many_in_store(struct steadycache *store, uint64_t first)
{
	struct steadycache_item items[BATCH];
	char keys[BATCH][KEY_LEN + 1];

	memset(items, 0, sizeof(items));
	for (size_t i = 0; i < BATCH; i++) {
		make_key((first + i) % KEYS, keys[i]);
		items[i].key = keys[i];
		items[i].key_len = KEY_LEN;
		items[i].value = value;
		items[i].value_len = VALUE_BYTES;
	}
	check(steadycache_batch(store, NS, STEADYCACHE_SET, items, BATCH), "batch");
}

/* ---- SQLite ---- */

static void run_sql(sqlite3 *database, const char *sql)
{
	if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail(sql, sqlite3_errmsg(database));
}

static sqlite3_stmt *prepare(sqlite3 *database, const char *sql)
{
	sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK)
		fail(sql, sqlite3_errmsg(database));
	return statement;
}

static void step(struct worker *worker, sqlite3_stmt *statement, int wanted)
{
	if (sqlite3_step(statement) != wanted)
		fail("sqlite3", sqlite3_errmsg(worker->database));
	(void)sqlite3_reset(statement);
}

static void open_database(struct worker *worker, const char *folder)
{
	char path[4200];

	(void)snprintf(path, sizeof(path), "%s/raw.db", folder);
	if (sqlite3_open(path, &worker->database) != SQLITE_OK)
		fail(path, "cannot be opened");
	(void)sqlite3_busy_timeout(worker->database, 10000);
	run_sql(worker->database,
		"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
		"PRAGMA mmap_size=268435456;"
		"CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, value BLOB)");
	worker->get = prepare(worker->database, "SELECT value FROM entries WHERE key = ?");
	worker->set =
		prepare(worker->database, "INSERT INTO entries VALUES (?, ?) ON CONFLICT (key) "
					  "DO UPDATE SET value = excluded.value");
	worker->begin = prepare(worker->database, "BEGIN IMMEDIATE");
	worker->commit = prepare(worker->database, "COMMIT");
}

static void close_database(struct worker *worker)
{
	(void)sqlite3_finalize(worker->get);
	(void)sqlite3_finalize(worker->set);
	(void)sqlite3_finalize(worker->begin);
	(void)sqlite3_finalize(worker->commit);
	(void)sqlite3_close(worker->database);
}

static void set_row(struct worker *worker, const char *key)
{
	(void)sqlite3_bind_blob(worker->set, 1, key, KEY_LEN, SQLITE_STATIC);
	(void)sqlite3_bind_blob(worker->set, 2, value, VALUE_BYTES, SQLITE_STATIC);
	step(worker, worker->set, SQLITE_DONE);
}

static void work_on_database(struct worker *worker)
{
	char key[KEY_LEN + 1], copy[VALUE_BYTES];

	next_key(worker, key);
	if (worker->work == SETS) {
		step(worker, worker->begin, SQLITE_DONE);
		set_row(worker, key);
		step(worker, worker->commit, SQLITE_DONE);
	} else {
		(void)sqlite3_bind_blob(worker->get, 1, key, KEY_LEN, SQLITE_STATIC);
		if (sqlite3_step(worker->get) != SQLITE_ROW)
			fail("sqlite3", "no row");
		/* The bytes are gone with the reset. */
		memcpy(copy, sqlite3_column_blob(worker->get, 0), VALUE_BYTES);
		(void)sqlite3_reset(worker->get);
	}
	worker->done++;
}

static void set_many_in_database(struct worker *worker, uint64_t first)
{
	char key[KEY_LEN + 1];

	step(worker, worker->begin, SQLITE_DONE);
	for (size_t i = 0; i < BATCH; i++) {
		make_key((first + i) % KEYS, key);
		set_row(worker, key);
	}
	step(worker, worker->commit, SQLITE_DONE);
}

/* ---- Rows ---- */

static void set_many(struct worker *worker, uint64_t first)
{
	if (worker->store)
		set_many_in_store(worker->store, first);
	else
		set_many_in_database(worker, first);
}

static void *run(void *user)
{
	struct worker *worker = user;

	while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
		if (worker->work == BATCHES) {
			set_many(worker, worker->random % KEYS);
			worker->random += BATCH;
			worker->done += BATCH;
		} else if (worker->store) {
			work_on_store(worker);
		} else {
			work_on_database(worker);
		}
	}
	return NULL;
}

static double measure(struct worker *workers, unsigned threads, enum work work, unsigned seconds)
{
	pthread_t ids[THREADS_MAX];
	struct timespec start, end;
	uint64_t done = 0;

	atomic_store(&is_over, false);
	(void)clock_gettime(CLOCK_MONOTONIC, &start);
	for (unsigned i = 0; i < threads; i++) {
		workers[i].work = work;
		workers[i].random = 88172645463325252U + i * 7919U;
		workers[i].done = 0;
		if (pthread_create(&ids[i], NULL, run, &workers[i]) != 0)
			fail("pthread_create", "no more threads");
	}
	(void)sleep(seconds);
	atomic_store(&is_over, true);
	for (unsigned i = 0; i < threads; i++) {
		(void)pthread_join(ids[i], NULL);
		done += workers[i].done;
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	return (double)done /
	       ((double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9);
}

/* `url` NULL: SQLite itself. */
static void print_rows(const char *name, const char *url, const char *folder, unsigned seconds)
{
	struct worker workers[THREADS_MAX];
	struct steadycache *store = NULL;

	memset(workers, 0, sizeof(workers));
	if (url)
		check(steadycache_open(url, NULL, &store), url);
	for (unsigned i = 0; i < THREADS_MAX; i++) {
		workers[i].store = store;
		if (!url)
			open_database(&workers[i], folder);
	}
	for (uint64_t i = 0; i < KEYS; i += BATCH)
		set_many(&workers[0], i);
	for (unsigned threads = 1; threads <= THREADS_MAX; threads += 3) {
		double gets = measure(workers, threads, GETS, seconds);
		double sets = measure(workers, threads, SETS, seconds);
		double batches = measure(workers, threads, BATCHES, seconds);

		(void)printf("| %s | %u | %.0f | %.0f | %.0f |\n", name, threads, gets, sets,
			     batches);
		(void)fflush(stdout);
	}
	for (unsigned i = 0; i < THREADS_MAX && !url; i++)
		close_database(&workers[i]);
	(void)steadycache_close(store);
}

int main(int argc, char **argv)
{
	char url[4200];

	if (argc != 3)
		fail("usage", "bench_library FOLDER SECONDS");
	unsigned seconds = (unsigned)strtoul(argv[2], NULL, 10);
	(void)snprintf(url, sizeof(url), "sqlite://%s/store", argv[1]);
	(void)printf("| store | threads | gets/s | sets/s | sets/s, 100 at once |\n");
	(void)printf("|---|---:|---:|---:|---:|\n");
	print_rows("memory", "memory://", NULL, seconds);
	print_rows("sqlite", url, NULL, seconds);
	print_rows("sqlite3 itself", NULL, argv[1], seconds);
	return EXIT_SUCCESS;
}
