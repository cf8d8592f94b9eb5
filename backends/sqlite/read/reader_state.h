/* A reader: a connection, and the read transaction that it holds. The store owns its readers
 * (readers.c); a reader is used with its lock held. */
#ifndef STEADYCACHE_SQLITE_READER_STATE_H
#define STEADYCACHE_SQLITE_READER_STATE_H

#include <pthread.h>
#include <sqlite3.h>

#include "backends/sqlite/counters.h"
#include "backends/sqlite/file/wal_index.h"

#define CACHED_NAMESPACES 8

struct cached_namespace {
	uint64_t snapshot; /* the snapshot of the look-up; 0: unused */
	int64_t id;        /* 0: no such namespace */
	int64_t stale_us;  /* with has_stale: looked up when first needed */
	bool has_stale;
	int64_t idle_us; /* its idle time; 0: none */
	struct counters *counters;
	size_t name_len;
	char name[NAMESPACE_MAX_LEN];
};

struct reader {
	pthread_mutex_t lock;
	sqlite3 *db; /* NULL until first used */
	sqlite3_stmt *begin, *commit, *find_namespace, *find_stale_ttl, *find_access, *find_entry;
	bool in_transaction;
	uint64_t snapshot;     /* counts the transactions */
	struct wal_state seen; /* read before the snapshot was taken */
	bool is_exact;         /* and unchanged afterwards: the snapshot is of that very state */
	const volatile uint64_t *wal_index; /* NULL: not mapped, so no transaction is held */
	unsigned next_cached;
	struct cached_namespace namespaces[CACHED_NAMESPACES];
};

#endif
