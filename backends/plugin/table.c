#include "backends/plugin/table.h"

#include <stdio.h>
#include <string.h>

#define BITS_KNOWN ((unsigned)(DRIVER_BLOCKS | DRIVER_PERSISTS | DRIVER_WANTS_DIR))

static bool check_version(const struct driver_ops *driver, char *error, size_t error_size)
{
	if (!driver) {
		(void)snprintf(error, error_size,
			       DRIVER_ENTRY " returned no driver for version %d of driver.h, which "
					    "this server has; the plugin needs another server",
			       DRIVER_ABI);
		return false;
	}
	if (driver->abi == DRIVER_ABI)
		return true;
	(void)snprintf(error, error_size,
		       "it was built with version %u of driver.h, and this server has version %d: "
		       "the %s is older; %s",
		       driver->abi, DRIVER_ABI, driver->abi > DRIVER_ABI ? "server" : "plugin",
		       driver->abi > DRIVER_ABI
			       ? "update the server, or build the plugin with its driver.h"
			       : "build the plugin again with the server's driver.h");
	return false;
}

/* All that version 1 has; what is behind it is optional. */
#define SIZE_OF_FIRST (offsetof(struct driver_ops, close) + sizeof(void (*)(struct driver *)))

static bool check_functions(const struct driver_ops *driver, char *error, size_t error_size)
{
	if (driver->size < SIZE_OF_FIRST) {
		(void)snprintf(error, error_size,
			       "its driver_ops.size is %zu, and must be sizeof(struct driver_ops), "
			       "at least %zu",
			       driver->size, SIZE_OF_FIRST);
		return false;
	}
	const char *missing = !driver->open    ? "open"
			      : !driver->load  ? "load"
			      : !driver->get   ? "get"
			      : !driver->apply ? "apply"
			      : !driver->check ? "check"
			      : !driver->close ? "close"
					       : NULL;
	if (!missing)
		return true;
	(void)snprintf(error, error_size,
		       "its driver_ops.%s is NULL; only sync and hurry may be left out", missing);
	return false;
}

static bool check_name(const char *name, char *error, size_t error_size)
{
	size_t len = name ? strnlen(name, DRIVER_NAME_MAX_LEN + 1) : 0;

	if (len > 0 && len <= DRIVER_NAME_MAX_LEN &&
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == len)
		return true;
	(void)snprintf(error, error_size,
		       "its driver_ops.name must have 1 to %d of the characters a-z, 0-9, _ and -",
		       DRIVER_NAME_MAX_LEN);
	return false;
}

bool plugin_table_check(const struct driver_ops *driver, char *error, size_t error_size)
{
	if (!check_version(driver, error, error_size) ||
	    !check_functions(driver, error, error_size) ||
	    !check_name(driver->name, error, error_size))
		return false;
	if (!(driver->can & ~BITS_KNOWN))
		return true;
	(void)snprintf(error, error_size,
		       "its driver_ops.can has bits that this server does not know (0x%x); the "
		       "plugin may be newer than the server: update the server",
		       driver->can & ~BITS_KNOWN);
	return false;
}
