/* The VFS that all connections of a store use, over another one that does the work.
 *
 * It reads the database through one mapping that stays. SQLite's own memory-mapped I/O unmaps the
 * whole file whenever somebody has committed, because the file may have another size then; with
 * commits many times a second its readers do little but take page faults. Here the file is mapped
 * once, for far more than its length: what is appended later shows up in the mapping by itself, and
 * a page is handed out only if it lies within the file.
 *
 * And it is where faults of the disk and of other programs are told apart from damage:
 *
 *   A file that could be opened for reading only, although it may be written, was met by a passing
 *   error (no descriptor was left); the connection is refused, as it would refuse all writes.
 *   A read of the database that ends early is an error, not zeros: the file was cut.
 *   Calls that failed are counted, so that who reads a database can tell whether he read it all.
 *   A mapped page that cannot be read raises SIGBUS (fault_guard.h): counted too, zeros in its
 *   place, and no page is handed out any more. Who read must ask mapping_is_intact() before he
 *   believes what he read.
 *   Once the store is open, no connection makes a file, or opens another than the first did. */
#ifndef STEADYCACHE_SQLITE_MAPPING_H
#define STEADYCACHE_SQLITE_MAPPING_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct file_watch;

struct mapping {
	sqlite3_vfs vfs; /* first: SQLite hands it back */
	char name[32];
	sqlite3_vfs *below;
	int fd;         /* open as long as any connection: closing it drops their locks */
	char *bytes;    /* NULL: nothing is mapped, reads go through the VFS below */
	int page_bytes; /* of memory */
	_Atomic int64_t file_bytes; /* length of the file when last asked */
	atomic_uint faults;         /* mapped pages that could not be read */
	atomic_bool is_off;         /* since the first of them: reads go through the VFS below */
	/* Since the VFS was made: */
	atomic_uint failures;    /* calls of the VFS below that failed, locks not counted */
	atomic_uint short_reads; /* of the database, beyond its end */
	/* The files that connections may open; NULL while the store is being opened: any, and they
	 * are made where they are missing. */
	_Atomic(const struct file_watch *) watch;
};

/* Registers a VFS over the one called `below` (NULL: the default). False: there is no such VFS. */
bool mapping_open(struct mapping *mapping, const char *below);
/* Maps the database at `path`, which exists. To be called without any connection; no other part of
 * the process may have the file open. 0, or an error number: the file cannot be opened. Where only
 * the mapping is refused, *ret_refused holds that error number, and all works without it. */
int mapping_map(struct mapping *mapping, const char *path, int *ret_refused);
/* After the last connection is closed. Fine on a zeroed mapping. */
void mapping_close(struct mapping *mapping);

/* How often a mapped page could not be read, to be asked before reading. */
static inline unsigned mapping_faults(const struct mapping *mapping)
{
	return atomic_load_explicit(&mapping->faults, memory_order_relaxed);
}

/* Whether all that was read since `faults` was asked, by this thread, was in the file: no fault
 * since, and the file still ends where it did. (Where it was cut, the touch of its last byte is
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
