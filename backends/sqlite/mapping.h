/* A VFS that reads the database through one mapping that stays.
 *
 * SQLite's own memory-mapped I/O unmaps the whole file whenever somebody has committed, because the
 * file may have another size then; with commits many times a second its readers do little but take
 * page faults. Here the file is mapped once, for far more than its length: what is appended later
 * shows up in the mapping by itself, and a page is handed out only if it lies within the file. All
 * else is left to the VFS below. */
#ifndef STEADYCACHE_SQLITE_MAPPING_H
#define STEADYCACHE_SQLITE_MAPPING_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct mapping {
	sqlite3_vfs vfs; /* first: SQLite hands it back */
	char name[32];
	sqlite3_vfs *below;
	int fd;      /* open as long as any connection: closing it drops their locks */
	char *bytes; /* NULL: nothing is mapped, reads go through the VFS below */
	_Atomic int64_t file_bytes; /* length of the file when last asked */
};

/* Maps the database at `path`, which exists, and registers a VFS over the one called `below` (NULL:
 * the default). To be called before the first connection; no other part of the process may have
 * the file open. False: there is no such VFS. Where only the mapping fails, all works without it.
 */
bool mapping_open(struct mapping *mapping, const char *path, const char *below);
/* After the last connection is closed. Fine on a zeroed mapping. */
void mapping_close(struct mapping *mapping);

#endif
