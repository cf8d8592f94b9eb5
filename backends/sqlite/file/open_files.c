#include "backends/sqlite/file/open_files.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct open_file {
	struct open_file *next;
	dev_t device;
	ino_t inode;
	unsigned forks; /* how many there had been */
	int fd;
	bool is_used; /* by a store; false: it waits for others to close the file */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct open_file *files;
static unsigned forks; /* of this process and those from which it comes */

/* ---- Forks ---- */

static void hold(void)
{
	(void)pthread_mutex_lock(&lock);
}

static void let_go(void)
{
	(void)pthread_mutex_unlock(&lock);
}

static void count_fork(void)
{
	forks++;
	let_go();
}

static void watch_forks(void)
{
	(void)pthread_atfork(hold, let_go, count_fork);
}

/* ---- Files ---- */

static bool is_of(const struct open_file *file, const struct stat *status)
{
	return file->device == status->st_dev && file->inode == status->st_ino;
}

bool open_files_are_of_parent(const char *path)
{
	struct stat status;
	bool is_found = false;

	if (stat(path, &status) != 0)
		return false;
	hold();
	for (const struct open_file *at = files; at; at = at->next)
		is_found |= at->forks != forks && is_of(at, &status);
	let_go();
	return is_found;
}

static struct open_file *find_unused(const char *path)
{
	struct stat status;
	struct open_file *at = stat(path, &status) == 0 ? files : NULL;

	while (at && (at->is_used || at->forks != forks || !is_of(at, &status)))
		at = at->next;
	return at;
}

static struct open_file *add(const char *path)
{
	struct open_file *file = calloc(1, sizeof(*file));
	struct stat status;

	if (!file)
		return NULL;
	file->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (file->fd < 0 || fstat(file->fd, &status) != 0) {
		int code = errno;

		if (file->fd >= 0)
			(void)close(file->fd);
		free(file);
		errno = code;
		return NULL;
	}
	file->device = status.st_dev;
	file->inode = status.st_ino;
	file->forks = forks;
	file->next = files;
	files = file;
	return file;
}

struct open_file *open_files_add(const char *path)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, watch_forks);
	hold();
	struct open_file *file = find_unused(path);
	if (!file)
		file = add(path);
	if (file)
		file->is_used = true;
	let_go();
	return file;
}

int open_files_fd(const struct open_file *file)
{
	return file->fd;
}

static bool is_same(const struct open_file *a, const struct open_file *b)
{
	return a->device == b->device && a->inode == b->inode && a->forks == b->forks;
}

void open_files_remove(struct open_file *file)
{
	bool is_used = false;

	if (!file)
		return;
	hold();
	file->is_used = false;
	for (const struct open_file *at = files; at; at = at->next)
		is_used |= at->is_used && is_same(at, file);
	const struct open_file key = *file;
	for (struct open_file **at = &files; !is_used && *at;) {
		struct open_file *candidate = *at;

		if (!is_same(candidate, &key)) {
			at = &candidate->next;
			continue;
		}
		*at = candidate->next;
		(void)close(candidate->fd);
		free(candidate);
	}
	let_go();
}
