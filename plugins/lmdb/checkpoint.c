#include "checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "room.h"
#include "siphash.h"
#include "store.h"

#define FILE_NAME      "checkpoint"
#define MAGIC          "steadycache-lmdb"
#define PAGE_MAX_BYTES ((size_t)65536)
#define SLOT_BYTES     (sizeof(struct slot))
#define INTERVAL_S     1
/* By which the file has grown since the last one: the next does not wait for its second, and then
 * changes wait for it. */
#define URGENT_BYTES (UINT64_C(32) << 20)
#define WAIT_BYTES   (UINT64_C(128) << 20)

/* Tests have a file of their own. */
#ifndef LMDB_BOOT_ID_FILE
#define LMDB_BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"
#endif

/* Numbers are in the machine's byte order, as LMDB's own. */
struct slot {
	char magic[16];
	uint64_t number;
	uint64_t inode;    /* of data.mdb */
	uint64_t is_ended; /* the store was closed: its first pages are right as they are */
	uint64_t page_bytes;
	char boot_id[LMDB_BOOT_ID_BYTES];
	uint64_t check; /* of what stands before, and of the pages */
	char pages[2 * PAGE_MAX_BYTES];
};

/* ---- Slots ---- */

static uint64_t check_of(const struct slot *slot)
{
	static const unsigned char no_secret[16];
	const struct slice parts[] = {
		{(const char *)slot, offsetof(struct slot, check)},
		{slot->pages, 2 * (size_t)slot->page_bytes},
	};

	return siphash(no_secret, parts, 2);
}

static bool read_slot(int fd, unsigned index, struct slot *ret)
{
	off_t at = (off_t)(index * SLOT_BYTES);

	return pread(fd, ret, SLOT_BYTES, at) == (ssize_t)SLOT_BYTES &&
	       memcmp(ret->magic, MAGIC, sizeof(ret->magic)) == 0 &&
	       ret->page_bytes <= PAGE_MAX_BYTES && check_of(ret) == ret->check;
}

/* The latest that is whole. False: there is none. */
static bool read_latest(int fd, struct slot *ret, struct slot *other)
{
	bool has_first = read_slot(fd, 0, ret);

	if (!read_slot(fd, 1, other))
		return has_first;
	if (!has_first || other->number > ret->number)
		memcpy(ret, other, sizeof(*ret));
	return true;
}

/* Writes the next one, which is there once it is synced. `pages` are set. */
static int write_slot(struct driver *driver, struct slot *slot)
{
	struct lmdb_checkpoint *checkpoint = &driver->checkpoint;
	size_t len = offsetof(struct slot, pages) + 2 * driver->page_bytes;
	off_t at = (off_t)((checkpoint->number + 1) % 2 * SLOT_BYTES);
	struct stat data;

	if (fstat(driver->data_fd, &data) != 0)
		return errno;
	memcpy(slot->magic, MAGIC, sizeof(slot->magic));
	slot->number = checkpoint->number + 1;
	slot->inode = (uint64_t)data.st_ino;
	slot->page_bytes = driver->page_bytes;
	memcpy(slot->boot_id, checkpoint->boot_id, LMDB_BOOT_ID_BYTES);
	slot->check = check_of(slot);
	ssize_t written = pwrite(checkpoint->fd, slot, len, at);
	if (written != (ssize_t)len)
		return written < 0 ? errno : ENOSPC;
	return 0;
}

static int sync_slot(struct lmdb_checkpoint *checkpoint)
{
	if (fdatasync(checkpoint->fd) != 0)
		return errno;
	checkpoint->number++;
	return 0;
}

/* ---- At an open ---- */

static bool read_boot_id(char ret[LMDB_BOOT_ID_BYTES])
{
	FILE *file = fopen(LMDB_BOOT_ID_FILE, "re");

	memset(ret, 0, LMDB_BOOT_ID_BYTES);
	if (!file)
		return false;
	bool is_read = fgets(ret, LMDB_BOOT_ID_BYTES, file) != NULL && ret[0] != '\0';
	(void)fclose(file);
	return is_read;
}

