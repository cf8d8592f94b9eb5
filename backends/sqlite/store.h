/* What the files of the SQLite backend share: the store, its connections, its threads.
 *
 *   sqlite.c     the backend's table of operations, open and close
 *   database.c   opening a connection: pragmas, schema
 *   prepare.c    the start: checks, quarantine of a damaged file
 *   migrate.c    taking over a file of the version before
 *   mapping.c    a VFS that reads the file through one mapping that stays, and tells faults apart
 *   fault_guard.c  mapped memory that cannot be read
 *   health.c     what the writer tells of its files and its disk
 *   file_watch.c whether the files are still those at their paths
 *   reader.c     get and exists, inline on the caller's thread, on a held read transaction
 *   readers.c    their connections, and the transactions that they hold
 *   large.c      large values that readers hold, each once, and threads to read them
 *   values.c     values read lately, in memory in front of the tables
 *   wal_index.c  the header that tells one state of the database from another
 *   uses.c       uses that wait in memory, so that a read never writes
 *   writer.c     the one thread that writes: groups of operations, one commit each
 *   file_lock.c  the lock that other programs may hold, and those who wait for it
 *   transaction.c, statements.c, entries.c, set.c, apply.c   what it does to the tables
 *   sweep.c      what has expired, and is not kept to be served stale
 *   evict.c      victims in exact order without sorting
 *   order.c      the clock of that order, as the file keeps it
 *   background.c the thread for listings, statistics, the sweep and checkpoints
 *   scan.c       listings
 *   reserve.c    a file whose blocks are given up on a full volume
 *   space.c      bounds that make them suffice, and what then goes on
 *   gauges.c     what it tells of itself
 *   backup.c     a copy of the file, made by a process of its own */
#ifndef STEADYCACHE_SQLITE_STORE_H
#define STEADYCACHE_SQLITE_STORE_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "backends/sqlite/file/file_watch.h"
#include "backends/sqlite/file/mapping.h"
#include "backends/sqlite/file/space.h"
#include "backends/sqlite/read/large.h"
#include "backends/sqlite/read/values.h"
#include "backends/sqlite/write/uses.h"
#include "base/order_clock.h"
#include "store/backend.h"
#include "store/rules.h"

#define READERS_MAX 16
/* How long a connection waits for the locks of another process, the writer's excepted
 * (file_lock.c). */
#define BUSY_TIMEOUT_MS 10000

/* The file in the data directory. */
#define DATABASE_NAME "steadycache.db"
/* "stdy": marks a file as ours in its header. docs/operations.md gives this and the version, as
 * numbers, where it rescues a damaged file. */
#define APPLICATION_ID      0x73746479
#define SCHEMA_VERSION      3
#define SCHEMA_VERSION_TEXT "3"
/* Files of this one are taken over (migrate.c). */
#define MIGRATED_SCHEMA_VERSION 2

/* Counters of a namespace since this process started. Made on first sight, freed with the store. */
struct counters {
	struct counters *next;
	char name[NAMESPACE_MAX_LEN + 1];
	atomic_ullong hits, misses, sets, deletes, evictions, expirations, stale_hits;
};

struct op_queue {
	struct cache_op *first;
	struct cache_op **last; /* where the next one is linked */
	size_t length;
};

struct reader;
struct writer;

struct sqlite_store {
	struct backend backend; /* first: the contract hands this out */
	struct backend_config config;
	struct cache_clock clock;
	char path[4096]; /* of the database file */
	uint64_t hash_seed;
	struct mapping mapping;
	struct file_watch watch;
	struct space space;

	struct order_clock order_clock; /* of last accesses and creations */
	struct uses uses;
	struct values values;
	struct large large;
	/* Held by the writer from BEGIN to COMMIT, and by statistics while they take their snapshot
	 * and copy the waiting uses, so that no use is counted twice or not at all. */
	pthread_mutex_t uses_order;

	pthread_mutex_t counters_lock;
	struct counters *counters[256];

	struct reader *readers; /* READERS_MAX, opened when first used */
	unsigned reader_count;
	atomic_bool lacks_readers; /* one could not be opened when last tried */

