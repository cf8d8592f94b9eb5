/* Finds backends of the registry, by their name or by what they are. */
#ifndef STEADYCACHE_STORE_FIND_H
#define STEADYCACHE_STORE_FIND_H

#include "store/registry.h"

/* The backend called `name`, or NULL. */
const struct backend_ops *backend_find(const char *name);

/* The backend that `text` names: by its name, in any case, or as a URL of one of its schemes. NULL:
 * none. */
const struct backend_ops *backend_find_by_text(const char *text);

/* How long the scheme at the start of `text` is, with its colon and slashes; 0: it is no URL. */
size_t backend_scheme_len(const char *text);

/* The first backend that has all of `with` and none of `without` (enum backend_bits), or NULL. */
const struct backend_ops *backend_find_by_bits(unsigned with, unsigned without);

#endif
