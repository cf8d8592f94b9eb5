/* Going on where the volume is full.
 *
 * In the ordinary state a reserve stands beside the database (reserve.h), and the database may grow
 * by no more than the reserve holds (PRAGMA max_page_count) until the log has been copied into it:
 * so that copy is always possible, be the volume as full as it may. The log is copied before it is
 * as long as the reserve.
 *
 * Where a write finds no room, or a copy of the log, the reserve is given up, the log copied, and
 * begun anew in the blocks that its file has. From then on the database does not grow: entries can
 * be removed, which makes room inside, and what fits into that is stored; all else is refused. With
 * room on the volume the reserve is made again, and all is as before.
 *
 * The writer's thread does all that; the background thread looks for room (space_watch). */
#ifndef STEADYCACHE_SQLITE_SPACE_H
#define STEADYCACHE_SQLITE_SPACE_H

#include <stdatomic.h>

#include "backends/sqlite/file/reserve.h"

struct cache_op;
struct sqlite_store;
struct writer;

/* What other threads tell the writer. */
enum space_signal {
	SPACE_COPIED = 1 << 0,     /* the log, into a database that has grown perhaps */
	SPACE_NOT_COPIED = 1 << 1, /* there was no room for it */
	SPACE_RESERVE_LOST =
		1 << 2,      /* somebody else gave it up, and there is no room for another */
	SPACE_ROOM = 1 << 3, /* the reserve stands again */
};

struct space {
	struct reserve reserve;
	atomic_bool low;        /* the reserve is given up, the database does not grow */
	atomic_bool impossible; /* there can be no reserve: without one */
	atomic_bool failing;    /* the reserve could not be made when last tried; told */
	atomic_uint signals;    /* enum space_signal */
	/* Held while the log is copied: SQLite refuses a second copy at the same time. The
	 * background thread only tries to get it, as the writer may wait, holding it, for readers
	 * that the background thread has to release. */
	pthread_mutex_t copy_lock;
	/* Pages of the log from which the background thread copies it, and from which the writer
	 * itself finishes the copy between two groups. */
	atomic_int soft_pages, hard_pages;
	/* The writer's: */
	int64_t page_bytes;
	int64_t group_bytes; /* values that one transaction takes, if there is more than one */
	/* The background thread's: */
	unsigned ticks, wait_ticks;
	int64_t left_us; /* when it last saw room again; 0: never */
};

/* After `store->path` is known. */
void space_init(struct sqlite_store *store);
void space_deinit(struct sqlite_store *store);
/* Before the writer's thread: makes the reserve, or begins without room. SQLITE_OK, or why the
 * database cannot be asked. */
int space_open(struct writer *writer);
/* After the last connection is closed: a start on a full volume needs the reserve, too. */
void space_close(struct sqlite_store *store);

/* Any thread. */
void space_signal(struct sqlite_store *store, enum space_signal signal);
/* Between two groups: does what the signals ask for. */
void space_attend(struct writer *writer);
/* The background thread, every quarter of a second. */
void space_watch(struct sqlite_store *store);

/* What was tried already for one transaction; to be zeroed. */
struct space_tries {
	bool copied, large, grown;
};

enum space_scope {
	SPACE_GROUP, /* several operations, which are tried one by one next */
	SPACE_ALONE,
};

/* A transaction found no room and was rolled back: whether it is worth another try. `op`: the one
 * in it; NULL for a group and for housekeeping. */
bool space_try_again(struct writer *writer, const struct cache_op *op, enum space_scope scope,
		     struct space_tries *tries);
/* After the last try, however it ended. */
void space_settle(struct writer *writer, const struct space_tries *tries);

/* Copies the log as far as nobody reads in it. Writer's thread, outside a transaction. */
void space_copy_log(struct writer *writer);
/* Copies all of the log and empties it, as it may not be found again. False: not now. */
bool space_empty_log(struct writer *writer);
/* The room that the values and keys of `op` take. */
int64_t space_bytes_of(const struct cache_op *op);

#endif
