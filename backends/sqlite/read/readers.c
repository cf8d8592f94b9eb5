/* The readers of a store: their connections, and the transactions that they hold (reader.c). */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backends/sqlite/read/reader_state.h"

static void finalize(sqlite3_stmt **statement)
{
	(void)sqlite3_finalize(*statement);
	*statement = NULL;
}

/* As it was before it was opened: it may be opened again. */
static void close_reader(struct sqlite_store *store, struct reader *reader)
{
	finalize(&reader->begin);
	finalize(&reader->commit);
	finalize(&reader->find_namespace);
	finalize(&reader->find_stale_ttl);
	finalize(&reader->find_entry);
	database_disconnect(store, reader->db);
	reader->db = NULL;
	reader->wal_index = NULL;
}

static bool prepare(struct reader *reader, sqlite3_stmt **ret, const char *sql)
{
	*ret = database_prepare_statement(reader->db, sql);
	return *ret != NULL;
}

/* Connects a reader that has no database yet. False: that failed, and it has none still. */
static bool open_reader(struct sqlite_store *store, struct reader *reader, char *error,
			size_t error_size)
{
	reader->db = database_connect(store, error, error_size);
	if (!reader->db)
		return false;
	bool ready = prepare(reader, &reader->begin, "BEGIN") &&
		     prepare(reader, &reader->commit, "COMMIT") &&
		     prepare(reader, &reader->find_namespace,
			     "SELECT id FROM namespaces WHERE name = ?1") &&
		     prepare(reader, &reader->find_stale_ttl,
			     "SELECT stale_ttl FROM namespaces WHERE id = ?1") &&
		     prepare(reader, &reader->find_entry,
			     "SELECT id, etag, flags, type, modified, expires,"
			     " CASE WHEN length(value) <= 262144 THEN value END FROM entries"
			     " INDEXED BY entries_key WHERE " KEY_CONDITION(1, 2, 3, 4));
	if (ready) {
		/* The connection has read the schema, so the WAL index exists by now. */
		reader->wal_index = wal_index_map(reader->db);
		return true;
	}
	database_explain(store, reader->db, database_error(reader->db), "cannot read", error,
			 error_size);
	close_reader(store, reader);
	return false;
}

/* One at once, as the first reader may come when there is no descriptor left for another. */
bool readers_open(struct sqlite_store *store, char *error, size_t error_size)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	store->readers = calloc(READERS_MAX, sizeof(*store->readers));
	if (!store->readers) {
		(void)snprintf(error, error_size, "cannot open %s: out of memory", store->path);
		return false;
	}
	/* Some are kept busy by large reads; they are opened when they are first needed. */
	cores = cores < 2 ? 4 : cores * 2;
	store->reader_count = cores > READERS_MAX ? READERS_MAX : (unsigned)cores;
	for (unsigned i = 0; i < store->reader_count; i++)
		(void)pthread_mutex_init(&store->readers[i].lock, NULL);
	return open_reader(store, &store->readers[0], error, error_size);
}

/* With the reader's lock held. */
static bool open_later(struct sqlite_store *store, struct reader *reader)
{
	char error[sizeof(store->path) + 200] = "";
	bool is_open = reader->db || open_reader(store, reader, error, sizeof(error));

	if (!is_open && !atomic_exchange(&store->lacks_readers, true))
		store_notice(store, NOTICE_ERROR, "%s; reads share the connections that there are",
			     error);
	return is_open;
}

struct reader *readers_acquire(struct sqlite_store *store, unsigned wanted)
{
	unsigned first = wanted % store->reader_count;
	struct reader *reader = NULL;

	/* One that reads many values, or large ones, is not waited for while another is free. */
	for (unsigned i = 0; i < store->reader_count && !reader; i++) {
		struct reader *other = &store->readers[(first + i) % store->reader_count];

		if (pthread_mutex_trylock(&other->lock) == 0)
			reader = other;
	}
	if (!reader) {
		reader = &store->readers[first];
		(void)pthread_mutex_lock(&reader->lock);
	}
	if (reader->db || open_later(store, reader))
		return reader;
	(void)pthread_mutex_unlock(&reader->lock);
	/* The first is open since the start. */
	reader = &store->readers[0];
	(void)pthread_mutex_lock(&reader->lock);
	return reader;
}

bool readers_check(struct sqlite_store *store)
{
	bool all_open = true;

	if (!atomic_load(&store->lacks_readers))
		return true;
	for (unsigned i = 0; i < store->reader_count && all_open; i++) {
		struct reader *reader = &store->readers[i];

		(void)pthread_mutex_lock(&reader->lock);
		all_open = open_later(store, reader);
		(void)pthread_mutex_unlock(&reader->lock);
	}
	if (all_open && atomic_exchange(&store->lacks_readers, false))
		store_notice(store, NOTICE_INFO, "connections to %s can be opened again",
			     store->path);
	return all_open;
}

void reader_end_transaction(struct reader *reader)
{
	if (reader->in_transaction)
		(void)database_run(reader->commit);
	/* Where that failed, it is tried again before the next begins. */
	reader->in_transaction = reader->db && !sqlite3_get_autocommit(reader->db);
}

void readers_close(struct sqlite_store *store)
{
	for (unsigned i = 0; i < store->reader_count; i++) {
		reader_end_transaction(&store->readers[i]);
		close_reader(store, &store->readers[i]);
		(void)pthread_mutex_destroy(&store->readers[i].lock);
	}
	free(store->readers);
	store->readers = NULL;
	store->reader_count = 0;
}

void readers_release(struct sqlite_store *store)
{
	for (unsigned i = 0; i < store->reader_count; i++) {
		(void)pthread_mutex_lock(&store->readers[i].lock);
		reader_end_transaction(&store->readers[i]);
		(void)pthread_mutex_unlock(&store->readers[i].lock);
	}
}
