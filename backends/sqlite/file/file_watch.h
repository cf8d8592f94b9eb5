/* The files that a store has open, and whether they still are those at their paths.
 *
 * A program that removes, replaces or cuts them does not affect the descriptors of this process,
 * which would go on to write what nobody finds again; and another process would create new files
 * beside them. So they are checked before each commit and four times a second. What is found is
 * reported once. */
#ifndef STEADYCACHE_SQLITE_FILE_WATCH_H
#define STEADYCACHE_SQLITE_FILE_WATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sqlite_file;

enum file_state {
	FILES_IN_PLACE,
	FILES_GONE,     /* one of them is not at its path any more */
	FILES_REPLACED, /* another file is at its path */
	FILES_CUT,      /* the database or its log was truncated */
};

enum watched_file { WATCHED_DATABASE, WATCHED_LOG, WATCHED_INDEX, WATCHED_FILES };

struct file_watch {
	struct {
		char path[4096 + 8];
		dev_t device;
		ino_t inode;
	} files[WATCHED_FILES];
	_Atomic int64_t database_bytes; /* its length at the last check */
	_Atomic int state;              /* enum file_state */
	_Atomic int cut; /* enum watched_file, or -1: permanent, because nothing comes back */
};

/* Notes the files, which the connections of this process have opened. False with the path of a
 * missing one: *ret_missing. */
bool file_watch_begin(struct file_watch *watch, const char *database_path,
		      const char **ret_missing);

/* Checks the paths; reports changes since the last check to the store's owner. Any thread. */
enum file_state file_watch_look(struct sqlite_file *file);
/* Checks that the log still has the frames in its index (a header as wal_index.h reads it);
 * otherwise it was cut. With the write lock of the file, so that nobody empties it meanwhile. */
void file_watch_check_log(struct sqlite_file *file, uint32_t frames);
/* Somebody found the database cut. Any thread. */
void file_watch_note_cut(struct sqlite_file *file);

/* The result of the last check. Any thread. */
static inline enum file_state file_watch_state(const struct file_watch *watch)
{
	return (enum file_state)atomic_load_explicit(&watch->state, memory_order_relaxed);
}

/* Whether no other index has appeared beside that of this process, with its own locks. */
bool file_watch_shares_index(const struct file_watch *watch);

/* A sentence for clients, of at most 119 bytes; static storage. */
const char *file_watch_text(enum file_state state);

/* Whether the file at `path` is the one that was noted, if it is one of the watched files at
 * all. */
bool file_watch_allows(const struct file_watch *watch, const char *path);

#endif
