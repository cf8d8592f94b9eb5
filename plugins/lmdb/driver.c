/* A driver over LMDB (state.h has the map of its files). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "checkpoint.h"
#include "readers.h"
#include "records.h"
#include "room.h"
#include "settings.h"
#include "store.h"

/* ---- Open and close ---- */

static struct driver *create(const struct driver_config *config,
			     const struct lmdb_settings *settings)
{
	struct driver *driver = calloc(1, sizeof(*driver));
	pthread_condattr_t monotonic;

	if (!driver)
		return NULL;
	driver->folder_fd = -1;
	driver->checkpoint.fd = -1;
	driver->durability = config->durability;
	driver->notice = config->notice;
	driver->notice_user = config->notice_user;
	driver->limit_bytes = settings->max_size_bytes;
	(void)pthread_mutex_init(&driver->readers.lock, NULL);
	(void)pthread_mutex_init(&driver->checkpoint.turn, NULL);
	(void)pthread_mutex_init(&driver->checkpoint.lock, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&driver->checkpoint.change, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	return driver;
}

/* NULL is allowed for all that is not open. */
static void destroy(struct driver *driver)
{
	lmdb_store_close_env(driver);
	lmdb_checkpoint_close(driver);
	lmdb_store_unlock(driver);
	(void)pthread_mutex_destroy(&driver->readers.lock);
	(void)pthread_mutex_destroy(&driver->checkpoint.turn);
	(void)pthread_mutex_destroy(&driver->checkpoint.lock);
	(void)pthread_cond_destroy(&driver->checkpoint.change);
	free(driver->path);
	free(driver);
}

static enum driver_status open_store(struct driver *driver, char *error, size_t error_size)
{
	enum driver_status status = lmdb_store_open_env(driver, error, error_size);

	if (status != DRIVER_OK)
		return status;
	int rc = lmdb_checkpoint_start(driver);
	if (rc == 0)
		return DRIVER_OK;
	(void)snprintf(error, error_size, "lmdb: cannot sync %s: %s", driver->path,
		       mdb_strerror(rc));
	lmdb_checkpoint_stop(driver, false);
	lmdb_store_close_env(driver);
	return lmdb_store_status(rc);
}

static enum driver_status lmdb_open(const struct driver_config *config, struct driver **ret,
				    char *error, size_t error_size)
{
	struct lmdb_settings settings;

	if (!lmdb_settings_read(config->settings, &settings, error, error_size))
		return DRIVER_UNAVAILABLE;
	if (!config->data_dir) {
		(void)snprintf(error, error_size, "lmdb: it needs a data directory");
		return DRIVER_UNAVAILABLE;
	}
	struct driver *driver = create(config, &settings);
	if (!driver) {
		(void)snprintf(error, error_size, "lmdb: out of memory");
		return DRIVER_NO_MEMORY;
	}
	enum driver_status status = lmdb_store_lock(driver, config->data_dir, error, error_size);
	if (status == DRIVER_OK)
		status = lmdb_checkpoint_prepare(driver, error, error_size);
	if (status == DRIVER_OK)
		status = open_store(driver, error, error_size);
	if (status == DRIVER_OK)
		*ret = driver;
	else
		destroy(driver);
	return status;
}

static void lmdb_close(struct driver *driver)
{
	if (driver->env) {
		lmdb_readers_drop(driver);
		lmdb_checkpoint_stop(driver, true);
	}
	destroy(driver);
}

/* ---- Reads ---- */

static enum driver_status lmdb_load(struct driver *driver, driver_visit *visit, void *user)
{
	struct lmdb_tables tables;
	uint64_t unreadable = 0;
	bool stopped = false;
	int rc = lmdb_readers_take(driver, &tables);

	if (rc != 0)
		return lmdb_store_status(rc);
	rc = lmdb_records_visit(driver, &tables, visit, user, &stopped, &unreadable);
	lmdb_readers_give(driver, &tables);
	if (unreadable > 0)
		lmdb_store_tell(driver, DRIVER_WARN,
				"%llu records of %s cannot be read and are left out",
				(unsigned long long)unreadable, driver->path);
	return stopped ? DRIVER_STOPPED : lmdb_store_status(rc);
}

static enum driver_status lmdb_get(struct driver *driver, struct slice ns, struct slice key,
				   char *room, uint64_t len)
{
	struct lmdb_tables tables;

	if (!driver->env)
		return DRIVER_UNAVAILABLE;
	int rc = lmdb_readers_take(driver, &tables);
	if (rc != 0)
		return lmdb_store_status(rc);
	rc = lmdb_records_get(driver, &tables, ns, key, room, len);
	lmdb_readers_give(driver, &tables);
	return lmdb_store_status(rc);
}

/* ---- Changes ---- */

/* One transaction; its number in *ret_id. */
static int write_once(struct driver *driver, const struct driver_change *changes, size_t count,
		      size_t *ret_id)
{
	struct lmdb_tables tables;
	MDB_txn *txn;
	int rc = mdb_txn_begin(driver->env, NULL, 0, &txn);

	if (rc != 0)
		return rc;
	*ret_id = mdb_txn_id(txn);
	rc = lmdb_store_open_tables(driver, txn, &tables);
	if (rc == 0) {
		for (size_t i = 0; rc == 0 && i < count; i++)
			rc = lmdb_records_change(driver, &tables, &changes[i]);
		lmdb_store_close_tables(&tables);
	}
	if (rc == 0)
		return lmdb_checkpoint_commit(driver, txn);
	mdb_txn_abort(txn);
	return rc;
}

/* After a failed commit: whether LMDB refuses all further changes, since it could not write the
 * file's first pages. */
static bool is_broken(struct driver *driver)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(driver->env, NULL, 0, &txn);

	if (rc == 0)
		mdb_txn_abort(txn);
	return rc == MDB_PANIC;
}

