/* The backend "plugin": a driver (steadycache/driver.h) in a shared object that the server loads,
 * named by plugin:PATH or plugin:PATH?SETTINGS. docs/plugins.md is the manual.
 *
 *   plugin.c    the backend: which ops a URL has, open and close
 *   url.c       the path and the settings in a URL
 *   library.c   loads a shared object, once in a process, and never unloads it
 *   file.c      what is wrong with a file that cannot be loaded
 *   table.c     what is wrong with a driver's table of functions
 *   guard.c     names the plugin if its code crashes, ends the process or takes long meanwhile
 *   watched.c   the driver's functions, which say that a thread is in the plugin
 *
 *   check/check.c    `steadycache check-plugin`: whether a driver keeps the rules
 *   check/records.c  the records that they store
 *   check/rules.c    those for one process
 *   check/kill.c     the one for a process that is killed */
#ifndef STEADYCACHE_BACKEND_PLUGIN_H
#define STEADYCACHE_BACKEND_PLUGIN_H

#include "store/backend.h"

extern const struct backend_ops plugin_backend_ops;

#endif
