#include "backends/large/dir_owner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Reads the first line of an open file. */
static void read_line(int file, char *ret, size_t size)
{
	ssize_t len = pread(file, ret, size - 1, 0);

	ret[len > 0 ? len : 0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
}

static bool write_line(int file, const char *owner)
{
	char line[PATH_MAX + 64];
	int len = snprintf(line, sizeof(line), "%s\n", owner);

	return pwrite(file, line, (size_t)len, 0) == len && fsync(file) == 0;
}

bool dir_owner_claim(struct object_store *store, const char *owner, char *error, size_t error_size)
{
	const struct dir *dir = dir_of(store);
	char path[PATH_MAX], noted[PATH_MAX + 64];

	(void)snprintf(path, sizeof(path), "%s/owner", dir->path);
	int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	bool is_open = file >= 0;
	if (is_open)
		read_line(file, noted, sizeof(noted));
	bool is_mine = is_open && (noted[0] ? strcmp(noted, owner) == 0 : write_line(file, owner));
	int number = errno;
	if (is_open)
		(void)close(file);
	if (is_open && noted[0] && !is_mine)
		(void)snprintf(error, error_size,
			       "%s has the large values of the backend \"%s\", this one is \"%s\", "
			       "and would remove them; give it a directory of its own "
			       "(--large-values), or, if the entries are the same, remove %s",
			       dir->path, noted, owner, path);
	else if (!is_mine)
		(void)snprintf(error, error_size, "cannot write %s: %s", path, strerror(number));
	return is_mine;
}
