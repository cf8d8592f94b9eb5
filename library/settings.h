/* Settings of namespaces: the store's, and those of the public interface. */
#ifndef STEADYCACHE_LIBRARY_SETTINGS_H
#define STEADYCACHE_LIBRARY_SETTINGS_H

#include <stdbool.h>

#include "steadycache/steadycache.h"
#include "store/namespace.h"

/* NULL, or what is wrong with `settings`. */
const char *library_settings_fault(const struct steadycache_settings *settings);

/* Changes those members of *ret that `settings`, which has no fault, has; returns their bits (enum
 * namespace_settings_mask). */
unsigned library_settings_apply(const struct steadycache_settings *settings,
				struct namespace_settings *ret);

void library_settings_tell(const struct namespace_settings *settings,
			   struct steadycache_settings *ret);

#endif
