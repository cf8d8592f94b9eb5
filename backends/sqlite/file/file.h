/* The database file from the point of view of its readers and writers: its path, its name in SQLite
 * (a VFS of ours), and what is known of its place and of its volume. The files of this folder know
 * no more of the store than this. */
#ifndef STEADYCACHE_SQLITE_FILE_H
#define STEADYCACHE_SQLITE_FILE_H

#include "backends/sqlite/file/file_watch.h"
#include "backends/sqlite/file/mapping.h"
#include "backends/sqlite/file/space.h"
#include "store/backend.h"

/* How long a connection waits for the locks of another process, except the writer's
 * (write_lock.c). */
#define BUSY_TIMEOUT_MS 10000

/* The file in the data directory. */
#define DATABASE_NAME "steadycache.db"
/* "stdy": marks a file as ours in its header. docs/operations.md gives this and the version, as
 * numbers, for the rescue of a damaged file. */
#define APPLICATION_ID      0x73746479
#define SCHEMA_VERSION      3
#define SCHEMA_VERSION_TEXT "3"
/* Files of this version are upgraded (migrate.c). */
#define MIGRATED_SCHEMA_VERSION 2

struct sqlite_file {
	const struct backend_config *config; /* with a clock; lives as long as the file is used */
	char path[4096];
	bool is_read_only;  /* connections change nothing (prepare_to_read) */
	bool is_alone;      /* no other process uses it (folder_lock_take_alone) */
	int lock;           /* if is_alone: the folder's, held all the time */
	uint64_t hash_seed; /* for the hashes of keys; known once the file is prepared */
	struct mapping mapping;
	struct file_watch watch;
	struct space space;
};

#endif
