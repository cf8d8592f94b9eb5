/* A file beside the database that holds blocks of the volume, to be given up when the volume is
 * full.
 *
 * Any change of a database in WAL mode first needs room, even a removal of entries: in the log, and
 * when the log is copied back, in the database as far as it has grown. So a volume that is full of
 * cache could never be emptied again. The blocks of the reserve make it possible: they cover the
 * growth (growth.c ensures that the database never grows by more between two copies of the log),
 * and then the log is reset and uses its own blocks.
 *
 * Processes that share a database share its reserve: each treats an existing one as its own, and
 * giving it up twice does no harm. */
#ifndef STEADYCACHE_SQLITE_RESERVE_H
#define STEADYCACHE_SQLITE_RESERVE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* An eighth of what is available, but within these. */
#define RESERVE_MIN_BYTES (INT64_C(512) << 10)
#define RESERVE_MAX_BYTES (INT64_C(64) << 20)

enum reserve_result {
	RESERVE_MADE,       /* it exists, made now or before */
	RESERVE_NO_ROOM,    /* not now */
	RESERVE_FAILED,     /* a temporary error: no descriptor was left, or the disk failed */
	RESERVE_IMPOSSIBLE, /* the folder or the file system does not allow such a file */
};

struct reserve {
	pthread_mutex_t lock; /* guards the numbers, and the file against two threads */
	char path[4096 + 16];
	int64_t bytes;        /* its size; 0: there is none */
	int64_t former_bytes; /* its size before it was given up */
	int error;            /* number, with RESERVE_FAILED */
};

/* For the database at `database_path`, which is copied. Touches no file. */
void reserve_init(struct reserve *reserve, const char *database_path);
/* Leaves the file where it is. */
void reserve_deinit(struct reserve *reserve);

/* Makes the file, or takes the existing one, enlarging it if there is more room by now. A reserve
 * that was given up is made again only if there is room for twice its size, so that it does not
 * come and go. May write all of it if the file system cannot allocate. */
enum reserve_result reserve_make(struct reserve *reserve);
/* Removes the file, whoever made it; returns whether there was one. */
bool reserve_give_up(struct reserve *reserve);
/* Whether the file still exists in its size: another process may have given it up. */
bool reserve_stands(struct reserve *reserve);
/* Its size; 0: there is none. */
int64_t reserve_bytes(struct reserve *reserve);

#endif
