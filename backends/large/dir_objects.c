#include "backends/large/dir_objects.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/large/dir_name.h"
#include "backends/large/disk.h"
#include "backends/large/file_body.h"

static void answer(struct object_request *request, enum cache_status status)
{
	request->status = status;
	request->done(request);
}

static void answer_error(struct object_request *request, int error)
{
	answer(request, disk_status(error, &request->detail));
}

/* ---- The fans' locks ---- */

static int lock_range(struct dir *dir, unsigned fan, short type)
{
	struct flock range = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)fan,
		.l_len = 1,
	};

	int result;

	do
		result = fcntl(dir->ranges, F_OFD_SETLKW, &range);
	while (result != 0 && errno == EINTR);
	return result;
}

/* False with errno: the file system gives no lock against other servers. */
static bool lock_fan(struct dir *dir, unsigned fan)
{
	(void)pthread_mutex_lock(&dir->fans[fan]);
	if (!dir->store.is_shared || lock_range(dir, fan, F_WRLCK) == 0)
		return true;
	(void)pthread_mutex_unlock(&dir->fans[fan]);
	return false;
}

static void unlock_fan(struct dir *dir, unsigned fan)
{
	if (dir->store.is_shared)
		(void)lock_range(dir, fan, F_UNLCK);
	(void)pthread_mutex_unlock(&dir->fans[fan]);
}

/* ---- Put ---- */

/* Makes an entry of a folder survive the loss of power. */
static int sync_fan(struct dir *dir, const char *name)
{
	const char fan_name[3] = {name[0], name[1], '\0'};
	int fan = openat(dir->objects, fan_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = fan < 0 ? -1 : fsync(fan);
	int error = errno;

	if (fan >= 0)
		(void)close(fan);
	errno = error;
	return result;
}

/* Somebody may have removed the folder of the fan. */
static int rename_into_place(struct dir *dir, const char *path, const char *name)
{
	const char fan_name[3] = {name[0], name[1], '\0'};

	if (renameat(AT_FDCWD, path, dir->objects, name) == 0)
		return 0;
	if (errno != ENOENT || mkdirat(dir->objects, fan_name, 0700) != 0)
		return -1;
	return renameat(AT_FDCWD, path, dir->objects, name);
}

/* The file replaces an equal one: that may have been damaged, and its age has to change. */
static void put(struct pool_job *job)
{
	struct object_request *request = job->user;
	struct dir *dir = dir_of(request->store);
	char name[DIR_NAME_SIZE];
	int error = 0;

	dir_name_of(request->sha256, name);
	if (dir->is_durable && fsync(request->file) != 0) {
		answer_error(request, errno);
		return;
	}
	if (!lock_fan(dir, request->sha256[0])) {
		answer_error(request, errno);
		return;
	}
	if (futimens(request->file, NULL) != 0 || rename_into_place(dir, request->path, name) != 0)
		error = errno;
	unlock_fan(dir, request->sha256[0]);
	if (error == 0 && dir->is_durable && sync_fan(dir, name) != 0)
		error = errno;
	if (error == 0)
		answer(request, CACHE_OK);
	else
		answer_error(request, error);
}

void dir_objects_put(struct object_store *store, struct object_request *request)
{
	dir_submit(dir_of(store)->writers, store, request, put);
}

/* ---- Open ---- */

static void open_object(struct pool_job *job)
{
	struct object_request *request = job->user;
	struct dir *dir = dir_of(request->store);
	char name[DIR_NAME_SIZE];
	struct stat status;

	dir_name_of(request->sha256, name);
	int file = openat(dir->objects, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (file < 0 && errno == ENOENT) {
		answer(request, CACHE_NOT_FOUND);
		return;
	}
	if (file < 0 || fstat(file, &status) != 0) {
		answer_error(request, errno);
		if (file >= 0)
			(void)close(file);
		return;
	}
	if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size != request->len_bytes) {
		(void)close(file);
		request->detail = "the file of this value has another length than the value; write "
				  "the entry again";
		answer(request, CACHE_CORRUPT);
		return;
	}
	const struct file_body_parts parts = {
		.file = file,
		.len_bytes = request->len_bytes,
		.sha256 = request->sha256,
	};
	request->body = file_body_create(dir->readers, &parts);
	if (!request->body)
		(void)close(file);
	answer(request, request->body ? CACHE_OK : CACHE_NO_MEMORY);
}

void dir_objects_open(struct object_store *store, struct object_request *request)
{
	dir_submit(dir_of(store)->readers, store, request, open_object);
}

/* ---- Remove ---- */

static void remove_object(struct pool_job *job)
{
	struct object_request *request = job->user;
	struct dir *dir = dir_of(request->store);
	char name[DIR_NAME_SIZE];
	struct stat status;
	bool is_young = false;
	int error = 0;

	dir_name_of(request->sha256, name);
	if (!lock_fan(dir, request->sha256[0])) {
		answer_error(request, errno);
		return;
	}
	bool is_there = fstatat(dir->objects, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
	if (is_there)
		is_young = dir_name_time_us(&status) >= request->put_before_us;
	if (!is_there || (!is_young && unlinkat(dir->objects, name, 0) != 0))
		error = errno;
	unlock_fan(dir, request->sha256[0]);
	if (is_young)
		answer(request, CACHE_PRECONDITION_FAILED);
	else if (error == 0 || error == ENOENT)
		answer(request, CACHE_OK);
	else
		answer_error(request, error);
}

void dir_objects_remove(struct object_store *store, struct object_request *request)
{
	dir_submit(dir_of(store)->writers, store, request, remove_object);
}