static enum driver_status prepare_to_write(struct driver *driver)
{
	char error[1024];

	if (atomic_load(&driver->trouble) == LMDB_SYNC_FAILED)
		return DRIVER_UNAVAILABLE;
	if (!driver->env) {
		enum driver_status status = open_store(driver, error, sizeof(error));

		if (status != DRIVER_OK)
			return status;
		atomic_store(&driver->trouble, LMDB_NO_TROUBLE);
	}
	/* Nobody would ever see what is stored in a file that was removed. */
	return lmdb_store_is_in_place(driver) && lmdb_checkpoint_allows(driver)
		       ? DRIVER_OK
		       : DRIVER_UNAVAILABLE;
}

static int write_with_room(struct driver *driver, const struct driver_change *changes, size_t count,
			   bool adds, size_t *ret_id)
{
	int rc = write_once(driver, changes, count, ret_id);

	while (rc == MDB_MAP_FULL && lmdb_room_grow(driver, true))
		rc = write_once(driver, changes, count, ret_id);
	if ((rc == MDB_MAP_FULL || rc == ENOSPC) && lmdb_room_reclaim(driver))
		rc = write_once(driver, changes, count, ret_id);
	if (rc == MDB_MAP_FULL && !adds && driver->env && lmdb_room_grow(driver, false))
		rc = write_once(driver, changes, count, ret_id);
	return rc;
}

/* After a write of the file's first pages that failed with `rc`: whether transaction `id` was made
 * can be seen once the environment was opened again. */
static enum driver_status find_out(struct driver *driver, int rc, size_t id)
{
	MDB_envinfo info;

	lmdb_store_give_up_env(driver, rc);
	if (prepare_to_write(driver) != DRIVER_OK)
		return DRIVER_UNKNOWN;
	(void)mdb_env_info(driver->env, &info);
	return info.me_last_txnid >= id ? DRIVER_OK : DRIVER_UNAVAILABLE;
}

/* What the changes are about: whether they add anything, whether they are more than uses, and the
 * bytes that they take. */
static void survey(const struct driver *driver, const struct driver_change *changes, size_t count,
		   bool *ret_adds, bool *ret_matters, uint64_t *ret_bytes)
{
	uint64_t pages = 0;

	*ret_adds = *ret_matters = false;
	for (size_t i = 0; i < count; i++) {
		pages += lmdb_records_pages(driver, &changes[i]);
		*ret_adds |= changes[i].kind == DRIVER_PUT;
		*ret_matters |= changes[i].kind != DRIVER_USE;
	}
	*ret_bytes = pages * driver->page_bytes;
}

