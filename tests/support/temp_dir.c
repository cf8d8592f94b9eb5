#include "tests/support/temp_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void stop_on(const char *what, const char *path)
{
	(void)fprintf(stderr, "tests: %s %s: %s\n", what, path, strerror(errno));
	abort();
}

void temp_dir_create(struct temp_dir *dir)
{
	const char *base = getenv("TMPDIR");

	(void)snprintf(dir->path, sizeof(dir->path), "%s/steadycache-test.XXXXXX",
		       base && *base && strlen(base) < 90 ? base : "/tmp");
	if (!mkdtemp(dir->path))
		stop_on("mkdtemp", dir->path);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status;
	(void)kind;
	(void)where;
	(void)remove(path);
	return 0;
}

void temp_dir_destroy(struct temp_dir *dir)
{
	if (dir->path[0])
		(void)nftw(dir->path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	dir->path[0] = '\0';
}

char *temp_dir_path(const struct temp_dir *dir, const char *name, char ret[TEMP_PATH_SIZE])
{
	(void)snprintf(ret, TEMP_PATH_SIZE, "%s/%s", dir->path, name);
	return ret;
}

size_t folder_count(const char *folder, const char *prefix, char ret[TEMP_PATH_SIZE])
{
	DIR *listing = opendir(folder);
	const struct dirent *entry;
	size_t count = 0;

	if (!listing)
		stop_on("opendir", folder);
	while ((entry = readdir(listing))) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		if (count++ == 0 && ret)
			(void)snprintf(ret, TEMP_PATH_SIZE, "%s/%s", folder, entry->d_name);
	}
	(void)closedir(listing);
	return count;
}

void file_write(const char *path, struct slice bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		stop_on("open", path);
	while (bytes.len > 0) {
		ssize_t written = write(fd, bytes.data, bytes.len);

		if (written <= 0)
			stop_on("write", path);
		bytes.data += written;
		bytes.len -= (size_t)written;
	}
	(void)close(fd);
}

char *file_read(const char *path, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0, size = 65536;
	char *bytes = malloc(size);
	ssize_t got;

	if (fd < 0) {
		free(bytes);
		return NULL;
	}
	while (bytes && (got = read(fd, bytes + len, size - len - 1)) > 0) {
		len += (size_t)got;
		if (size - len < 2) {
			size *= 2;
			bytes = realloc(bytes, size);
		}
	}
	(void)close(fd);
	if (!bytes)
		abort();
	bytes[len] = '\0';
	if (ret_len)
		*ret_len = len;
	return bytes;
}

off_t file_size(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 ? status.st_size : -1;
}
