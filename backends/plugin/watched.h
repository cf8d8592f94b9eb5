/* A driver as its plugin has it, in functions that say which plugin a thread is in (guard.h). */
#ifndef STEADYCACHE_PLUGIN_WATCHED_H
#define STEADYCACHE_PLUGIN_WATCHED_H

#include "backends/plugin/library.h"

/* Fills *ret with such functions; what the driver does not have is NULL there, too. */
void plugin_watched_fill(const struct driver_ops *driver, struct driver_ops *ret);

/* Whose driver the `open` of such functions opens. Between plugin_guard_begin and _end, which let
 * one thread at a time do that. `library` stays. */
void plugin_watched_choose(const struct plugin_library *library);

#endif