	struct writer *writer;
	pthread_mutex_t write_lock; /* guards the four below */
	pthread_cond_t write_wake;
	struct op_queue write_queue;
	bool write_stop;
	bool tick_due;          /* fold and sweep a little with the next group */
	int64_t hurry_since_us; /* monotonic: when the end of the process began; 0: it has not */
	pthread_t write_thread;
	bool has_write_thread;
	size_t group_max; /* most operations of one commit */

	/* What the writer did, for gauges.c. */
	struct {
		atomic_ullong groups, ops, failed, busy_us;
	} written;
	atomic_uint wal_pages; /* length of the write-ahead log */
	atomic_bool locked;    /* another program holds the write lock, for some time already */

	sqlite3 *background_db;
	pthread_mutex_t background_lock; /* guards the two below */
	pthread_cond_t background_wake;
	struct op_queue background_queue;
	bool background_stop;
	pthread_t background_thread;
	bool has_background_thread;
	bool mapping_told; /* the background thread's: that the mapping is off */
};

static inline void count_up(atomic_ullong *counter, uint64_t number)
{
	(void)atomic_fetch_add_explicit(counter, number, memory_order_relaxed);
}

static inline int64_t store_now_us(const struct sqlite_store *store)
{
	return cache_clock_now_us(&store->clock);
}

void queue_init(struct op_queue *queue);
void queue_push(struct op_queue *queue, struct cache_op *op);
struct cache_op *queue_pop(struct op_queue *queue); /* NULL where empty */

/* Waits for a condition of the monotonic clock (cond_init_monotonic) until `until_us` at most. */
void wait_on_clock(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t until_us);
void cond_init_monotonic(pthread_cond_t *ret);

/* Tells the owner of the store; printf-like, one sentence. */
void store_notice(const struct sqlite_store *store, enum notice_level level, const char *format,
		  ...) __attribute__((format(printf, 3, 4)));

/* The counters of a namespace, NULL when out of memory. Any thread. */
struct counters *store_counters(struct sqlite_store *store, struct slice name);

/* The settings that hold for a namespace for which nothing was configured. */
void store_default_settings(const struct sqlite_store *store, struct slice name,
			    struct namespace_settings *ret);

/* The hash of a key in the index. Keyed with a seed of the file, so that nobody can make keys that
 * collide; those that do are told apart by the whole key. */
int64_t store_hash(const struct sqlite_store *store, struct slice key);

/* What a statement needs to find `key` by the index, and the parameters from `parameter` on. */
#define KEY_CONDITION(a, b, c, d)                                                                  \
	"ns = ?" #a " AND ifnull(substr(key, 1, 64), x'') = ?" #b " AND hash = ?" #c               \
	" AND key = ?" #d
void store_bind_key(const struct sqlite_store *store, sqlite3_stmt *statement, int parameter,
		    int64_t namespace_id, struct slice key);

/* The index of keys holds this many bytes of each. */
#define INDEXED_KEY_BYTES 64
#define KEY_BOUND_BYTES   (INDEXED_KEY_BYTES + 1)
/* How much of `key` the index holds. */
size_t store_indexed_len(struct slice key);
/* Writes the first byte string behind all indexed keys that begin with `prefix`; its length. */
size_t store_prefix_bound(struct slice prefix, char bound[static KEY_BOUND_BYTES]);

/* ---- prepare.c ---- */

/* The lock of the data directory, for as long as a database is looked at: a descriptor to close.
 * Waits 10 s for another who has it. -1: error says why it cannot be had, and who has it. */
int folder_lock_take(const struct sqlite_store *store, char *error, size_t error_size);

/* Opens the file for the store: makes it or takes the one that is there, moves a damaged one out of
 * the way. False with a sentence in `error`. */
bool database_prepare(struct sqlite_store *store, char *error, size_t error_size);

/* ---- database.c ---- */

/* One more connection to the prepared file; NULL with a sentence in `error`. */
sqlite3 *database_connect(struct sqlite_store *store, char *error, size_t error_size);
/* Writes the sentence "`failed` PATH: why", of what SQLite said on `db`, which may be NULL. */
void database_explain(const struct sqlite_store *store, sqlite3 *db, int code, const char *failed,
		      char *error, size_t error_size);
/* What SQLite said of the call that failed last on `db`; never SQLITE_OK, which it says of some
 * that had no memory. */
