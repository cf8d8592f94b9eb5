#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint.h"
#include "pieces.h"
#include "readers.h"
#include "room.h"

#define FORMAT      "steadycache-lmdb 1"
#define FORMAT_NAME "steadycache-lmdb "
#define READERS_MAX 512
#define KEY_BYTES   511

void lmdb_store_path(const struct driver *driver, const char *name, char ret[LMDB_PATH_SIZE])
{
	(void)snprintf(ret, LMDB_PATH_SIZE, "%s/%s", driver->path, name);
}

void lmdb_store_tell(const struct driver *driver, enum driver_notice level, const char *format, ...)
{
	char sentence[1024] = "lmdb: ";
	va_list args;

	va_start(args, format);
	(void)vsnprintf(sentence + 6, sizeof(sentence) - 6, format, args);
	va_end(args);
	driver->notice(driver->notice_user, level, sentence);
}

enum driver_status lmdb_store_status(int rc)
{
	switch (rc) {
	case 0:
		return DRIVER_OK;
	case MDB_NOTFOUND:
		return DRIVER_NOT_FOUND;
	case ENOMEM:
		return DRIVER_NO_MEMORY;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
	case MDB_MAP_FULL:
		return DRIVER_NO_SPACE;
	case EROFS:
	case EACCES:
	case EPERM:
		return DRIVER_READ_ONLY;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_INCOMPATIBLE:
		return DRIVER_CORRUPT;
	case MDB_BAD_VALSIZE:
	case MDB_TXN_FULL:
		return DRIVER_TOO_LARGE;
	default:
		return DRIVER_UNAVAILABLE;
	}
}

/* ---- The folder ---- */

