#include "room.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "checkpoint.h"
#include "readers.h"
#include "store.h"

#define FIRST_MAP_BYTES (UINT64_C(64) << 20)
#define STEP_MIN_BYTES  (UINT64_C(1) << 20)
#define STEP_MAX_BYTES  (UINT64_C(64) << 20)
#define MAP_MAX_BYTES   (UINT64_C(1) << (sizeof(size_t) > 4 ? 46 : 30))
#define REMOVALS_BYTES  (UINT64_C(8) << 20)
#define MAP_UNIT_BYTES  (UINT64_C(1) << 20)

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t in_units(uint64_t bytes)
{
	return (bytes + MAP_UNIT_BYTES - 1) / MAP_UNIT_BYTES * MAP_UNIT_BYTES;
}

/* The largest map; not smaller than what is used. */
static uint64_t map_max(const struct driver *driver, bool adds)
{
	uint64_t spare = adds ? 0 : REMOVALS_BYTES;

	if (driver->limit_bytes >= MAP_MAX_BYTES - spare)
		return MAP_MAX_BYTES;
	return most(driver->limit_bytes + spare, in_units(atomic_load(&driver->used_bytes)));
}

uint64_t lmdb_room_first_map(const struct driver *driver, uint64_t file_bytes)
{
	uint64_t wanted = most(FIRST_MAP_BYTES, file_bytes + file_bytes / 2);

	return in_units(most(least(wanted, driver->limit_bytes), file_bytes));
}

void lmdb_room_measure(struct driver *driver)
{
	MDB_envinfo info;
	struct stat file;

	(void)mdb_env_info(driver->env, &info);
	uint64_t used = ((uint64_t)info.me_last_pgno + 1) * driver->page_bytes;
	/* The last pages may have been given back before they were written. What is shorter than
	 * it was has been cut by somebody else, and stays so. */
	if (used > atomic_load(&driver->used_bytes) && fstat(driver->data_fd, &file) == 0 &&
	    (uint64_t)file.st_size < used && ftruncate(driver->data_fd, (off_t)used) != 0)
		lmdb_store_tell(driver, DRIVER_WARN, "the file of %s cannot get its length: %s",
				driver->path, strerror(errno));
	atomic_store(&driver->used_bytes, used);
}

static bool set_map(struct driver *driver, uint64_t bytes)
{
	lmdb_readers_drop(driver);
	lmdb_checkpoint_stop_pinning(driver);
	int rc = mdb_env_set_mapsize(driver->env, (size_t)bytes);
	if (rc == 0)
		driver->map_bytes = bytes;
	else
		lmdb_store_close_env(driver); /* it has no map now */
	bool is_pinned = lmdb_checkpoint_pin_again(driver);
	if (rc != 0)
		lmdb_store_give_up_env(driver, rc);
	return is_pinned;
}

/* A map of at least `wanted` bytes, if it may be so large. */
static bool grow_to(struct driver *driver, uint64_t wanted, bool adds)
{
	wanted = least(in_units(wanted), map_max(driver, adds));
	return wanted > driver->map_bytes && set_map(driver, wanted);
}

bool lmdb_room_grow(struct driver *driver, bool adds)
{
	return grow_to(driver, driver->map_bytes + driver->map_bytes / 2, adds);
}

/* Free pages in the file: LMDB's own table 0 has, for each commit, a count and a list of those that
 * it no longer needed. The next commit can use those that are older than the last commit and the
 * checkpoint. */
