#include "backends/sqlite/file/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/sqlite/file/fault_guard.h"
#include "backends/sqlite/file/file_watch.h"
#include "backends/sqlite/file/open_files.h"

/* Address space, not memory: reads beyond this much of a file go through the VFS below. */
#define MAPPED_BYTES (INT64_C(1) << 38)
/* What SQLite reads of a file that may still be empty. */
#define HEADER_BYTES 100

/* The database, or its log. */
struct mapped_file {
	sqlite3_file file;
	struct mapping *mapping;
	bool is_database;
	const char *path;     /* SQLite's; lives as long as the file */
	sqlite3_file below[]; /* as large as the VFS below needs it */
};

static sqlite3_file *below(sqlite3_file *file)
{
	return ((struct mapped_file *)(void *)file)->below;
}

static const sqlite3_io_methods *methods_below(sqlite3_file *file)
{
	return below(file)->pMethods;
}

static struct mapping *mapping_of(sqlite3_file *file)
{
	return ((struct mapped_file *)(void *)file)->mapping;
}

/* Counts a failure and returns it. SQLite would mistake the code of a failing disk for a damaged
 * database, so that one is changed. */
static int note(sqlite3_file *file, int code)
{
	if (code == SQLITE_IOERR_CORRUPTFS)
		code = SQLITE_IOERR_READ;
	if (code != SQLITE_OK && code != SQLITE_NOTFOUND && (code & 0xFF) != SQLITE_BUSY)
		(void)atomic_fetch_add(&mapping_of(file)->failures, 1);
	return code;
}

/* ---- The mapped file's own methods ---- */

static int64_t ask_length(struct mapping *mapping)
{
	struct stat status;

	if (fstat(mapping->fd, &status) != 0)
		return 0;
	atomic_store_explicit(&mapping->file_bytes, status.st_size, memory_order_relaxed);
	return status.st_size;
}

static int mapped_fetch(sqlite3_file *file, sqlite3_int64 offset, int len, void **ret)
{
	struct mapping *mapping = mapping_of(file);
	/* Not the last page, neither of the database nor of memory: if the file was cut within that
	 * page, the rest would read as zeros, without a fault. */
	int64_t end = offset + len + (len > mapping->page_bytes ? len : mapping->page_bytes);

	*ret = NULL; /* SQLite then reads the page */
	if (end > MAPPED_BYTES || !mapping->bytes ||
	    atomic_load_explicit(&mapping->is_off, memory_order_relaxed))
		return SQLITE_OK;
	if (end > atomic_load_explicit(&mapping->file_bytes, memory_order_relaxed) &&
	    end > ask_length(mapping))
		return SQLITE_OK;
	*ret = mapping->bytes + offset;
	return SQLITE_OK;
}

static int mapped_unfetch(sqlite3_file *file, sqlite3_int64 offset, void *page)
{
	(void)file;
	(void)offset;
	(void)page;
	return SQLITE_OK;
}

static int mapped_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct mapping *mapping = mapping_of(file);
	int code = note(file, methods_below(file)->xTruncate(below(file), size));

	if (((struct mapped_file *)(void *)file)->is_database)
		(void)ask_length(mapping);
	return code;
}

/* SQLite takes bytes beyond the end of the database for zeros. But it asks only for pages that
 * should exist: so the file was cut. Only a new file may be empty. */
static int mapped_read(sqlite3_file *file, void *bytes, int len, sqlite3_int64 offset)
{
	struct mapping *mapping = mapping_of(file);
	int code = methods_below(file)->xRead(below(file), bytes, len, offset);

	if (code == SQLITE_OK)
		return SQLITE_OK;
	if (code != SQLITE_IOERR_SHORT_READ)
		return note(file, code);
	if (!((struct mapped_file *)(void *)file)->is_database ||
	    (offset < HEADER_BYTES && !atomic_load(&mapping->watch)))
		return code;
	(void)atomic_fetch_add(&mapping->short_reads, 1);
	return SQLITE_IOERR_READ;
}

/* The first connection of a process opens the index, and all of them use it. */
static int mapped_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret)
{
	int code = methods_below(file)->xShmMap(below(file), page, size, extend, ret);
	char path[4096 + 8];

	if ((code & 0xFF) == SQLITE_READONLY) {
		(void)snprintf(path, sizeof(path), "%s-shm",
			       ((struct mapped_file *)(void *)file)->path);
		if (access(path, W_OK) == 0)
			code = SQLITE_CANTOPEN;
	}
	return note(file, code);
}

/* ---- The others, passed on ---- */

static int pass_close(sqlite3_file *file)
{
	return methods_below(file)->xClose(below(file));
}

static int pass_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 offset)
{
	return note(file, methods_below(file)->xWrite(below(file), bytes, len, offset));
}

static int pass_sync(sqlite3_file *file, int flags)
{
	return note(file, methods_below(file)->xSync(below(file), flags));
}

static int pass_file_size(sqlite3_file *file, sqlite3_int64 *ret)
{
	return note(file, methods_below(file)->xFileSize(below(file), ret));
}

static int pass_lock(sqlite3_file *file, int level)
{
	return methods_below(file)->xLock(below(file), level);
}

static int pass_unlock(sqlite3_file *file, int level)
{
	return methods_below(file)->xUnlock(below(file), level);
}

static int pass_check_reserved_lock(sqlite3_file *file, int *ret)
{
	return methods_below(file)->xCheckReservedLock(below(file), ret);
}

static int pass_file_control(sqlite3_file *file, int what, void *argument)
{
	/* The VFS below must not map the file too. */
	if (what == SQLITE_FCNTL_MMAP_SIZE)
		return SQLITE_OK;
	return methods_below(file)->xFileControl(below(file), what, argument);
}

