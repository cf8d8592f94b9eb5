/* A file beside the database that holds blocks of the volume, to be given up when it is full.
 *
 * Whatever changes a database in WAL mode needs room first, even what removes entries: in the log,
 * and where the log is copied back, in the database as far as that has grown. So a volume that is
 * full of cache could never be emptied again. With the blocks of the reserve it can: they cover the
 * growth (growth.c sees to it that the database never grows by more between two copies of the log),
 * and then the log begins anew in its own.
 *
 * The processes that share a database share its reserve: who finds it there takes it for his own,
 * and giving it up twice does no harm. */
#ifndef STEADYCACHE_SQLITE_RESERVE_H
#define STEADYCACHE_SQLITE_RESERVE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* An eighth of what is available, but within these. */
#define RESERVE_MIN_BYTES (INT64_C(512) << 10)
#define RESERVE_MAX_BYTES (INT64_C(64) << 20)

enum reserve_result {
	RESERVE_MADE,       /* it stands, made now or before */
	RESERVE_NO_ROOM,    /* not now */
	RESERVE_FAILED,     /* an error that passes: no descriptor was left, or the disk failed */
	RESERVE_IMPOSSIBLE, /* the folder or the file system does not take such a file */
};

struct reserve {
	pthread_mutex_t lock; /* guards the numbers, and the file against two threads */
	char path[4096 + 16];
	int64_t bytes;        /* that it holds; 0: there is none */
	int64_t former_bytes; /* that it held before it was given up */
	int error;            /* number, with RESERVE_FAILED */
};

/* For the database at `database_path`, which is copied. Touches no file. */
void reserve_init(struct reserve *reserve, const char *database_path);
/* Leaves the file where it is. */
void reserve_deinit(struct reserve *reserve);

/* Makes the file, or takes the one that is there, enlarged where there is more room by now. One
 * that was given up comes back only with room for twice its size, so that it does not come and go.
 * May write all of it where the file system cannot allocate. */
enum reserve_result reserve_make(struct reserve *reserve);
/* Removes the file, whoever made it; whether there was one. */
bool reserve_give_up(struct reserve *reserve);
/* Whether the file is still there, as large as it was: another process may have given it up. */
bool reserve_stands(struct reserve *reserve);
/* Its size; 0: there is none. */
int64_t reserve_bytes(struct reserve *reserve);

#endif