static void count_free(struct driver *driver, uint64_t *ret_all, uint64_t *ret_usable)
{
	MDB_envinfo info;
	MDB_txn *txn;
	MDB_cursor *cursor;
	MDB_val key, data;
	size_t oldest = SIZE_MAX;

	*ret_all = *ret_usable = 0;
	if (mdb_txn_begin(driver->env, NULL, MDB_RDONLY, &txn) != 0)
		return;
	(void)mdb_env_info(driver->env, &info);
	oldest = lmdb_checkpoint_oldest(driver, info.me_last_txnid);
	if (mdb_cursor_open(txn, 0, &cursor) == 0) {
		while (mdb_cursor_get(cursor, &key, &data, MDB_NEXT) == 0) {
			size_t count = 0, id = oldest;

			if (data.mv_size >= sizeof(count))
				memcpy(&count, data.mv_data, sizeof(count));
			if (key.mv_size == sizeof(id))
				memcpy(&id, key.mv_data, sizeof(id));
			*ret_all += count * driver->page_bytes;
			if (id < oldest)
				*ret_usable += count * driver->page_bytes;
		}
		mdb_cursor_close(cursor);
	}
	mdb_txn_abort(txn);
}

/* Whether free pages and what is allocated ahead of the end are enough. */
static bool has_room(struct driver *driver, uint64_t wanted)
{
	uint64_t all, usable;

	for (unsigned i = 0; i < 2; i++) {
		uint64_t used = atomic_load(&driver->used_bytes);
		uint64_t ahead =
			driver->allocated_bytes > used ? driver->allocated_bytes - used : 0;

		count_free(driver, &all, &usable);
		if (usable + ahead >= wanted)
			return true;
		if (all + ahead < wanted || !lmdb_room_reclaim(driver))
			return false;
	}
	return false;
}

/* Lets the disk have room for the file up to `end`. False: it has none. */
static bool allocate(struct driver *driver, uint64_t end)
{
	uint64_t used = atomic_load(&driver->used_bytes);
	int rc;

	do
		rc = fallocate(driver->data_fd, FALLOC_FL_KEEP_SIZE, (off_t)used,
			       (off_t)(end - used));
	while (rc != 0 && errno == EINTR);
	/* A file system that cannot: then only a full disk tells. */
	if (rc != 0 && errno != ENOSPC && errno != EDQUOT)
		end = UINT64_MAX;
	else if (rc != 0)
		return false;
	driver->allocated_bytes = end;
	return true;
}

enum driver_status lmdb_room_make(struct driver *driver, uint64_t needed, bool adds)
{
	uint64_t used = atomic_load(&driver->used_bytes);
	uint64_t end = used + needed + LMDB_RESERVE_BYTES;
	/* Of much, only a part is allocated ahead: what is not needed would remain. */
	uint64_t allocated = least(end, used + STEP_MAX_BYTES);
	uint64_t step = most(STEP_MIN_BYTES, least(STEP_MAX_BYTES, used / 8));

	if (adds && driver->map_bytes > map_max(driver, true))
		(void)set_map(driver, map_max(driver, true));
	else if (end > driver->map_bytes)
		(void)grow_to(driver, most(end, used + used / 2), adds);
	if (!driver->env || !lmdb_checkpoint_is_pinned(driver))
		return DRIVER_UNAVAILABLE;
	if (!adds || allocated <= driver->allocated_bytes || allocate(driver, allocated + step) ||
	    allocate(driver, allocated) || has_room(driver, needed + LMDB_RESERVE_BYTES))
		return DRIVER_OK;
	atomic_store(&driver->trouble, LMDB_DISK_FULL);
	return DRIVER_NO_SPACE;
}

static size_t last_commit(const struct driver *driver)
{
	MDB_envinfo info;

	(void)mdb_env_info(driver->env, &info);
	return info.me_last_txnid;
}

bool lmdb_room_reclaim(struct driver *driver)
{
	if (!driver->env || driver->reclaimed_at == last_commit(driver))
		return false;
	bool is_done = lmdb_checkpoint_take(driver) == 0;
	if (is_done && lmdb_store_commit_nothing(driver) == 0)
		is_done = lmdb_checkpoint_take(driver) == 0;
	driver->reclaimed_at = last_commit(driver);
	return is_done;
}

bool lmdb_room_disk_has_some(const struct driver *driver)
{
	struct statvfs disk;

	return fstatvfs(driver->folder_fd, &disk) != 0 ||
	       (uint64_t)disk.f_bavail * disk.f_frsize >= LMDB_RESERVE_BYTES + STEP_MIN_BYTES;
}
