#include "backends/sqlite/file/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/sqlite/file/volume.h"

void reserve_init(struct reserve *reserve, const char *database_path)
{
	*reserve = (struct reserve){0};
	(void)pthread_mutex_init(&reserve->lock, NULL);
	(void)snprintf(reserve->path, sizeof(reserve->path), "%s.reserve", database_path);
}

void reserve_deinit(struct reserve *reserve)
{
	(void)pthread_mutex_destroy(&reserve->lock);
}

static int64_t size_for(int64_t available_bytes)
{
	int64_t bytes = available_bytes / 8;

	if (bytes < RESERVE_MIN_BYTES)
		return RESERVE_MIN_BYTES;
	return bytes > RESERVE_MAX_BYTES ? RESERVE_MAX_BYTES : bytes;
}

/* 0, or an error number. */
static int allocate(int fd, int64_t bytes)
{
	int error;

	/* Existing blocks too: a copy of the file may have holes. */
	do
		error = posix_fallocate(fd, 0, bytes);
	while (error == EINTR);
	return error;
}

/* Tells permanent errors from temporary ones. */
static enum reserve_result result_of(struct reserve *reserve, int error)
{
	switch (error) {
	case ENOSPC:
	case EDQUOT:
		return RESERVE_NO_ROOM;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EIO:
	case EINTR:
		reserve->error = error;
		return RESERVE_FAILED;
	default:
		return RESERVE_IMPOSSIBLE;
	}
}

/* The file is open and `existing_bytes` long. */
static enum reserve_result fill(struct reserve *reserve, int fd, int64_t existing_bytes)
{
	int64_t available = volume_available(reserve->path);

	if (available < 0)
		return result_of(reserve, errno);
	int64_t wanted = size_for(available + existing_bytes);
	if (wanted < reserve->former_bytes)
		wanted = reserve->former_bytes;
	if (wanted < existing_bytes)
		wanted = existing_bytes;
	int error = ENOSPC;
	if (available >= 2 * (wanted - existing_bytes))
		error = allocate(fd, wanted);
	if (error == 0) {
		reserve->bytes = wanted;
		return RESERVE_MADE;
	}
	/* The existing blocks are better than nothing. An attempt may have enlarged it. */
	if (existing_bytes >= RESERVE_MIN_BYTES && ftruncate(fd, existing_bytes) == 0 &&
	    allocate(fd, existing_bytes) == 0) {
		reserve->bytes = existing_bytes;
		return RESERVE_MADE;
	}
	return result_of(reserve, error);
}

static enum reserve_result make(struct reserve *reserve)
{
	struct stat status;
	int fd = open(reserve->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return result_of(reserve, errno);
	enum reserve_result result = RESERVE_IMPOSSIBLE;
	if (fstat(fd, &status) != 0) {
		result = result_of(reserve, errno);
	} else if (S_ISREG(status.st_mode)) {
		result = fill(reserve, fd, status.st_size);
		if (result != RESERVE_MADE)
			(void)unlink(reserve->path);
	}
	(void)close(fd);
	return result;
}

enum reserve_result reserve_make(struct reserve *reserve)
{
	(void)pthread_mutex_lock(&reserve->lock);
	if (reserve->bytes > reserve->former_bytes)
		reserve->former_bytes = reserve->bytes;
	reserve->bytes = 0;
	enum reserve_result result = make(reserve);
	(void)pthread_mutex_unlock(&reserve->lock);
	return result;
}

bool reserve_give_up(struct reserve *reserve)
{
	struct stat status;

	(void)pthread_mutex_lock(&reserve->lock);
	bool stood = lstat(reserve->path, &status) == 0 && S_ISREG(status.st_mode) &&
		     unlink(reserve->path) == 0;
	if (reserve->bytes > 0)
		reserve->former_bytes = reserve->bytes;
	else if (stood)
		reserve->former_bytes = status.st_size;
	reserve->bytes = 0;
	(void)pthread_mutex_unlock(&reserve->lock);
	return stood;
}

bool reserve_stands(struct reserve *reserve)
{
	struct stat status;

	return lstat(reserve->path, &status) == 0 && S_ISREG(status.st_mode) &&
	       status.st_size >= reserve_bytes(reserve);
}

int64_t reserve_bytes(struct reserve *reserve)
{
	(void)pthread_mutex_lock(&reserve->lock);
	int64_t bytes = reserve->bytes;
	(void)pthread_mutex_unlock(&reserve->lock);
	return bytes;
}