/* Writes the first pages as they were. */
static enum driver_status restore(struct driver *driver, const struct slot *slot, char *error,
				  size_t error_size)
{
	char path[LMDB_PATH_SIZE];
	struct stat data;
	size_t len = 2 * (size_t)slot->page_bytes;

	lmdb_store_path(driver, "data.mdb", path);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return DRIVER_OK;
	bool is_known = fd >= 0 && fstat(fd, &data) == 0;
	if (is_known && (uint64_t)data.st_ino != slot->inode) {
		(void)snprintf(error, error_size,
			       "lmdb: %s is another file than the one that was open when the "
			       "machine went down; if it is a sound copy, remove %s/%s",
			       path, driver->path, FILE_NAME);
		(void)close(fd);
		return DRIVER_CORRUPT;
	}
	bool is_restored =
		is_known && pwrite(fd, slot->pages, len, 0) == (ssize_t)len && fdatasync(fd) == 0;
	int code = errno;
	if (fd >= 0)
		(void)close(fd);
	if (is_restored) {
		lmdb_store_tell(driver, DRIVER_WARN,
				"the machine went down while %s was open: changes of the last "
				"moment before are lost, and the rest is whole",
				driver->path);
		return DRIVER_OK;
	}
	(void)snprintf(error, error_size, "lmdb: cannot return %s to its last checkpoint: %s", path,
		       strerror(code));
	return lmdb_store_status(code);
}

static enum driver_status obey(struct driver *driver, char *error, size_t error_size)
{
	struct lmdb_checkpoint *checkpoint = &driver->checkpoint;
	struct slot *slots = calloc(2, sizeof(*slots));
	enum driver_status status = DRIVER_OK;

	if (!slots) {
		(void)snprintf(error, error_size, "lmdb: out of memory");
		return DRIVER_NO_MEMORY;
	}
	if (read_latest(checkpoint->fd, &slots[0], &slots[1])) {
		checkpoint->number = slots[0].number;
		if (!slots[0].is_ended &&
		    memcmp(slots[0].boot_id, checkpoint->boot_id, LMDB_BOOT_ID_BYTES) != 0)
			status = restore(driver, &slots[0], error, error_size);
	}
	free(slots);
	return status;
}

enum driver_status lmdb_checkpoint_prepare(struct driver *driver, char *error, size_t error_size)
{
	struct lmdb_checkpoint *checkpoint = &driver->checkpoint;
	char path[LMDB_PATH_SIZE];
	int code = 0;

	checkpoint->is_used = read_boot_id(checkpoint->boot_id);
	lmdb_store_path(driver, FILE_NAME, path);
	checkpoint->fd = open(path, O_RDWR | O_CLOEXEC | (checkpoint->is_used ? O_CREAT : 0), 0600);
	if (checkpoint->fd < 0 && !checkpoint->is_used && errno == ENOENT)
		return DRIVER_OK;
	if (checkpoint->fd < 0)
		code = errno;
	else if (checkpoint->is_used)
		code = posix_fallocate(checkpoint->fd, 0, (off_t)(2 * SLOT_BYTES));
	if (code == 0 && checkpoint->is_used && fsync(driver->folder_fd) != 0)
		code = errno;
	if (code == 0)
		return obey(driver, error, error_size);
	(void)snprintf(error, error_size, "lmdb: cannot write %s: %s", path, strerror(code));
	return lmdb_store_status(code);
}

/* ---- Taking one ---- */

/* Pins the latest commit and copies its first pages. */
static int pin_latest(struct driver *driver, struct slot *slot, MDB_txn **ret)
{
	struct lmdb_checkpoint *checkpoint = &driver->checkpoint;
	size_t len = 2 * driver->page_bytes;

	(void)pthread_mutex_lock(&checkpoint->lock);
	int rc = mdb_txn_begin(driver->env, NULL, MDB_RDONLY, ret);
	if (rc == 0 && pread(driver->data_fd, slot->pages, len, 0) != (ssize_t)len) {
		mdb_txn_abort(*ret);
		rc = EIO;
	}
	if (rc == 0) {
		checkpoint->is_due = false;
		checkpoint->is_urgent = false;
		checkpoint->used_at = atomic_load(&driver->used_bytes);
	}
	(void)pthread_mutex_unlock(&checkpoint->lock);
	return rc;
}

static void unpin(struct lmdb_checkpoint *checkpoint)
{
	if (checkpoint->pin)
		mdb_txn_abort(checkpoint->pin);
	checkpoint->pin = NULL;
	atomic_store(&checkpoint->is_pinned, false);
}

/* A sync that failed may have lost pages that the kernel holds for written: what is on the disk is
 * unknown for good. */
