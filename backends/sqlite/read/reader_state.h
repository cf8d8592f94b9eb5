/* A reader, as its two files share it:
 *
 *   reader.c   snapshots, look-ups and values: what every get does
 *   readers.c  opening and closing, and the end of the transactions that are held
 *
 * Private to these files. The store owns its readers; a reader is used with its lock held. */
#ifndef STEADYCACHE_SQLITE_READER_STATE_H
#define STEADYCACHE_SQLITE_READER_STATE_H

#include "backends/sqlite/file/wal_index.h"
#include "backends/sqlite/store.h"

#define CACHED_NAMESPACES 8

struct cached_namespace {
	uint64_t snapshot; /* the one in which it was looked up; 0: unused */
	int64_t id;        /* 0: there is no such namespace */
	int64_t stale_us;  /* with has_stale: looked up when first needed */
	bool has_stale;
	struct counters *counters;
	size_t name_len;
	char name[NAMESPACE_MAX_LEN];
};

struct reader {
	pthread_mutex_t lock;
	sqlite3 *db; /* NULL until first used */
	sqlite3_stmt *begin, *commit, *find_namespace, *find_stale_ttl, *find_entry;
	bool in_transaction;
	uint64_t snapshot;     /* counts the transactions */
	struct wal_state seen; /* read before the snapshot was taken */
	bool is_exact;         /* and still there afterwards: the snapshot is of that very state */
	const volatile uint64_t *wal_index; /* NULL: not mapped, so no transaction is held */
	unsigned next_cached;
	struct cached_namespace namespaces[CACHED_NAMESPACES];
};

/* ---- readers.c ---- */

/* The reader of that number, locked, which is open; or where it is busy or cannot be opened,
 * another. */
struct reader *readers_acquire(struct sqlite_store *store, unsigned wanted);
/* Ends the transaction, where one is held. */
void reader_end_transaction(struct reader *reader);

#endif
