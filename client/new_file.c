#include "client/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/command.h"
#include "client/output.h"

#define COPY_BYTES 65536

static int say_exists(const struct new_file *file)
{
	return client_fail(CLIENT_USAGE, "%s is there already; --force replaces it", file->name);
}

/* An early error, before the work; new_file_finish makes sure. */
static int look_at_name(const struct new_file *file)
{
	struct stat status;

	if (lstat(file->name, &status) != 0)
		return CLIENT_DONE;
	if (!S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode))
		return client_fail(CLIENT_USAGE, "%s is not a regular file", file->name);
	return file->replaces ? CLIENT_DONE : say_exists(file);
}

int new_file_open(struct new_file *file, const char *name, bool replaces)
{
	const char *folder = getenv("TMPDIR");
	int length = 0;

	*file = (struct new_file){.name = name, .replaces = replaces, .fd = -1};
	if (name && look_at_name(file) != CLIENT_DONE)
		return CLIENT_USAGE;
	if (!folder || !*folder)
		folder = "/tmp";
	length = name ? snprintf(file->path, sizeof(file->path), "%s.new-XXXXXX", name)
		      : snprintf(file->path, sizeof(file->path), "%s/steadycache-XXXXXX", folder);
	if (length < 0 || (size_t)length >= sizeof(file->path))
		errno = ENAMETOOLONG;
	else
		file->fd = mkostemp(file->path, O_CLOEXEC); /* mode 0600 */
	if (file->fd >= 0)
		return CLIENT_DONE;
	file->path[0] = '\0';
	if (name)
		return output_failed(name);
	return client_fail(CLIENT_LOCAL,
			   "cannot make a file in %s: %s (TMPDIR names another place)", folder,
			   strerror(errno));
}

/* The name reaches the disk with a sync of its folder. */
static bool sync_folder(const char *name)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(name, '/');

	(void)snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - name) + 1 : 1,
		       slash ? name : ".");
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == EACCES; /* may be written, but not read: nothing to do */
	bool synced = fsync(fd) == 0 || errno == EINVAL;
	int error = errno;

	(void)close(fd);
	errno = error;
	return synced;
}

static bool give_name(struct new_file *file)
{
	unsigned flags = file->replaces ? 0 : RENAME_NOREPLACE;

	if (renameat2(AT_FDCWD, file->path, AT_FDCWD, file->name, flags) != 0) {
		/* Not every file system knows the flag; a link never replaces. */
		if (errno != EINVAL || file->replaces || link(file->path, file->name) != 0)
			return false;
		(void)unlink(file->path);
	}
	file->path[0] = '\0';
	return true;
}

static int write_out(const struct new_file *file)
{
	static char piece[COPY_BYTES];
	ssize_t got = 0;

	(void)unlink(file->path);
	if (lseek(file->fd, 0, SEEK_SET) < 0)
		return client_fail(CLIENT_LOCAL, "cannot read %s: %s", file->path, strerror(errno));
	while ((got = read(file->fd, piece, sizeof(piece))) > 0)
		if (!output_write(STDOUT_FILENO, (struct slice){.data = piece, .len = (size_t)got}))
			return output_failed("the standard output");
	if (got < 0)
		return client_fail(CLIENT_LOCAL, "cannot read %s: %s", file->path, strerror(errno));
	return CLIENT_DONE;
}

int new_file_finish(struct new_file *file)
{
	if (!file->name)
		return write_out(file);
	if (fsync(file->fd) != 0)
		return output_failed(file->name);
	/* It will not be read again soon, so it need not push the database out of memory. */
	(void)posix_fadvise(file->fd, 0, 0, POSIX_FADV_DONTNEED);
	if (!give_name(file))
		return errno == EEXIST ? say_exists(file) : output_failed(file->name);
	return sync_folder(file->name) ? CLIENT_DONE : output_failed(file->name);
}

void new_file_close(struct new_file *file)
{
	static const char *const suffixes[] = {"", "-journal", "-wal", "-shm"};
	char path[PATH_MAX + 16];

	if (file->path[0])
		for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
			(void)snprintf(path, sizeof(path), "%s%s", file->path, suffixes[i]);
			(void)unlink(path);
		}
	file->path[0] = '\0';
	if (file->fd >= 0)
		(void)close(file->fd);
	file->fd = -1;
}
