/* Whether a file can be loaded as a plugin: what dlopen does not say, or says in a way that
 * misleads (of a file for another machine, that there is none). */
#ifndef STEADYCACHE_PLUGIN_FILE_H
#define STEADYCACHE_PLUGIN_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* False with what is wrong with the file, to be put behind its name and a colon. Runs nothing of
 * it. */
bool plugin_file_check(const char *path, char *error, size_t error_size);

#endif
