#include "backends/sqlite/read/readers.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backends/sqlite/file/database.h"
#include "backends/sqlite/file/key_index.h"
#include "backends/sqlite/read/reader_state.h"
#include "store/notice.h"

struct readers {
	struct sqlite_file *file;
	struct reader all[READERS_MAX]; /* opened on first use */
	unsigned count;
	atomic_bool lacks_some; /* one could not be opened at the last attempt */
};

static void finalize(sqlite3_stmt **statement)
{
	(void)sqlite3_finalize(*statement);
	*statement = NULL;
}

/* Resets it to its state before it was opened: it may be opened again. */
static void close_reader(struct readers *readers, struct reader *reader)
{
	finalize(&reader->begin);
	finalize(&reader->commit);
	finalize(&reader->find_namespace);
	finalize(&reader->find_stale_ttl);
	finalize(&reader->find_access);
	finalize(&reader->find_entry);
	database_disconnect(readers->file, reader->db);
	reader->db = NULL;
	reader->wal_index = NULL;
}

static bool prepare(struct reader *reader, sqlite3_stmt **ret, const char *sql)
{
	*ret = database_prepare_statement(reader->db, sql);
	return *ret != NULL;
}

/* Connects a reader that has no database yet. False: that failed, and it still has none. */
static bool open_reader(struct readers *readers, struct reader *reader, char *error,
			size_t error_size)
{
	reader->db = database_connect(readers->file, error, error_size);
	if (!reader->db)
		return false;
	bool ready = prepare(reader, &reader->begin, "BEGIN") &&
		     prepare(reader, &reader->commit, "COMMIT") &&
		     prepare(reader, &reader->find_namespace,
			     "SELECT id, max_idle FROM namespaces WHERE name = ?1") &&
		     prepare(reader, &reader->find_stale_ttl,
			     "SELECT stale_ttl FROM namespaces WHERE id = ?1") &&
		     prepare(reader, &reader->find_access,
			     "SELECT last_access FROM uses WHERE id = ?1") &&
		     prepare(reader, &reader->find_entry,
			     "SELECT id, etag, flags, type, modified, expires,"
			     " CASE WHEN length(value) <= 262144 THEN value END FROM entries"
			     " INDEXED BY entries_key WHERE " KEY_CONDITION(1, 2, 3, 4));
	if (ready) {
		/* The connection has read the schema, so the WAL index exists by now. */
		reader->wal_index = wal_index_map(reader->db);
		return true;
	}
	database_explain(readers->file, reader->db, database_error(reader->db), "cannot read",
			 error, error_size);
	close_reader(readers, reader);
	return false;
}

/* Opens one at once, because no descriptor may be left for another when the first read comes. */
struct readers *readers_open(struct sqlite_file *file, char *error, size_t error_size)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	struct readers *readers = calloc(1, sizeof(*readers));

	if (!readers) {
		(void)snprintf(error, error_size, "cannot open %s: out of memory", file->path);
		return NULL;
	}
	readers->file = file;
	/* Some are kept busy by large reads; they are opened when they are first needed. */
	cores = cores < 2 ? 4 : cores * 2;
	readers->count = cores > READERS_MAX ? READERS_MAX : (unsigned)cores;
	for (unsigned i = 0; i < readers->count; i++)
		(void)pthread_mutex_init(&readers->all[i].lock, NULL);
	if (open_reader(readers, &readers->all[0], error, error_size))
		return readers;
	readers_close(readers);
	return NULL;
}

/* With the reader's lock held. */
static bool open_later(struct readers *readers, struct reader *reader)
{
	char error[sizeof(readers->file->path) + 200] = "";
	bool is_open = reader->db || open_reader(readers, reader, error, sizeof(error));

	if (!is_open && !atomic_exchange(&readers->lacks_some, true))
		notice_send(readers->file->config, NOTICE_ERROR,
			    "%s; reads share the connections that there are", error);
	return is_open;
}

struct reader *readers_acquire(struct readers *readers, unsigned wanted)
{
	unsigned first = wanted % readers->count;
	struct reader *reader = NULL;

	/* A reader that reads many values, or large ones, is not waited for while another is
	 * free. */
	for (unsigned i = 0; i < readers->count && !reader; i++) {
		struct reader *other = &readers->all[(first + i) % readers->count];

		if (pthread_mutex_trylock(&other->lock) == 0)
			reader = other;
	}
	if (!reader) {
		reader = &readers->all[first];
		(void)pthread_mutex_lock(&reader->lock);
	}
	if (reader->db || open_later(readers, reader))
		return reader;
	(void)pthread_mutex_unlock(&reader->lock);
	/* The first one is open since the start. */
	reader = &readers->all[0];
	(void)pthread_mutex_lock(&reader->lock);
	return reader;
}

bool readers_check(struct readers *readers)
{
	bool all_open = true;

	if (!atomic_load(&readers->lacks_some))
		return true;
	for (unsigned i = 0; i < readers->count && all_open; i++) {
		struct reader *reader = &readers->all[i];

		(void)pthread_mutex_lock(&reader->lock);
		all_open = open_later(readers, reader);
		(void)pthread_mutex_unlock(&reader->lock);
	}
	if (all_open && atomic_exchange(&readers->lacks_some, false))
		notice_send(readers->file->config, NOTICE_INFO,
			    "connections to %s can be opened again", readers->file->path);
	return all_open;
}

void readers_end_transaction(struct reader *reader)
{
	if (reader->in_transaction)
		(void)database_run(reader->commit);
	/* If that failed, it is tried again before the next begins. */
	reader->in_transaction = reader->db && !sqlite3_get_autocommit(reader->db);
}

void readers_disconnect(struct readers *readers)
{
	for (unsigned i = 0; readers && i < readers->count; i++) {
		(void)pthread_mutex_lock(&readers->all[i].lock);
		readers_end_transaction(&readers->all[i]);
		close_reader(readers, &readers->all[i]);
		(void)pthread_mutex_unlock(&readers->all[i].lock);
	}
}

void readers_close(struct readers *readers)
{
	readers_disconnect(readers);
	for (unsigned i = 0; readers && i < readers->count; i++)
		(void)pthread_mutex_destroy(&readers->all[i].lock);
	free(readers);
}

void readers_release(struct readers *readers)
{
	for (unsigned i = 0; i < readers->count; i++) {
		(void)pthread_mutex_lock(&readers->all[i].lock);
		readers_end_transaction(&readers->all[i]);
		(void)pthread_mutex_unlock(&readers->all[i].lock);
	}
}
