/* The readers of a store: their connections, and the transactions that they hold (reader.c). */
#include <stdlib.h>
#include <unistd.h>

#include "backends/sqlite/reader_state.h"

bool readers_open(struct sqlite_store *store)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	store->readers = calloc(READERS_MAX, sizeof(*store->readers));
	if (!store->readers)
		return false;
	store->reader_count = cores < 2 ? 2 : cores > READERS_MAX ? READERS_MAX : (unsigned)cores;
	for (unsigned i = 0; i < store->reader_count; i++)
		(void)pthread_mutex_init(&store->readers[i].lock, NULL);
	return true;
}

static void close_reader(struct reader *reader)
{
	(void)sqlite3_finalize(reader->begin);
	(void)sqlite3_finalize(reader->commit);
	(void)sqlite3_finalize(reader->find_namespace);
	(void)sqlite3_finalize(reader->find_stale_ttl);
	(void)sqlite3_finalize(reader->find_entry);
	(void)sqlite3_close(reader->db);
	reader->db = NULL;
}

bool reader_open(struct sqlite_store *store, struct reader *reader)
{
	reader->db = database_connect(store);
	if (!reader->db)
		return false;
	reader->begin = database_prepare_statement(reader->db, "BEGIN");
	reader->commit = database_prepare_statement(reader->db, "COMMIT");
	reader->find_namespace =
		database_prepare_statement(reader->db, "SELECT id FROM namespaces WHERE name = ?1");
	reader->find_stale_ttl = database_prepare_statement(
		reader->db, "SELECT stale_ttl FROM namespaces WHERE id = ?1");
	reader->find_entry = database_prepare_statement(
		reader->db, "SELECT id, etag, flags, type, modified, expires, value FROM entries"
			    " INDEXED BY entries_key WHERE " KEY_CONDITION(1, 2, 3, 4));
	/* The preparation has read the schema, so the WAL index exists by now. */
	reader->wal_index = wal_index_map(reader->db);
	if (reader->begin && reader->commit && reader->find_namespace && reader->find_stale_ttl &&
	    reader->find_entry)
		return true;
	close_reader(reader);
	return false;
}

void reader_end_transaction(struct reader *reader)
{
	if (reader->in_transaction)
		(void)database_run(reader->commit);
	reader->in_transaction = false;
}

void readers_close(struct sqlite_store *store)
{
	for (unsigned i = 0; i < store->reader_count; i++) {
		reader_end_transaction(&store->readers[i]);
		close_reader(&store->readers[i]);
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