/* A full store says so until changes are made that matter. */
static void note_room(struct driver *driver, int rc, bool matters)
{
	if (atomic_load(&driver->trouble) == LMDB_SYNC_FAILED)
		return;
	if (rc == 0 && matters)
		atomic_store(&driver->trouble, LMDB_NO_TROUBLE);
	else if (rc == MDB_MAP_FULL)
		atomic_store(&driver->trouble, LMDB_LIMIT_REACHED);
	else if (rc == ENOSPC)
		atomic_store(&driver->trouble, LMDB_DISK_FULL);
}

static enum driver_status lmdb_apply(struct driver *driver, const struct driver_change *changes,
				     size_t count)
{
	uint64_t bytes;
	size_t id = 0;
	bool adds, matters;
	enum driver_status status = prepare_to_write(driver);

	survey(driver, changes, count, &adds, &matters, &bytes);
	if (status == DRIVER_OK)
		status = lmdb_room_make(driver, bytes, adds);
	if (status != DRIVER_OK)
		return status;
	int rc = write_with_room(driver, changes, count, adds, &id);
	if (!driver->env)
		return DRIVER_UNAVAILABLE;
	if (rc != 0 && is_broken(driver))
		return find_out(driver, rc, id);
	note_room(driver, rc, matters);
	if (rc == 0 && matters && driver->durability == DRIVER_SURVIVES_POWER &&
	    lmdb_checkpoint_take(driver) != 0)
		return DRIVER_UNKNOWN;
	return lmdb_store_status(rc);
}

/* ---- The rest ---- */

static enum driver_status lmdb_check(struct driver *driver, char *detail, size_t detail_size)
{
	char path[LMDB_PATH_SIZE];
	struct statvfs disk;
	struct stat opened;
	int trouble = atomic_load(&driver->trouble);

	lmdb_store_path(driver, "data.mdb", path);
	if (trouble == LMDB_BROKEN || trouble == LMDB_SYNC_FAILED) {
		(void)snprintf(detail, detail_size,
			       trouble == LMDB_BROKEN
				       ? "lmdb: a write to %s failed: check the disk"
				       : "lmdb: %s cannot be synced: check the disk, and start the "
					 "server again",
			       driver->path);
		return DRIVER_UNAVAILABLE;
	}
	if (!lmdb_store_is_in_place(driver)) {
		(void)snprintf(detail, detail_size,
			       "lmdb: %s was removed or replaced: start the server again", path);
		return DRIVER_UNAVAILABLE;
	}
	if (fstat(driver->data_fd, &opened) == 0 &&
	    (uint64_t)opened.st_size < atomic_load(&driver->used_bytes)) {
		(void)snprintf(detail, detail_size,
			       "lmdb: %s was cut: stop the server and restore a backup", path);
		return DRIVER_CORRUPT;
	}
	if (fstatvfs(driver->folder_fd, &disk) == 0 && disk.f_flag & ST_RDONLY) {
		(void)snprintf(detail, detail_size, "lmdb: %s is on a read-only file system",
			       driver->path);
		return DRIVER_READ_ONLY;
	}
	if (trouble == LMDB_LIMIT_REACHED ||
	    (trouble == LMDB_DISK_FULL && !lmdb_room_disk_has_some(driver))) {
		(void)snprintf(detail, detail_size,
			       trouble == LMDB_DISK_FULL
				       ? "lmdb: the disk of %s is full"
				       : "lmdb: %s has reached max_size_mb: raise it, or remove "
					 "entries",
			       driver->path);
		return DRIVER_NO_SPACE;
	}
	return DRIVER_OK;
}

static enum driver_status lmdb_sync(struct driver *driver)
{
	return driver->env ? lmdb_store_status(lmdb_checkpoint_take(driver)) : DRIVER_UNAVAILABLE;
}

static const struct driver_ops lmdb_driver_ops = {
	.abi = DRIVER_ABI,
	.can = DRIVER_BLOCKS | DRIVER_PERSISTS | DRIVER_WANTS_DIR,
	.size = sizeof(struct driver_ops),
	.name = "lmdb",
	.open = lmdb_open,
	.load = lmdb_load,
	.get = lmdb_get,
	.apply = lmdb_apply,
	.check = lmdb_check,
	.sync = lmdb_sync,
	.close = lmdb_close,
};

const struct driver_ops *steadycache_driver(unsigned abi)
{
	(void)abi;
	return &lmdb_driver_ops;
}
