/* The room on a volume. Any thread. */
#ifndef STEADYCACHE_SQLITE_VOLUME_H
#define STEADYCACHE_SQLITE_VOLUME_H

#include <stdint.h>

/* What an unprivileged user may still write on the volume of `path`; -1: unknown. */
int64_t volume_available(const char *path);

/* The allocated size of the file at `path`; 0 if there is none. */
int64_t volume_allocated(const char *path);

/* Allocates `bytes` for the existing file at `path` without changing its length, so that missing
 * blocks become its own. Best effort. */
void volume_allocate(const char *path, int64_t bytes);

#endif
