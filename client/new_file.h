/* A file that appears complete or not at all: it is written under a temporary name beside its
 * own, and renamed at the end. Or the standard output, which gets its bytes at the end. */
#ifndef STEADYCACHE_CLIENT_NEW_FILE_H
#define STEADYCACHE_CLIENT_NEW_FILE_H

#include <limits.h>
#include <stdbool.h>

struct new_file {
	const char *name;    /* NULL: the standard output */
	bool replaces;       /* an existing file of that name */
	char path[PATH_MAX]; /* where it is written */
	int fd;
};

/* Creates the empty file at file->path, readable only by its owner. `name` must outlive it; NULL
 * is the standard output. CLIENT_DONE, or another exit code after a line on stderr. */
int new_file_open(struct new_file *file, const char *name, bool replaces);

/* Syncs the file and renames it, or copies it to the standard output (its temporary name is then
 * already gone, so that a signal may interrupt this). CLIENT_DONE, or another exit code after a
 * line on stderr; an existing file of that name is then still there. Call new_file_close
 * afterwards in any case. */
int new_file_finish(struct new_file *file);

/* Removes what still has the temporary name, and what SQLite puts beside a database. Allowed
 * after a failed open. */
void new_file_close(struct new_file *file);

#endif
