#include "backends/large/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "backends/large/dir_list.h"
#include "backends/large/dir_name.h"
#include "backends/large/dir_objects.h"
#include "backends/large/dir_owner.h"
#include "backends/large/disk.h"

#define SCHEME     "dir:"
#define SHARED     "?shared=1"
#define NOT_SHARED "?shared=0"

#define DIR_READERS 4
#define DIR_WRITERS 4

/* How long a server that ends may still hold the lock, and how often this is checked. */
#define LOCK_WAIT_US  (5 * US_PER_S)
#define LOCK_PAUSE_NS 20000000

/* ---- The URL ---- */

/* Reads "dir:/path[?shared=1]". */
static bool read_url(const char *url, char path[DIR_PATH_SIZE], bool *ret_shared)
{
	if (strncmp(url, SCHEME, strlen(SCHEME)) != 0)
		return false;
	const char *start = url + strlen(SCHEME);
	size_t len = strcspn(start, "?");
	bool is_shared = strcmp(start + len, SHARED) == 0;
	bool is_known = is_shared || start[len] == '\0' || strcmp(start + len, NOT_SHARED) == 0;
	/* dir:///path is the same. */
	while (len > 1 && start[0] == '/' && start[1] == '/')
		start++, len--;
	while (len > 1 && start[len - 1] == '/')
		len--;
	if (!is_known || start[0] != '/' || len >= DIR_PATH_SIZE)
		return false;
	(void)snprintf(path, DIR_PATH_SIZE, "%.*s", (int)len, start);
	*ret_shared = is_shared;
	return true;
}

bool dir_check_url(const char *url, char *error, size_t error_size)
{
	char path[DIR_PATH_SIZE];
	bool is_shared;

	if (read_url(url, path, &is_shared))
		return true;
	(void)snprintf(error, error_size,
		       "--large-values=%s: a directory is named dir:/absolute/path, or "
		       "dir:/absolute/path?shared=1 if several servers use it",
		       url);
	return false;
}

/* ---- Opening ---- */

static bool cannot(const char *what, const char *path, char *error, size_t error_size)
{
	(void)snprintf(error, error_size, "cannot %s %s, the directory of --large-values: %s", what,
		       path, strerror(errno));
	return false;
}

/* Makes the folder and those above it. */
static bool make_folders(const char *path)
{
	char part[PATH_MAX];

	(void)snprintf(part, sizeof(part), "%s", path);
	for (char *at = part + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		if (mkdir(part, 0755) != 0 && errno != EEXIST && errno != EROFS)
			return false;
		*at = '/';
	}
	return mkdir(path, 0700) == 0 || errno == EEXIST;
}

static bool make_fans(const struct dir *dir)
{
	for (unsigned fan = 0; fan < DIR_FANS; fan++) {
		char name[3];

		dir_name_of_fan(fan, name);
		if (mkdirat(dir->objects, name, 0700) != 0 && errno != EEXIST)
			return false;
	}
	return !dir->is_durable || fsync(dir->objects) == 0;
}

static bool take_lock(const struct dir *dir, const char *path, char *error, size_t error_size)
{
	int64_t until_us = monotonic_now_us() + LOCK_WAIT_US;
	int kind = dir->store.is_shared ? LOCK_SH : LOCK_EX;

	while (flock(dir->lock, kind | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK)
			return cannot("lock", path, error, error_size);
		if (monotonic_now_us() >= until_us) {
			(void)snprintf(
				error, error_size,
				"another server has %s for its large values; give this one a "
				"directory of its own (--large-values), or write "
				"dir:%s?shared=1 for all servers if they share one backend",
				path, path);
			return false;
		}
		(void)nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_NS}, NULL);
	}
	return true;
}

static int open_file(const char *path, const char *name, int flags)
{
	char whole[PATH_MAX];

	(void)snprintf(whole, sizeof(whole), "%s/%s", path, name);
	return open(whole, flags | O_CLOEXEC, 0600);
}

