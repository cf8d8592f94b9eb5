/* The room on a volume. Any thread. */
#ifndef STEADYCACHE_SQLITE_VOLUME_H
#define STEADYCACHE_SQLITE_VOLUME_H

#include <stdint.h>

/* What a user without privileges may still write on the volume of `path`; -1: unknown. */
int64_t volume_available(const char *path);

/* What the file at `path` has allocated; 0 where there is none. */
int64_t volume_allocated(const char *path);

/* Allocates `bytes` for the file at `path`, which exists, without changing its length: those that
 * it does not have yet are its own then. Best effort. */
void volume_allocate(const char *path, int64_t bytes);

#endif
