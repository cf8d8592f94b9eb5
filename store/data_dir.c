#include "store/data_dir.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Why a directory could not be made, in words about the path rather than about the call. */
static const char *why_not_made(int error)
{
	switch (error) {
	case ENOENT:
		return "the directory that it is to lie in does not exist";
	case ENOTDIR:
		return "a part of its path is a file, not a directory";
	case EACCES:
		return "this user may not write in the directory that it is to lie in";
	default:
		return strerror(error); /* NOLINT(concurrency-mt-unsafe): a known number */
	}
}

/* What is at the path instead of a directory. */
static const char *why_none(const char *path)
{
	struct stat status;

	if (stat(path, &status) == 0)
		return S_ISDIR(status.st_mode) ? NULL : "that is a file, not a directory";
	if (errno == ENOENT) /* though something exists there */
		return "that is a link to nothing";
	return strerror(errno); /* NOLINT(concurrency-mt-unsafe): a known number */
}

bool data_dir_prepare(const char *path, const char *option, char *error, size_t error_size)
{
	if (mkdir(path, 0700) != 0 && errno != EEXIST) {
		(void)snprintf(error, error_size, "cannot make the data directory %s (%s): %s",
			       path, option, why_not_made(errno));
		return false;
	}
	const char *reason = why_none(path);
	if (reason) {
		(void)snprintf(error, error_size, "cannot use %s as the data directory (%s): %s",
			       path, option, reason);
		return false;
	}
	if (access(path, W_OK | X_OK) == 0)
		return true;
	(void)snprintf(error, error_size,
		       "cannot write in the data directory %s (%s): %s (this process runs as "
		       "user %u)",
		       path, option, strerror(errno), (unsigned)geteuid());
	return false;
}