enum driver_status lmdb_store_lock(struct driver *driver, const char *data_dir, char *error,
				   size_t error_size)
{
	if (asprintf(&driver->path, "%s/lmdb", data_dir) < 0) {
		driver->path = NULL;
		(void)snprintf(error, error_size, "lmdb: out of memory");
		return DRIVER_NO_MEMORY;
	}
	if (mkdir(driver->path, 0700) == 0 || errno == EEXIST)
		driver->folder_fd = open(driver->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (driver->folder_fd < 0) {
		int code = errno;

		(void)snprintf(error, error_size, "lmdb: cannot open the folder %s: %s",
			       driver->path, strerror(code));
		return lmdb_store_status(code);
	}
	if (flock(driver->folder_fd, LOCK_EX | LOCK_NB) == 0)
		return DRIVER_OK;
	(void)snprintf(error, error_size,
		       errno == EWOULDBLOCK ? "lmdb: %s is in use by another server"
					    : "lmdb: the folder %s cannot be locked",
		       driver->path);
	return DRIVER_UNAVAILABLE;
}

void lmdb_store_unlock(struct driver *driver)
{
	if (driver->folder_fd < 0)
		return;
	/* Children of the process that were made meanwhile have it open, too. */
	(void)flock(driver->folder_fd, LOCK_UN);
	(void)close(driver->folder_fd);
	driver->folder_fd = -1;
}

/* ---- The environment ---- */

int lmdb_store_open_tables(const struct driver *driver, MDB_txn *txn, struct lmdb_tables *ret)
{
	int rc = mdb_cursor_open(txn, driver->records, &ret->records);

	if (rc != 0)
		return rc;
	rc = mdb_cursor_open(txn, driver->pieces, &ret->pieces);
	if (rc != 0)
		mdb_cursor_close(ret->records);
	else
		ret->txn = txn;
	return rc;
}

void lmdb_store_close_tables(struct lmdb_tables *tables)
{
	mdb_cursor_close(tables->records);
	mdb_cursor_close(tables->pieces);
}

static MDB_val text(const char *bytes)
{
	return (MDB_val){strlen(bytes), (void *)(uintptr_t)bytes};
}

/* Of a new file. */
static int write_format(struct driver *driver, MDB_txn *txn, MDB_dbi main_table)
{
	MDB_val key = text("format"), data = text(FORMAT);
	int rc = mdb_put(txn, main_table, &key, &data, 0);

	if (getrandom(driver->secret, LMDB_SECRET_BYTES, 0) != LMDB_SECRET_BYTES)
		return EIO;
	key = text("secret");
	data = (MDB_val){LMDB_SECRET_BYTES, driver->secret};
	return rc != 0 ? rc : mdb_put(txn, main_table, &key, &data, 0);
}

/* MDB_VERSION_MISMATCH: of a later version; MDB_INVALID: not the driver's. */
static int read_format(struct driver *driver, MDB_txn *txn, MDB_dbi main_table)
{
	MDB_val key = text("format"), data;
	int rc = mdb_get(txn, main_table, &key, &data);

	if (rc != 0)
		return rc == MDB_NOTFOUND ? MDB_INVALID : rc;
	if (data.mv_size != strlen(FORMAT) || memcmp(data.mv_data, FORMAT, data.mv_size) != 0)
		return data.mv_size > strlen(FORMAT_NAME) &&
				       memcmp(data.mv_data, FORMAT_NAME, strlen(FORMAT_NAME)) == 0
			       ? MDB_VERSION_MISMATCH
			       : MDB_INVALID;
	key = text("secret");
	rc = mdb_get(txn, main_table, &key, &data);
	if (rc != 0 || data.mv_size != LMDB_SECRET_BYTES)
		return MDB_INVALID;
	memcpy(driver->secret, data.mv_data, LMDB_SECRET_BYTES);
	return 0;
}

static int open_tables(struct driver *driver, MDB_txn *txn)
{
	struct lmdb_tables tables;
	MDB_dbi main_table;
	MDB_stat stat;
	int rc = mdb_dbi_open(txn, NULL, 0, &main_table);

	if (rc == 0)
		rc = mdb_stat(txn, main_table, &stat);
	if (rc == 0)
		rc = stat.ms_entries == 0 ? write_format(driver, txn, main_table)
					  : read_format(driver, txn, main_table);
	if (rc == 0)
		rc = mdb_dbi_open(txn, "records", MDB_CREATE, &driver->records);
	if (rc == 0)
		rc = mdb_dbi_open(txn, "pieces", MDB_CREATE, &driver->pieces);
	if (rc == 0)
		rc = lmdb_store_open_tables(driver, txn, &tables);
	if (rc != 0)
		return rc;
	rc = lmdb_pieces_next_id(tables.pieces, &driver->next_id);
	lmdb_store_close_tables(&tables);
	return rc;
}

static void say_damaged(const char *func_message, const struct driver *driver)
{
	lmdb_store_tell(driver, DRIVER_ERROR,
			"%s/data.mdb is damaged, and LMDB ends the process (%s); restore a backup, "
			"or move the folder away",
			driver->path, func_message);
}

static void say_assertion(MDB_env *env, const char *message)
{
	say_damaged(message, mdb_env_get_userctx(env));
}

/* Of the pages of one list of free ones (room.c), those from `first` on. */
static uint64_t count_from(MDB_val list, uint64_t first)
{
	size_t numbers = list.mv_size / sizeof(size_t), count = 0;
	uint64_t ret = 0;

	for (size_t i = 0; i < numbers && i <= count; i++) {
		size_t number;

		memcpy(&number, (const char *)list.mv_data + i * sizeof(number), sizeof(number));
		if (i == 0)
			count = number;
		else
			ret += number >= first;
	}
	return ret;
}

static bool are_all_free(struct driver *driver, uint64_t first, uint64_t end)
{
	MDB_txn *txn;
	MDB_cursor *cursor;
	MDB_val key, data;
	uint64_t count = 0;
	int rc = mdb_txn_begin(driver->env, NULL, MDB_RDONLY, &txn);

	if (rc != 0)
		return false;
	rc = mdb_cursor_open(txn, 0, &cursor);
	if (rc == 0) {
		while ((rc = mdb_cursor_get(cursor, &key, &data, MDB_NEXT)) == 0)
			count += count_from(data, first);
		mdb_cursor_close(cursor);
	}
	mdb_txn_abort(txn);
	return rc == MDB_NOTFOUND && count == end - first;
}

/* LMDB never writes pages that a transaction takes and gives back, so that the file may end before
 * them, if the process ended before lmdb_room_measure. Then it gets its length. */
static bool lacks_free_pages_only(struct driver *driver, uint64_t len, uint64_t wanted)
{
	if (len < 2 * driver->page_bytes || ftruncate(driver->data_fd, (off_t)wanted) != 0)
		return false;
	if (are_all_free(driver, len / driver->page_bytes, wanted / driver->page_bytes))
		return true;
	if (ftruncate(driver->data_fd, (off_t)len) != 0)
		lmdb_store_tell(driver, DRIVER_WARN, "the data file of %s ends in zeros now",
				driver->path);
	return false;
}

/* LMDB reads what the file's first pages name through a map: behind the end of the file that ends
 * the process. *ret_len: of the file. */
static bool is_cut(struct driver *driver, uint64_t *ret_len, uint64_t *ret_wanted)
{
	MDB_envinfo info;
	MDB_stat stat;
	struct stat file;

	(void)mdb_env_info(driver->env, &info);
	(void)mdb_env_stat(driver->env, &stat);
	driver->page_bytes = stat.ms_psize;
	driver->map_bytes = info.me_mapsize;
	*ret_wanted = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
	*ret_len = fstat(driver->data_fd, &file) == 0 ? (uint64_t)file.st_size : 0;
	return *ret_len < *ret_wanted && !lacks_free_pages_only(driver, *ret_len, *ret_wanted);
}

static int open_file(struct driver *driver, uint64_t file_bytes)
{
	unsigned flags = MDB_NOTLS | (driver->checkpoint.is_used ? (unsigned)MDB_NOSYNC : 0);
	int rc = mdb_env_create(&driver->env);

	if (rc != 0) {
		driver->env = NULL;
		return rc;
	}
	(void)mdb_env_set_userctx(driver->env, driver);
	(void)mdb_env_set_assert(driver->env, say_assertion);
	(void)mdb_env_set_maxreaders(driver->env, READERS_MAX);
	(void)mdb_env_set_maxdbs(driver->env, 2);
	(void)mdb_env_set_mapsize(driver->env, lmdb_room_first_map(driver, file_bytes));
	rc = mdb_env_open(driver->env, driver->path, flags, 0600);
	if (rc == 0)
		rc = mdb_env_get_fd(driver->env, &driver->data_fd);
	return rc;
}

static int prepare_tables(struct driver *driver)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(driver->env, NULL, 0, &txn);

	if (rc != 0)
		return rc;
	rc = open_tables(driver, txn);
	if (rc == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

static const char *reason_of(int rc)
{
	switch (rc) {
	case MDB_INVALID:
	case MDB_INCOMPATIBLE:
		return "it is damaged, or of another program or another kind of processor";
	case MDB_VERSION_MISMATCH:
		return "it was written by a later version";
	default:
		return mdb_strerror(rc);
	}
}

enum driver_status lmdb_store_open_env(struct driver *driver, char *error, size_t error_size)
{
	char path[LMDB_PATH_SIZE];
	struct stat file = {0};
	uint64_t len, wanted;

	lmdb_store_path(driver, "data.mdb", path);
	if (stat(path, &file) == 0 && file.st_size == 0)
		lmdb_store_tell(driver, DRIVER_WARN, "%s is empty; a new store is created", path);
	int rc = open_file(driver, (uint64_t)file.st_size);
	if (rc == 0 && mdb_env_get_maxkeysize(driver->env) < KEY_BYTES) {
		(void)snprintf(error, error_size,
			       "lmdb: this build of LMDB takes keys of %d bytes only; it must take "
			       "%d",
			       mdb_env_get_maxkeysize(driver->env), KEY_BYTES);
		lmdb_store_close_env(driver);
		return DRIVER_UNAVAILABLE;
	}
	if (rc == 0 && is_cut(driver, &len, &wanted)) {
		(void)snprintf(error, error_size,
			       "lmdb: %s is cut: it has %llu of %llu bytes; restore a backup, or "
			       "move the folder away",
			       path, (unsigned long long)len, (unsigned long long)wanted);
		lmdb_store_close_env(driver);
		return DRIVER_CORRUPT;
	}
	if (rc == 0)
		rc = prepare_tables(driver);
	if (rc != 0) {
		(void)snprintf(error, error_size, "lmdb: cannot open %s: %s", path, reason_of(rc));
		lmdb_store_close_env(driver);
		return lmdb_store_status(rc);
	}
	lmdb_room_measure(driver);
	return DRIVER_OK;
}

bool lmdb_store_is_in_place(const struct driver *driver)
{
	char path[LMDB_PATH_SIZE];
	struct stat named, opened;

	lmdb_store_path(driver, "data.mdb", path);
	return stat(path, &named) == 0 && fstat(driver->data_fd, &opened) == 0 &&
	       named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
}

void lmdb_store_close_env(struct driver *driver)
{
	if (driver->env)
		mdb_env_close(driver->env);
	driver->env = NULL;
}

void lmdb_store_give_up_env(struct driver *driver, int rc)
{
	lmdb_store_tell(driver, DRIVER_ERROR, "%s cannot be written: %s; it is opened again",
			driver->path, mdb_strerror(rc));
	lmdb_readers_drop(driver);
	lmdb_checkpoint_stop(driver, false);
	lmdb_store_close_env(driver);
	atomic_store(&driver->trouble, LMDB_BROKEN);
}

int lmdb_store_commit_nothing(struct driver *driver)
{
	MDB_val key = text("turn"), data = text("");
	MDB_dbi main_table;
	MDB_txn *txn;
	int rc = mdb_txn_begin(driver->env, NULL, 0, &txn);

	if (rc != 0)
		return rc;
	rc = mdb_dbi_open(txn, NULL, 0, &main_table);
	if (rc == 0)
		rc = mdb_put(txn, main_table, &key, &data, 0);
	if (rc == 0)
		return lmdb_checkpoint_commit(driver, txn);
	mdb_txn_abort(txn);
	return rc;
}
