#include "steadytext/pkl_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static bool read_all(int file, struct steadytext_pkl_file *ret)
{
	size_t size = (size_t)ret->found.st_size;

	while (ret->len < size) {
		ssize_t got = read(file, ret->bytes + ret->len, size - ret->len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0;
		ret->len += (size_t)got;
	}
	return true;
}

static bool refuse(char *reason, size_t reason_size, const char *text)
{
	(void)snprintf(reason, reason_size, "%s", text);
	return false;
}

static bool read_open(int file, off_t max_bytes, struct steadytext_pkl_file *ret, char *reason,
		      size_t reason_size)
{
	struct stat after;
	bool is_found = fstat(file, &ret->found) == 0;

	if (is_found && !S_ISREG(ret->found.st_mode))
		return refuse(reason, reason_size, "is no regular file");
	if (is_found && ret->found.st_size > max_bytes) {
		(void)snprintf(reason, reason_size, "has %lld MB; a .pkl may have %lld",
			       (long long)(ret->found.st_size >> 20), (long long)(max_bytes >> 20));
		return false;
	}
	ret->bytes = is_found ? malloc((size_t)ret->found.st_size + 1) : NULL;
	if (!ret->bytes || !read_all(file, ret) || fstat(file, &after) != 0) {
		(void)snprintf(reason, reason_size, "cannot be read: %m");
		return false;
	}
	return is_same(&ret->found, &after) ||
	       refuse(reason, reason_size, "changed while it was read: import it again");
}

bool steadytext_pkl_file_read(struct steadytext_pkl_file *ret, const char *path, off_t max_bytes,
			      char *reason, size_t reason_size)
{
	int file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	*ret = (struct steadytext_pkl_file){0};
	if (file < 0) {
		(void)snprintf(reason, reason_size, "cannot be opened: %m");
		return false;
	}
	bool is_read = read_open(file, max_bytes, ret, reason, reason_size);
	(void)close(file);
	if (is_read && !(ret->path = strdup(path))) {
		(void)snprintf(reason, reason_size, "cannot be read: out of memory");
		is_read = false;
	}
	if (!is_read)
		steadytext_pkl_file_deinit(ret);
	return is_read;
}

bool steadytext_pkl_file_remove(const struct steadytext_pkl_file *file, char *reason,
				size_t reason_size)
{
	struct stat now;

	if (lstat(file->path, &now) != 0) {
		bool is_gone = errno == ENOENT;

		(void)snprintf(reason, reason_size, "cannot be looked at: %m");
		return is_gone;
	}
	if (!is_same(&now, &file->found)) {
		(void)snprintf(reason, reason_size, "has changed since it was read");
		return false;
	}
	if (unlink(file->path) == 0 || errno == ENOENT)
		return true;
	(void)snprintf(reason, reason_size, "cannot be removed: %m");
	return false;
}

void steadytext_pkl_file_deinit(struct steadytext_pkl_file *file)
{
	free(file->path);
	free(file->bytes);
	*file = (struct steadytext_pkl_file){0};
}
