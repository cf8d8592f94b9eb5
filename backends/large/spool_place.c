/* The folders of processes, side by side:
 *
 *     parent/1f0c...a7.lock   held (flock) as long as its process lives
 *     parent/1f0c...a7/       its spools
 *
 * A lock that can be taken is that of a process that ended: its folder is removed, then the lock. A
 * process makes its lock before its folder, and takes another name if somebody held or removed the
 * lock before it did. */
#include "backends/large/spool_place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLACE_TRIES 10
#define LOCK_SUFFIX ".lock"

/* Whether `path` is still the file that is open. */
static bool is_at(const char *path, int file)
{
	struct stat open_one, there;

	return fstat(file, &open_one) == 0 && stat(path, &there) == 0 &&
	       open_one.st_dev == there.st_dev && open_one.st_ino == there.st_ino;
}

/* The lock at `path`, which belongs to this process from then on; -1: somebody else's. */
static int take_lock(const char *path, int flags)
{
	int lock = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);

	if (lock < 0)
		return -1;
	if (flock(lock, LOCK_EX | LOCK_NB) == 0 && is_at(path, lock))
		return lock;
	(void)close(lock);
	return -1;
}

static void remove_folder(const char *path)
{
	DIR *folder = opendir(path);

	for (struct dirent *entry; folder && (entry = readdir(folder));)
		if (entry->d_name[0] != '.')
			(void)unlinkat(dirfd(folder), entry->d_name, 0);
	if (folder)
		(void)closedir(folder);
	(void)rmdir(path);
}

/* Removes what belongs to the lock called `name`, if its process has ended. */
static void remove_left(const char *parent, const char *name)
{
	size_t stem = strlen(name) - strlen(LOCK_SUFFIX);
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", parent, name) >= (int)sizeof(path))
		return;
	int lock = take_lock(path, 0);
	if (lock < 0)
		return;
	path[strlen(parent) + 1 + stem] = '\0';
	remove_folder(path);
	path[strlen(parent) + 1 + stem] = LOCK_SUFFIX[0];
	(void)unlink(path);
	(void)close(lock);
}

static void remove_all_left(const char *parent)
{
	const size_t suffix = strlen(LOCK_SUFFIX);
	DIR *folder = opendir(parent);

	for (struct dirent *entry; folder && (entry = readdir(folder));) {
		size_t len = strlen(entry->d_name);

		if (len > suffix && strcmp(entry->d_name + len - suffix, LOCK_SUFFIX) == 0)
			remove_left(parent, entry->d_name);
	}
	if (folder)
		(void)closedir(folder);
}

/* Makes a lock and a folder of a new name. */
static bool make(struct spool_place *place, const char *parent)
{
	char lock_path[sizeof(place->folder) + 8];
	uint64_t name = 0;

	if (getrandom(&name, sizeof(name), 0) != (ssize_t)sizeof(name))
		return false;
	if (snprintf(place->folder, sizeof(place->folder), "%s/%016llx", parent,
		     (unsigned long long)name) >= (int)sizeof(place->folder)) {
		errno = ENAMETOOLONG;
		return false;
	}
	(void)snprintf(lock_path, sizeof(lock_path), "%s%s", place->folder, LOCK_SUFFIX);
	place->lock = take_lock(lock_path, O_CREAT);
	if (place->lock < 0)
		return false;
	if (mkdir(place->folder, 0700) == 0)
		return true;
	int error = errno;
	(void)unlink(lock_path);
	(void)close(place->lock);
	place->lock = -1;
	errno = error;
	return false;
}

bool spool_place_open(struct spool_place *place, const char *parent, char *error, size_t error_size)
{
	place->lock = -1;
	if (mkdir(parent, 0700) == 0 || errno == EEXIST) {
		remove_all_left(parent);
		for (int i = 0; i < PLACE_TRIES; i++)
			if (make(place, parent))
				return true;
	}
	(void)snprintf(error, error_size,
		       "cannot make a folder in %s, for large values that arrive (--large-values): "
		       "%s",
		       parent, strerror(errno));
	return false;
}

void spool_place_close(struct spool_place *place)
{
	char lock_path[sizeof(place->folder) + 8];

	if (place->lock < 0)
		return;
	remove_folder(place->folder);
	(void)snprintf(lock_path, sizeof(lock_path), "%s%s", place->folder, LOCK_SUFFIX);
	(void)unlink(lock_path);
	(void)close(place->lock);
	place->lock = -1;
}
