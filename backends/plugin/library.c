#include "backends/plugin/library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/plugin/file.h"
#include "backends/plugin/watched.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct plugin_library *libraries;

static bool find_entry(void *handle, driver_entry **ret, char *error, size_t error_size)
{
	void *symbol = dlsym(handle, DRIVER_ENTRY);

	if (!symbol) {
		(void)snprintf(error, error_size,
			       "it has no function " DRIVER_ENTRY ", so it is no plugin of "
			       "steadycache (C++ needs extern \"C\")");
		return false;
	}
	/* ISO C has no cast between pointers to data and to functions. */
	memcpy(ret, &symbol, sizeof(symbol));
	return true;
}

static void fill_ops(struct plugin_library *library, const struct backend_ops *ops)
{
	unsigned can = library->driver->can;

	(void)snprintf(library->name, sizeof(library->name), "plugin:%s", library->driver->name);
	library->ops = *ops;
	library->ops.name = library->name;
	library->ops.variant = NULL;
	library->ops.bits &= ~(unsigned)(BACKEND_PERSISTS | BACKEND_WANTS_DIR);
	if (can & DRIVER_PERSISTS)
		library->ops.bits |= BACKEND_PERSISTS;
	if (can & DRIVER_WANTS_DIR)
		library->ops.bits |= BACKEND_WANTS_DIR;
}

static struct plugin_library *add(void *handle, const struct driver_ops *driver,
				  const struct backend_ops *ops, char *error, size_t error_size)
{
	struct plugin_library *library = calloc(1, sizeof(*library));

	if (!library) {
		(void)snprintf(error, error_size, "out of memory");
		return NULL;
	}
	library->handle = handle;
	library->driver = driver;
	plugin_watched_fill(driver, &library->watched);
	fill_ops(library, ops);
	library->next = libraries;
	libraries = library;
	return library;
}

static struct plugin_library *load(const char *path, const struct backend_ops *ops, char *error,
				   size_t error_size)
{
	driver_entry *entry = NULL;

	if (!plugin_file_check(path, error, error_size))
		return NULL;
	/* The handle of a file that is loaded already is the same. It is never closed: threads of
	 * the plugin may still run. */
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		(void)snprintf(error, error_size, "it cannot be loaded: %s", dlerror());
		return NULL;
	}
	for (struct plugin_library *at = libraries; at; at = at->next)
		if (at->handle == handle)
			return at;
	if (!find_entry(handle, &entry, error, error_size))
		return NULL;
	const struct driver_ops *driver = entry(DRIVER_ABI);
	return plugin_table_check(driver, error, error_size)
		       ? add(handle, driver, ops, error, error_size)
		       : NULL;
}

const struct plugin_library *plugin_library_load(const struct plugin_url *url,
						 const struct backend_ops *ops, char *error,
						 size_t error_size)
{
	char reason[600];

	(void)pthread_mutex_lock(&lock);
	struct plugin_library *library = load(url->path, ops, reason, sizeof(reason));
	(void)pthread_mutex_unlock(&lock);
	if (!library)
		(void)snprintf(error, error_size, "%s: %s", url->label, reason);
	return library;
}