static void give_up_syncs(struct driver *driver, int rc)
{
	if (atomic_exchange(&driver->trouble, LMDB_SYNC_FAILED) != LMDB_SYNC_FAILED)
		lmdb_store_tell(driver, DRIVER_ERROR,
				"%s cannot be synced: %s; nothing is stored until the server is "
				"started again: check the disk",
				driver->path, mdb_strerror(rc));
}

/* The one before remains, and another is tried. */
static void try_again_later(struct driver *driver, int rc)
{
	struct lmdb_checkpoint *checkpoint = &driver->checkpoint;

	(void)pthread_mutex_lock(&checkpoint->lock);
	bool is_told = checkpoint->has_failed;
	checkpoint->has_failed = true;
	checkpoint->is_due = true;
	(void)pthread_mutex_unlock(&checkpoint->lock);
	if (!is_told)
		lmdb_store_tell(driver, DRIVER_WARN, "%s/%s cannot be written: %s", driver->path,
				FILE_NAME, mdb_strerror(rc));
}

static void replace_pin(struct lmdb_checkpoint *checkpoint, MDB_txn *pin)
{
	MDB_txn *earlier = checkpoint->pin;

	checkpoint->pin = pin;
	checkpoint->has_failed = false;
	atomic_store(&checkpoint->is_pinned, true);
	if (earlier)
		mdb_txn_abort(earlier);
}

static int sync_and_write(struct driver *driver, struct slot *slot)
{
	int rc = mdb_env_sync(driver->env, 1);

	if (rc == 0) {
		rc = write_slot(driver, slot);
		if (rc != 0) {
			try_again_later(driver, rc);
			return rc;
		}
		rc = sync_slot(&driver->checkpoint);
	}
	if (rc != 0)
		give_up_syncs(driver, rc);
	return rc;
}

/* With `turn` held. */
static int take(struct driver *driver)
{
	struct slot *slot = calloc(1, sizeof(*slot));
	MDB_txn *pin = NULL;
	int rc = slot ? pin_latest(driver, slot, &pin) : ENOMEM;

	if (rc == 0) {
		rc = sync_and_write(driver, slot);
		if (rc == 0)
			replace_pin(&driver->checkpoint, pin);
		else
			mdb_txn_abort(pin);
	}
	free(slot);
	return rc;
}

static bool is_due(struct lmdb_checkpoint *checkpoint)
{
	(void)pthread_mutex_lock(&checkpoint->lock);
	bool due = checkpoint->is_due;
	(void)pthread_mutex_unlock(&checkpoint->lock);
	return due;
}

int lmdb_checkpoint_take(struct driver *driver)
{
	struct lmdb_checkpoint *checkpoint = &driver->checkpoint;

	if (!checkpoint->is_used)
		return mdb_env_sync(driver->env, 1);
	(void)pthread_mutex_lock(&checkpoint->turn);
	int rc = !driver->env || atomic_load(&driver->trouble) == LMDB_SYNC_FAILED ? EIO : 0;
	if (rc == 0 && (!checkpoint->pin || is_due(checkpoint)))
		rc = take(driver);
	(void)pthread_mutex_unlock(&checkpoint->turn);
	return rc;
}

size_t lmdb_checkpoint_oldest(struct driver *driver, size_t last)
{
	struct lmdb_checkpoint *checkpoint = &driver->checkpoint;

	(void)pthread_mutex_lock(&checkpoint->turn);
	size_t pinned = checkpoint->pin ? mdb_txn_id(checkpoint->pin) : last;
	(void)pthread_mutex_unlock(&checkpoint->turn);
	return pinned < last ? pinned : last;
}

void lmdb_checkpoint_stop_pinning(struct driver *driver)
{
	struct lmdb_checkpoint *checkpoint = &driver->checkpoint;

	(void)pthread_mutex_lock(&checkpoint->turn);
	unpin(checkpoint);
}

bool lmdb_checkpoint_pin_again(struct driver *driver)
{
	struct lmdb_checkpoint *checkpoint = &driver->checkpoint;
	bool is_taken = driver->env && (!checkpoint->is_used || take(driver) == 0);

	(void)pthread_mutex_unlock(&checkpoint->turn);
	return is_taken;
}

/* ---- The thread ---- */

bool lmdb_checkpoint_is_pinned(const struct driver *driver)
{
	return !driver->checkpoint.is_used || atomic_load(&driver->checkpoint.is_pinned);
}