static bool open_files(struct dir *dir, const char *path, char *error, size_t error_size)
{
	char objects[PATH_MAX];

	(void)snprintf(objects, sizeof(objects), "%s/objects", path);
	if (!make_folders(path) || (mkdir(objects, 0700) != 0 && errno != EEXIST))
		return cannot("make", path, error, error_size);
	dir->lock = open_file(path, "lock", O_RDWR | O_CREAT);
	if (dir->lock < 0)
		return cannot("write in", path, error, error_size);
	if (!take_lock(dir, path, error, error_size))
		return false;
	dir->ranges = open_file(path, "ranges", O_RDWR | O_CREAT);
	dir->objects = open_file(path, "objects", O_RDONLY | O_DIRECTORY);
	if (dir->ranges < 0 || dir->objects < 0 || !make_fans(dir))
		return cannot("write in", path, error, error_size);
	dir->readers = pool_create("large-read", DIR_READERS);
	dir->writers = pool_create("large-write", DIR_WRITERS);
	if (dir->readers && dir->writers)
		return true;
	(void)snprintf(error, error_size, "cannot start threads for large values");
	return false;
}

static void close_file(int file)
{
	if (file >= 0)
		(void)close(file);
}

static void dir_close(struct object_store *store)
{
	struct dir *dir = dir_of(store);

	pool_destroy(dir->writers);
	pool_destroy(dir->readers);
	close_file(dir->objects);
	close_file(dir->ranges);
	close_file(dir->lock);
	for (unsigned fan = 0; fan < DIR_FANS; fan++)
		(void)pthread_mutex_destroy(&dir->fans[fan]);
	free(dir);
}

/* ---- Of the whole ---- */

static void run_check(struct pool_job *job)
{
	struct object_request *request = job->user;
	const struct dir *dir = dir_of(request->store);
	struct stat status;

	request->status = CACHE_OK;
	/* A folder that was removed is still open. */
	if (dir_list_now_us(dir) < 0 || faccessat(dir->objects, ".", W_OK, AT_EACCESS) != 0)
		request->status = disk_status(errno, &request->detail);
	else if (fstat(dir->objects, &status) != 0 || status.st_nlink == 0)
		request->status = disk_status(ENOENT, &request->detail);
	request->done(request);
}

static void dir_check(struct object_store *store, struct object_request *request)
{
	dir_submit(dir_of(store)->readers, store, request, run_check);
}

static void run_sync(struct pool_job *job)
{
	struct object_request *request = job->user;

	request->status = CACHE_OK;
	if (syncfs(dir_of(request->store)->objects) != 0)
		request->status = disk_status(errno, &request->detail);
	request->done(request);
}

static void dir_sync(struct object_store *store, struct object_request *request)
{
	dir_submit(dir_of(store)->writers, store, request, run_sync);
}

static const struct object_store_ops dir_ops = {
	.put = dir_objects_put,
	.open = dir_objects_open,
	.remove = dir_objects_remove,
	.list = dir_list,
	.check = dir_check,
	.sync = dir_sync,
	.claim = dir_owner_claim,
	.close = dir_close,
};

struct object_store *dir_open(const char *url, const struct backend_config *config, char *error,
			      size_t error_size)
{
	char path[DIR_PATH_SIZE];
	bool is_shared;

	if (!read_url(url, path, &is_shared)) {
		(void)dir_check_url(url, error, error_size);
		return NULL;
	}
	struct dir *dir = calloc(1, sizeof(*dir));
	if (!dir) {
		(void)snprintf(error, error_size, "out of memory for --large-values");
		return NULL;
	}
	dir->lock = dir->ranges = dir->objects = -1;
	dir->is_durable = config->durability == DURABILITY_FULL;
	for (unsigned fan = 0; fan < DIR_FANS; fan++)
		(void)pthread_mutex_init(&dir->fans[fan], NULL);
	(void)snprintf(dir->path, sizeof(dir->path), "%s", path);
	(void)snprintf(dir->spool_folder, sizeof(dir->spool_folder), "%s/spool", path);
	dir->store = (struct object_store){
		.ops = &dir_ops,
		.is_shared = is_shared,
		.spool_folder = dir->spool_folder,
	};
	if (open_files(dir, path, error, error_size))
		return &dir->store;
	dir_close(&dir->store);
	return NULL;
}
