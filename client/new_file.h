/* A file that comes into being whole or not at all: it is written under another name beside its
 * own, and gets its name at the end. Or the standard output, which gets its bytes at the end. */
#ifndef STEADYCACHE_CLIENT_NEW_FILE_H
#define STEADYCACHE_CLIENT_NEW_FILE_H

#include <limits.h>
#include <stdbool.h>

struct new_file {
	const char *name;    /* NULL: the standard output */
	bool replaces;       /* what has that name already */
	char path[PATH_MAX]; /* where it is written */
	int fd;
};

/* Makes the empty file at file->path, readable for its owner alone. `name` must outlive it; NULL is
 * the standard output. CLIENT_DONE, or another exit code after a line on stderr. */
int new_file_open(struct new_file *file, const char *name, bool replaces);

/* Syncs what was written, and gives it its name, or writes it to the standard output (its
 * temporary name is then gone already, so that a signal may end this). CLIENT_DONE, or another exit
 * code after a line on stderr; what had the name before is then still there. To be followed by
 * new_file_close in any case. */
int new_file_finish(struct new_file *file);

/* Removes what is still under the temporary name, with what SQLite puts beside a database. Fine on
 * one that could not be opened. */
void new_file_close(struct new_file *file);

#endif
