/* Temporary folders and small file helpers for tests. A failure aborts the test program. */
#ifndef STEADYCACHE_TEST_TEMP_DIR_H
#define STEADYCACHE_TEST_TEMP_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/slice.h"

#define TEMP_PATH_SIZE 512

struct temp_dir {
	char path[128];
};

/* A new, empty folder under $TMPDIR or /tmp. */
void temp_dir_create(struct temp_dir *dir);
/* Removes it and everything in it. */
void temp_dir_destroy(struct temp_dir *dir);

/* "DIR/NAME" in `ret`, which it returns. */
char *temp_dir_path(const struct temp_dir *dir, const char *name, char ret[TEMP_PATH_SIZE]);

/* How many names in `folder` begin with `prefix`; the first of them in `ret` unless that is
 * NULL. */
size_t folder_count(const char *folder, const char *prefix, char ret[TEMP_PATH_SIZE]);

void file_write(const char *path, struct slice bytes);
/* The whole file, NUL-terminated, to be freed; NULL if there is none. */
char *file_read(const char *path, size_t *ret_len);
/* Size in bytes, -1 if there is none. */
off_t file_size(const char *path);

#endif
