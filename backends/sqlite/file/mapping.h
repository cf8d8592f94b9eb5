/* The VFS that all connections of a store use, over another one that does the work.
 *
 * It reads the database through one permanent mapping. SQLite's own memory-mapped I/O unmaps the
 * whole file after every commit, because the file may have another size then; with many commits a
 * second its readers spend most of their time on page faults. Here the file is mapped once, for far
 * more than its length: appended data show up in the mapping by themselves, and a page is handed
 * out only if it is within the file.
 *
 * It also tells faults of the disk and of other programs from damage:
 *
 * - If a writable file could be opened read-only, the cause was a temporary error (no descriptor
 *   was left); the connection is refused, because it would refuse all writes.
 * - A read of the database that ends early is an error, not zeros: the file was cut.
 * - Failed calls are counted, so that a reader of the database can tell whether it read everything.
 * - A mapped page that cannot be read raises SIGBUS (fault_guard.h): it is counted too, replaced by
 *   zeros, and no further page is handed out. A reader must check mapping_is_intact() before it
 *   trusts what it read.
 * - Once the store is open, no connection creates a file, or opens another than the first did. */
#ifndef STEADYCACHE_SQLITE_MAPPING_H
#define STEADYCACHE_SQLITE_MAPPING_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct file_watch;
struct open_file;

struct mapping {
	sqlite3_vfs vfs; /* first, because SQLite passes it back */
	char name[32];
	sqlite3_vfs *below;
	struct open_file *file; /* open as long as any connection: closing it drops their locks */
	int fd;                 /* its */
	char *bytes;            /* NULL: nothing is mapped, and reads go through the VFS below */
	int page_bytes;         /* of memory */
	_Atomic int64_t file_bytes; /* length of the file at the last query */
	atomic_uint faults;         /* mapped pages that could not be read */
	atomic_bool is_off;         /* since the first fault: reads go through the VFS below */
	/* Since the VFS was made: */
	atomic_uint failures;    /* failed calls of the VFS below, without locks */
	atomic_uint short_reads; /* of the database, beyond its end */
	/* The files that connections may open. NULL while the store is being opened: any file, and
	 * missing ones are created. */
	_Atomic(const struct file_watch *) watch;
};

/* Registers a VFS over the one called `below` (NULL: the default). False: no such VFS. */
bool mapping_open(struct mapping *mapping, const char *below);
/* Maps the existing database at `path`. Call it without any connection of the store; of the rest of
 * the process only other stores may have the file open. 0, or an error number: the file cannot be
 * opened. If only the mapping is refused, *ret_refused is that error number, and everything works
 * without it. */
int mapping_map(struct mapping *mapping, const char *path, int *ret_refused);
/* Call it after the last connection is closed. A zeroed mapping is allowed. */
void mapping_close(struct mapping *mapping);

/* How often a mapped page could not be read; call it before reading. */
static inline unsigned mapping_faults(const struct mapping *mapping)
{
	return atomic_load_explicit(&mapping->faults, memory_order_relaxed);
}

/* Whether everything that this thread read since it called mapping_faults() was in the file: no
 * fault since, and the file still ends where it did. (If it was cut, the access to its last byte is
 * such a fault; and the last page itself is never handed out.) */
static inline bool mapping_is_intact(const struct mapping *mapping, unsigned faults)
{
	int64_t file_bytes = atomic_load_explicit(&mapping->file_bytes, memory_order_relaxed);

	if (mapping->bytes && file_bytes > 0 &&
	    !atomic_load_explicit(&mapping->is_off, memory_order_relaxed))
		(void)*(const volatile char *)(mapping->bytes + file_bytes - 1);
	return mapping_faults(mapping) == faults;
}

#endif
