#include "backends/sqlite/mapping.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Address space, not memory: beyond this much of a file, reads go through the VFS below. */
#define MAPPED_BYTES (INT64_C(1) << 38)

struct mapped_file {
	sqlite3_file file;
	struct mapping *mapping;
	sqlite3_file below[]; /* as large as the VFS below wants it */
};

static sqlite3_file *below(sqlite3_file *file)
{
	return ((struct mapped_file *)(void *)file)->below;
}

static const sqlite3_io_methods *methods_below(sqlite3_file *file)
{
	return below(file)->pMethods;
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
	struct mapping *mapping = ((struct mapped_file *)(void *)file)->mapping;
	int64_t end = offset + len;

	*ret = NULL; /* SQLite then reads the page */
	if (end > MAPPED_BYTES)
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
	struct mapping *mapping = ((struct mapped_file *)(void *)file)->mapping;
	int code = methods_below(file)->xTruncate(below(file), size);

	(void)ask_length(mapping);
	return code;
}

/* ---- The others, passed on ---- */

static int pass_close(sqlite3_file *file)
{
	return methods_below(file)->xClose(below(file));
}

static int pass_read(sqlite3_file *file, void *bytes, int len, sqlite3_int64 offset)
{
	return methods_below(file)->xRead(below(file), bytes, len, offset);
}

static int pass_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 offset)
{
	return methods_below(file)->xWrite(below(file), bytes, len, offset);
}

static int pass_sync(sqlite3_file *file, int flags)
{
	return methods_below(file)->xSync(below(file), flags);
}

static int pass_file_size(sqlite3_file *file, sqlite3_int64 *ret)
{
	return methods_below(file)->xFileSize(below(file), ret);
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

static int pass_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret)
{
	return methods_below(file)->xShmMap(below(file), page, size, extend, ret);
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
	.xRead = pass_read,
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
	.xShmMap = pass_shm_map,
	.xShmLock = pass_shm_lock,
	.xShmBarrier = pass_shm_barrier,
	.xShmUnmap = pass_shm_unmap,
	.xFetch = mapped_fetch,
	.xUnfetch = mapped_unfetch,
};

/* ---- The VFS ---- */

/* The database gets our methods over those of the VFS below; its log and all others are opened by
 * the VFS below in our place. */
static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
		    int *ret_flags)
{
	struct mapping *mapping = (struct mapping *)(void *)vfs;
	struct mapped_file *mapped = (struct mapped_file *)(void *)file;

	file->pMethods = NULL;
	if (!(flags & SQLITE_OPEN_MAIN_DB) || !mapping->bytes)
		return mapping->below->xOpen(mapping->below, name, file, flags, ret_flags);
	mapped->mapping = mapping;
	int code = mapping->below->xOpen(mapping->below, name, mapped->below, flags, ret_flags);
	if (mapped->below->pMethods)
		file->pMethods = &mapped_methods;
	return code;
}

static bool map_file(struct mapping *mapping, const char *path)
{
	mapping->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (mapping->fd < 0)
		return false;
	void *bytes = mmap(NULL, (size_t)MAPPED_BYTES, PROT_READ, MAP_SHARED | MAP_NORESERVE,
			   mapping->fd, 0);
	if (bytes == MAP_FAILED)
		return false;
	mapping->bytes = bytes;
	(void)ask_length(mapping);
	return true;
}

bool mapping_open(struct mapping *mapping, const char *path, const char *below_name)
{
	sqlite3_vfs *below_vfs = sqlite3_vfs_find(below_name);

	*mapping = (struct mapping){.below = below_vfs, .fd = -1};
	if (!below_vfs)
		return false;
	(void)map_file(mapping, path);
	/* All but opening is the business of the VFS below, whose pAppData come along. */
	mapping->vfs = *below_vfs;
	mapping->vfs.xOpen = vfs_open;
	(void)snprintf(mapping->name, sizeof(mapping->name), "mapped-%p", (void *)mapping);
	mapping->vfs.zName = mapping->name;
	mapping->vfs.szOsFile += (int)sizeof(struct mapped_file);
	mapping->vfs.pNext = NULL;
	return sqlite3_vfs_register(&mapping->vfs, 0) == SQLITE_OK;
}

void mapping_close(struct mapping *mapping)
{
	if (mapping->vfs.zName)
		(void)sqlite3_vfs_unregister(&mapping->vfs);
	if (mapping->bytes)
		(void)munmap(mapping->bytes, (size_t)MAPPED_BYTES);
	if (mapping->below && mapping->fd >= 0)
		(void)close(mapping->fd);
	*mapping = (struct mapping){.fd = -1};
}
