/* Continuing while the volume is full.
 *
 * In the ordinary state a reserve exists beside the database (reserve.h), and the database may grow
 * by no more than the reserve's size (PRAGMA max_page_count) until the log has been copied into it:
 * so that copy is always possible, however full the volume is. The log is copied before it is as
 * long as the reserve.
 *
 * If a write, or a copy of the log, finds no room, the reserve is given up, and the log is copied
 * and reset, reusing the blocks of its file. From then on the database does not grow: entries can
 * be removed, which makes room inside it, and what fits into that is stored; everything else is
 * refused. Once the volume has room, the reserve is made again, and everything is as before.
 *
 * The writer's thread does all that; the background thread looks for room (space_watch). */
#ifndef STEADYCACHE_SQLITE_SPACE_H
#define STEADYCACHE_SQLITE_SPACE_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "backends/sqlite/file/reserve.h"

struct sqlite_file;

/* Most entries that one transaction removes for one operation. An operation that has to remove more
 * continues in the next group, so that no other waits long. */
#define REMOVALS_PER_GROUP 1000

/* Signals of other threads to the writer. */
enum space_signal {
	SPACE_COPIED = 1 << 0,     /* the log, into a database that may have grown */
	SPACE_NOT_COPIED = 1 << 1, /* there was no room for it */
	SPACE_RESERVE_LOST =
		1 << 2,      /* somebody else gave it up, and there is no room for another */
	SPACE_ROOM = 1 << 3, /* the reserve exists again */
};

struct space {
	struct reserve reserve;
	atomic_bool low;        /* the reserve is given up, and the database does not grow */
	atomic_bool impossible; /* there can be no reserve: work without one */
	atomic_bool failing;    /* the reserve could not be made at the last attempt; reported */
	atomic_uint signals;    /* enum space_signal */
	/* Held while the log is copied: SQLite refuses a second copy at the same time. The
	 * background thread only tries to get it, because the writer, while holding it, may wait
	 * for readers that the background thread has to release. */
	pthread_mutex_t copy_lock;
	/* Pages of the log from which the background thread copies it, and from which the writer
	 * itself finishes the copy between two groups. */
	atomic_int soft_pages, hard_pages;
	atomic_uint wal_pages; /* length of the log after the last commit */
	/* Ends the read transactions that this process holds, so that all of the log can be
	 * copied. */
	void (*release_readers)(void *user);
	void *user;
	/* The writer's: */
	sqlite3 *db; /* its connection */
	int64_t page_bytes;
	int64_t group_bytes;   /* most bytes of values in one transaction, if there are several */
	size_t removals_max;   /* REMOVALS_PER_GROUP, or fewer if there is little room */
	bool log_is_copied;    /* all of it, with no commit since: the next commit resets it */
	bool deletes_securely; /* SQLite overwrites freed pages, unless told otherwise */
	/* Belong to the background thread: */
	unsigned ticks, wait_ticks;
	int64_t left_us; /* when it last saw room again; 0: never */
};

/* Call it once file->path is known. The writer's thread, which holds copy_lock, calls
 * `release_readers` with `user`. */
void space_init(struct sqlite_file *file, void (*release_readers)(void *user), void *user);
void space_deinit(struct sqlite_file *file);
/* Call it before the writer's thread starts, on its connection: makes the reserve, or starts
 * without room. SQLITE_OK, or why the database cannot be queried. */
int space_open(struct sqlite_file *file, sqlite3 *db);
/* Call it after the last connection is closed: a start on a full volume needs the reserve, too. */
void space_close(struct sqlite_file *file);

/* Any thread. */
void space_signal(struct sqlite_file *file, enum space_signal signal);
/* Called by the background thread every quarter of a second; wakes the writer if it has to act
 * (space_attend). */
void space_watch(struct sqlite_file *file);

/* ---- Writer's thread, between two transactions ---- */

/* The commit hook: a transaction made the log that long. */
void space_note_commit(struct sqlite_file *file, int wal_pages);
/* Handles the signals. */
void space_attend(struct sqlite_file *file);
/* Copies the log as far as nobody reads in it. */
void space_copy_log(struct sqlite_file *file);
/* Copies all of the log and empties it, because it may not be found again. False: not possible
 * now. */
bool space_empty_log(struct sqlite_file *file);
/* There is no room: gives the reserve up, and continues without. */
void space_enter_low(struct sqlite_file *file);

#endif
