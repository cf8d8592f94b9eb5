/* The directory that the sqlite backend keeps its files in. */
#ifndef STEADYCACHE_SERVER_DATA_DIR_H
#define STEADYCACHE_SERVER_DATA_DIR_H

#include <stdbool.h>
#include <stddef.h>

/* Creates the directory if it is missing. False: it is not a directory, or cannot be written;
 * `error` says what to change. */
bool data_dir_prepare(const char *path, char *error, size_t error_size);

#endif
