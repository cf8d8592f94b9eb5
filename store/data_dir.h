/* The directory in which a backend keeps its files. */
#ifndef STEADYCACHE_STORE_DATA_DIR_H
#define STEADYCACHE_STORE_DATA_DIR_H

#include <stdbool.h>
#include <stddef.h>

/* Creates the directory if it is missing. False: it is not a directory, or cannot be written;
 * `error` says what to change. `option` is where the user named it, such as "--data-dir". */
bool data_dir_prepare(const char *path, const char *option, char *error, size_t error_size);

#endif
