/* Whether a driver's table can be used: its version, its functions, its name and bits. */
#ifndef STEADYCACHE_PLUGIN_TABLE_H
#define STEADYCACHE_PLUGIN_TABLE_H

#include <stdbool.h>

#include "steadycache/driver.h"

/* `driver` may be NULL, and is only read as far as its version and size allow. False with what is
 * wrong, to be put behind the plugin's name and a colon. */
bool plugin_table_check(const struct driver_ops *driver, char *error, size_t error_size);

#endif
