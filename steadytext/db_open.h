/* A database of SteadyText's, open to be read beside processes that write to it, without a trace:
 * no checkpoint, no recovery of a journal, and the -wal and -shm that SQLite needs to read a
 * database in WAL mode are removed at the end if they were made for that.
 *
 *     -wal        folder          how
 *     any         writable        as any reader; -shm and perhaps an empty -wal are made
 *     with -shm   not writable    as a reader of the existing -shm
 *     none, empty not writable    "immutable": no locks; a change of the file is noticed
 *     else        not writable    refused: what is in the -wal cannot be read
 *
 * No call keeps a transaction open: SteadyText empties its -wal after each write, and would wait
 * for a reader. */
#ifndef STEADYCACHE_STEADYTEXT_DB_OPEN_H
#define STEADYCACHE_STEADYTEXT_DB_OPEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

struct sqlite3;

struct steadytext_db_open {
	struct sqlite3 *sql;
	char *path;
	bool had_wal, had_shm; /* before it was opened */
	bool was_read;         /* so that SQLite may have made them */
	bool is_immutable;
	struct stat before; /* is_immutable: what the file was */
};

/* Opens PATH, a regular file. False with a clause in `reason`, and nothing to close. */
bool steadytext_db_open(struct steadytext_db_open *ret, const char *path, char *reason,
			size_t reason_size);
/* Whether all that was read so far is what the file has: an immutable one may have changed. */
bool steadytext_db_open_is_unchanged(const struct steadytext_db_open *db);
/* All statements are finalized. */
void steadytext_db_open_end(struct steadytext_db_open *db);

#endif
