/* What the files of the driver share; the map:
 *
 *   driver.c      the functions of the driver, and its entry
 *   settings.c    what stands behind the "?"
 *   store.c       the folder, the environment, its map, and outcomes
 *   room.c        limits, the reserve for removals
 *   checkpoint.c  what is found after a loss of power
 *   records.c     records by name: heads, small bodies
 *   pieces.c      long names and large bodies, cut into pages
 *   readers.c     transactions of get, which are used again
 *   siphash.c     names that are too long for a key of LMDB
 *
 * The folder "lmdb" in the data_dir has LMDB's data.mdb and lock.mdb, so that its tools work on it,
 * and "checkpoint". Whoever has the store open holds a lock (flock) of the folder.
 *
 * Threads: apply runs alone (driver.h), so only it changes the map and writes. The thread of
 * checkpoint.c and a sync share with it what `checkpoint` protects. */
#ifndef STEADYCACHE_PLUGIN_LMDB_STATE_H
#define STEADYCACHE_PLUGIN_LMDB_STATE_H

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

#include <steadycache/driver.h>

#define LMDB_READERS_KEPT  16
#define LMDB_BOOT_ID_BYTES 40
#define LMDB_SECRET_BYTES  16

/* Cursors of one transaction. */
struct lmdb_tables {
	MDB_txn *txn;
	MDB_cursor *records, *pieces;
};

/* The transactions of get that are not in use. */
struct lmdb_readers {
	pthread_mutex_t lock;
	unsigned count;
	struct lmdb_tables kept[LMDB_READERS_KEPT];
};

struct lmdb_checkpoint {
	int fd;          /* of the file; -1: none */
	uint64_t number; /* of the last that was written */
	bool is_used;    /* without it each apply waits for the disk */
	char boot_id[LMDB_BOOT_ID_BYTES];

	pthread_mutex_t turn;  /* held by whoever takes one, or changes the map. First */
	MDB_txn *pin;          /* keeps the pages of the last one. With `turn` */
	atomic_bool is_pinned; /* for who has no turn */

	pthread_mutex_t lock; /* held during a commit, and for what follows. Second */
	pthread_cond_t change;
	bool is_due;      /* something was committed since the last one */
	bool is_urgent;   /* ... that takes much space */
	uint64_t used_at; /* bytes of the file at the last one */
	bool has_failed;  /* the last one could not be written */
	bool stops;
	pthread_t thread;
	bool has_thread;
};

/* Why no change can be made now. */
enum lmdb_trouble {
	LMDB_NO_TROUBLE,
	LMDB_DISK_FULL,
	LMDB_LIMIT_REACHED, /* max_size_mb */
	LMDB_SYNC_FAILED,   /* for good: what is on the disk is unknown */
	LMDB_BROKEN,        /* the environment must be opened again */
};

struct driver {
	char *path; /* of the folder */
	int folder_fd;
	enum driver_durability durability;
	void (*notice)(void *user, enum driver_notice level, const char *sentence);
	void *notice_user;

	MDB_env *env; /* NULL: broken */
	MDB_dbi records, pieces;
	int data_fd; /* LMDB's own */
	size_t page_bytes;
	uint64_t next_id; /* of pieces */
	unsigned char secret[LMDB_SECRET_BYTES];

	uint64_t map_bytes;
	uint64_t limit_bytes;     /* of max_size_mb; UINT64_MAX: none */
	uint64_t allocated_bytes; /* the disk has room for the file up to here */
	size_t reclaimed_at;      /* the commit after lmdb_room_reclaim */
	_Atomic uint64_t used_bytes;
	_Atomic int trouble; /* enum lmdb_trouble */

	struct lmdb_readers readers;
	struct lmdb_checkpoint checkpoint;
};

#endif