int database_error(sqlite3 *db);
/* SQLITE_OK or an error. */
int database_execute(sqlite3 *db, const char *sql);
/* The first column of the first row of `sql`: SQLITE_ROW, SQLITE_DONE where there is none, or an
 * error. *ret is written with a row only. */
int database_ask(sqlite3 *db, const char *sql, int64_t *ret);
/* Makes the file one with a write-ahead log. SQLITE_OK or an error. */
int database_use_log(sqlite3 *db);
/* The tables of a new file; what an older one lacks. SQLITE_OK, or an error and nothing is changed.
 * The caller holds the lock of the folder. */
int database_create_schema(sqlite3 *db);
int database_complete_schema(sqlite3 *db);
/* Prepares a statement that lives as long as its connection; NULL on failure. */
sqlite3_stmt *database_prepare_statement(sqlite3 *db, const char *sql);
/* Runs a statement to its end and resets it: SQLITE_DONE, SQLITE_ROW never, or an error. */
int database_run(sqlite3_stmt *statement);
/* The same of an operation, with a sentence that says more where there is one (op->detail). */
enum cache_status database_refuse(struct sqlite_store *store, sqlite3 *db, int code,
				  struct cache_op *op);
/* A sentence for a client whose operation an error of the system has met on `db`; static storage.
 */
const char *database_failure_text(sqlite3 *db);
/* Closes a connection. What lies in the log stays there where the files are not in their places any
 * more. NULL is fine. */
void database_disconnect(struct sqlite_store *store, sqlite3 *db);
/* What the user is told where SQLite said `code`. */
enum cache_status database_status(sqlite3 *db, int code);
/* settings in force of the row that `statement` stands on; columns max_size, capacity, default_ttl,
 * policy, stale_ttl from `column` on, NULL meaning the default. */
void database_read_settings(const struct sqlite_store *store, struct slice name,
			    sqlite3_stmt *statement, int column, struct namespace_settings *ret);

/* ---- migrate.c ---- */

/* Brings a sound file of MIGRATED_SCHEMA_VERSION to SCHEMA_VERSION, and leaves one alone that is of
 * it. SQLITE_OK, or an error and nothing was changed. The caller holds the lock of the folder. */
int migrate_schema(struct sqlite_store *store, sqlite3 *db);

/* ---- reader.c, readers.c ---- */

/* False with a sentence in `error`. */
bool readers_open(struct sqlite_store *store, char *error, size_t error_size);
void readers_close(struct sqlite_store *store);
void reader_get(struct backend *backend, struct cache_op *op);
void reader_exists(struct backend *backend, struct cache_op *op);
/* A get that found large values, on a thread that may take its time; `user` is the store. */
void reader_get_large(void *user, struct cache_op *op);
/* Ends the read transactions that are held, so that the log can be folded back into the file. */
void readers_release(struct sqlite_store *store);
/* Tries once more where a reader could not be opened. Whether all is well. */
bool readers_check(struct sqlite_store *store);

/* ---- writer.c ---- */

/* False with a sentence in `error`. */
bool writer_open(struct sqlite_store *store, char *error, size_t error_size);
void writer_close(struct sqlite_store *store); /* what waits is written first */
void writer_submit(struct backend *backend, struct cache_op *op);
/* Asks for a bit of housekeeping (waiting uses, expired entries) with the next group. */
void writer_tick(struct sqlite_store *store);

/* ---- file_lock.c ---- */

/* backend_ops.hurry */
void sqlite_hurry(struct backend *backend);

/* ---- scan.c ---- */

/* Runs a SCAN to its end, on the background thread. */
void scan_run(struct sqlite_store *store, struct cache_op *op);

/* ---- gauges.c: backend_ops.gauges ---- */

size_t sqlite_gauges(struct backend *backend, struct backend_gauge *ret, size_t max);

/* ---- background.c ---- */

/* False with a sentence in `error`. */
bool background_open(struct sqlite_store *store, char *error, size_t error_size);
void background_close(struct sqlite_store *store);
void background_submit(struct backend *backend, struct cache_op *op);
/* The log has grown: look whether it is time for a checkpoint. */
void background_wake(struct sqlite_store *store);

#endif