bool lmdb_checkpoint_allows(struct driver *driver)
{
	struct lmdb_checkpoint *checkpoint = &driver->checkpoint;

	if (!checkpoint->is_used)
		return true;
	(void)pthread_mutex_lock(&checkpoint->lock);
	bool waits = !lmdb_checkpoint_is_pinned(driver) ||
		     atomic_load(&driver->used_bytes) > checkpoint->used_at + WAIT_BYTES;
	(void)pthread_mutex_unlock(&checkpoint->lock);
	return !waits || lmdb_checkpoint_take(driver) == 0;
}

int lmdb_checkpoint_commit(struct driver *driver, MDB_txn *txn)
{
	struct lmdb_checkpoint *checkpoint = &driver->checkpoint;

	(void)pthread_mutex_lock(&checkpoint->lock);
	int rc = mdb_txn_commit(txn);
	if (rc == 0) {
		lmdb_room_measure(driver);
		bool was_urgent = checkpoint->is_urgent;
		checkpoint->is_urgent =
			atomic_load(&driver->used_bytes) > checkpoint->used_at + URGENT_BYTES;
		if (!checkpoint->is_due || checkpoint->is_urgent != was_urgent)
			(void)pthread_cond_signal(&checkpoint->change);
		checkpoint->is_due = true;
	}
	(void)pthread_mutex_unlock(&checkpoint->lock);
	return rc;
}

/* With the lock held: waits for a second, or until one is urgent or the driver is closed. */
static void await_interval(struct lmdb_checkpoint *checkpoint)
{
	struct timespec until;
	int rc = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += INTERVAL_S;
	while (rc == 0 && !checkpoint->stops && !checkpoint->is_urgent)
		rc = pthread_cond_timedwait(&checkpoint->change, &checkpoint->lock, &until);
}

static void *run(void *user)
{
	struct driver *driver = user;
	struct lmdb_checkpoint *checkpoint = &driver->checkpoint;

	(void)pthread_mutex_lock(&checkpoint->lock);
	while (!checkpoint->stops) {
		if (!checkpoint->is_due || atomic_load(&driver->trouble) == LMDB_SYNC_FAILED) {
			(void)pthread_cond_wait(&checkpoint->change, &checkpoint->lock);
			continue;
		}
		await_interval(checkpoint);
		bool stops = checkpoint->stops;
		(void)pthread_mutex_unlock(&checkpoint->lock);
		if (!stops)
			(void)lmdb_checkpoint_take(driver);
		(void)pthread_mutex_lock(&checkpoint->lock);
	}
	(void)pthread_mutex_unlock(&checkpoint->lock);
	return NULL;
}

int lmdb_checkpoint_start(struct driver *driver)
{
	struct lmdb_checkpoint *checkpoint = &driver->checkpoint;
	sigset_t all, before;

	if (!checkpoint->is_used) {
		int rc = mdb_env_sync(driver->env, 1);

		if (rc == 0 && checkpoint->fd >= 0)
			lmdb_checkpoint_stop(driver, true);
		return rc;
	}
	int rc = lmdb_checkpoint_take(driver);
	if (rc != 0)
		return rc;
	checkpoint->stops = false;
	/* Signals are the server's. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&checkpoint->thread, NULL, run, driver);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	checkpoint->has_thread = rc == 0;
	return rc;
}

/* The next open needs no checkpoint. */
static void write_end(struct driver *driver)
{
	struct slot *slot = calloc(1, sizeof(*slot));

	if (slot) {
		slot->is_ended = 1;
		if (write_slot(driver, slot) == 0)
			(void)sync_slot(&driver->checkpoint);
	}
	free(slot);
}

void lmdb_checkpoint_stop(struct driver *driver, bool is_sound)
{
	struct lmdb_checkpoint *checkpoint = &driver->checkpoint;

	(void)pthread_mutex_lock(&checkpoint->lock);
	checkpoint->stops = true;
	(void)pthread_cond_signal(&checkpoint->change);
	(void)pthread_mutex_unlock(&checkpoint->lock);
	if (checkpoint->has_thread)
		(void)pthread_join(checkpoint->thread, NULL);
	checkpoint->has_thread = false;
	unpin(checkpoint);
	if (is_sound && checkpoint->fd >= 0 && atomic_load(&driver->trouble) != LMDB_SYNC_FAILED &&
	    mdb_env_sync(driver->env, 1) == 0)
		write_end(driver);
}

void lmdb_checkpoint_close(struct driver *driver)
{
	if (driver->checkpoint.fd >= 0)
		(void)close(driver->checkpoint.fd);
	driver->checkpoint.fd = -1;
}
