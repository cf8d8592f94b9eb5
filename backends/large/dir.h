/* A store of objects in a directory:
 *
 *     PATH/lock                   held by the server that uses the directory, or shared
 *     PATH/objects/ab/cdef...     the object whose SHA-256 is abcdef..., as it is
 *     PATH/spool/                 values that arrive (spool_place.h)
 *     PATH/owner                  the backend whose entries name the objects
 *
 * A put renames a file into place, so an object is there whole or not at all, and a reader of a
 * removed one keeps its descriptor. The age of an object is the file's time of modification, by the
 * clock of the file system.
 *
 * The directory belongs to one server at a time, unless its URL ends with ?shared=1: then servers
 * over one and the same backend may use it together, also over NFS (which needs locks of ranges,
 * fcntl). */
#ifndef STEADYCACHE_LARGE_DIR_H
#define STEADYCACHE_LARGE_DIR_H

#include "backends/large/object_store.h"
#include "store/backend.h"

/* Whether `url` is "dir:/path" or "dir:/path?shared=1"; false with a sentence in `error`. */
bool dir_check_url(const char *url, char *error, size_t error_size);

/* Opens the directory of such a URL, which is made. Of `config` durability and notice are used. On
 * failure NULL, with a sentence in `error`. */
struct object_store *dir_open(const char *url, const struct backend_config *config, char *error,
			      size_t error_size);

#endif
