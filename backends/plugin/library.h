/* Shared objects with a driver. */
#ifndef STEADYCACHE_PLUGIN_LIBRARY_H
#define STEADYCACHE_PLUGIN_LIBRARY_H

#include "backends/plugin/table.h"
#include "backends/plugin/url.h"
#include "store/backend.h"

/* Loaded; it stays, as long as the process lives. */
struct plugin_library {
	struct plugin_library *next;
	void *handle;
	const struct driver_ops *driver; /* plugin_table_check holds */
	struct driver_ops watched;       /* the same, by watched.c */
	struct backend_ops ops; /* of its backends; library.c fills what the driver decides */
	char name[sizeof("plugin:") + DRIVER_NAME_MAX_LEN];
};

/* Loads the shared object of `url`, or finds it if it is loaded already; the same file is loaded
 * once. `ops` has the functions of the backends. The plugin's own code runs (constructors, the
 * entry). NULL with a sentence. Any thread. */
const struct plugin_library *plugin_library_load(const struct plugin_url *url,
						 const struct backend_ops *ops, char *error,
						 size_t error_size);

#endif