static int pass_sector_size(sqlite3_file *file)
{
	return methods_below(file)->xSectorSize(below(file));
}

static int pass_device_characteristics(sqlite3_file *file)
{
	return methods_below(file)->xDeviceCharacteristics(below(file));
}

static int pass_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
	return methods_below(file)->xShmLock(below(file), offset, n, flags);
}

static void pass_shm_barrier(sqlite3_file *file)
{
	methods_below(file)->xShmBarrier(below(file));
}

static int pass_shm_unmap(sqlite3_file *file, int delete)
{
	return methods_below(file)->xShmUnmap(below(file), delete);
}

static const sqlite3_io_methods mapped_methods = {
	.iVersion = 3,
	.xClose = pass_close,
	.xRead = mapped_read,
	.xWrite = pass_write,
	.xTruncate = mapped_truncate,
	.xSync = pass_sync,
	.xFileSize = pass_file_size,
	.xLock = pass_lock,
	.xUnlock = pass_unlock,
	.xCheckReservedLock = pass_check_reserved_lock,
	.xFileControl = pass_file_control,
	.xSectorSize = pass_sector_size,
	.xDeviceCharacteristics = pass_device_characteristics,
	.xShmMap = mapped_shm_map,
	.xShmLock = pass_shm_lock,
	.xShmBarrier = pass_shm_barrier,
	.xShmUnmap = pass_shm_unmap,
	.xFetch = mapped_fetch,
	.xUnfetch = mapped_unfetch,
};

/* ---- The VFS ---- */

/* Whether the opened file is the wanted one: a writable file was not opened read-only, and nobody
 * has put another one in its place. */
static bool is_as_wanted(const struct mapping *mapping, const char *name, sqlite3_file *opened,
			 int wanted, int got)
{
	const struct file_watch *watch = atomic_load(&mapping->watch);
	int has_moved = 0;

	if ((wanted & SQLITE_OPEN_READWRITE) && (got & SQLITE_OPEN_READONLY) &&
	    access(name, W_OK) == 0)
		return false;
	if (!watch)
		return true;
	/* The opened file is at its path, and the file at that path is ours. */
	(void)opened->pMethods->xFileControl(opened, SQLITE_FCNTL_HAS_MOVED, &has_moved);
	return !has_moved && file_watch_allows(watch, name);
}

/* The database and its log get our methods over those of the VFS below; all other files are its
 * own. */
static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
		    int *ret_flags)
{
	struct mapping *mapping = (struct mapping *)(void *)vfs;
	struct mapped_file *mapped = (struct mapped_file *)(void *)file;
	int got = 0;

	file->pMethods = NULL;
	if (!(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)))
		return mapping->below->xOpen(mapping->below, name, file, flags, ret_flags);
	if (atomic_load(&mapping->watch))
		flags &= ~SQLITE_OPEN_CREATE;
	mapped->mapping = mapping;
	mapped->is_database = (flags & SQLITE_OPEN_MAIN_DB) != 0;
	mapped->path = name;
	int code = mapping->below->xOpen(mapping->below, name, mapped->below, flags, &got);
	if (code == SQLITE_OK && !is_as_wanted(mapping, name, mapped->below, flags, got)) {
		(void)mapped->below->pMethods->xClose(mapped->below);
		code = SQLITE_CANTOPEN;
	} else if (mapped->below->pMethods) {
		file->pMethods = &mapped_methods;
	}
	if (code != SQLITE_OK)
		(void)atomic_fetch_add(&mapping->failures, 1);
	else if (ret_flags)
		*ret_flags = got;
	return code;
}

bool mapping_open(struct mapping *mapping, const char *below_name)
{
	sqlite3_vfs *below_vfs = sqlite3_vfs_find(below_name);

	*mapping = (struct mapping){
		.below = below_vfs,
		.fd = -1,
		.page_bytes = (int)sysconf(_SC_PAGESIZE),
	};
	if (!below_vfs)
		return false;
	/* Everything but opening is done by the VFS below, with its pAppData. */
	mapping->vfs = *below_vfs;
	mapping->vfs.xOpen = vfs_open;
	(void)snprintf(mapping->name, sizeof(mapping->name), "mapped-%p", (void *)mapping);
	mapping->vfs.zName = mapping->name;
	mapping->vfs.szOsFile += (int)sizeof(struct mapped_file);
	mapping->vfs.pNext = NULL;
	return sqlite3_vfs_register(&mapping->vfs, 0) == SQLITE_OK;
}

int mapping_map(struct mapping *mapping, const char *path, int *ret_refused)
{
	*ret_refused = 0;
	mapping->file = open_files_add(path);
	if (!mapping->file)
		return errno;
	mapping->fd = open_files_fd(mapping->file);
	void *bytes = mmap(NULL, (size_t)MAPPED_BYTES, PROT_READ, MAP_SHARED | MAP_NORESERVE,
			   mapping->fd, 0);
	if (bytes == MAP_FAILED) {
		*ret_refused = errno;
		return 0;
	}
	if (!fault_guard_add(bytes, (size_t)MAPPED_BYTES, &mapping->faults, &mapping->is_off)) {
		*ret_refused = ENOMEM;
		(void)munmap(bytes, (size_t)MAPPED_BYTES);
		return 0;
	}
	mapping->bytes = bytes;
	(void)ask_length(mapping);
	return 0;
}

void mapping_close(struct mapping *mapping)
{
	if (mapping->vfs.zName)
		(void)sqlite3_vfs_unregister(&mapping->vfs);
	if (mapping->bytes) {
		fault_guard_remove(mapping->bytes);
		(void)munmap(mapping->bytes, (size_t)MAPPED_BYTES);
	}
	open_files_remove(mapping->file);
	*mapping = (struct mapping){.fd = -1};
}
