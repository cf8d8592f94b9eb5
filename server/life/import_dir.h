/* Takes SteadyText's own caches into the store when the server starts (--import-dir). */
#ifndef STEADYCACHE_SERVER_IMPORT_DIR_H
#define STEADYCACHE_SERVER_IMPORT_DIR_H

#include <stdbool.h>

#include "server/config/options.h"
#include "store/backend.h"

/* Imports the files of options->import_dir, if that is set, into `backend`, through all of its
 * layers; logs what became of each. The service manager is told to wait as long as this goes on. A
 * failure is logged, and the server goes on without what is missing. True unless SIGTERM or SIGINT
 * is pending, which the caller has blocked: then the import ended early, and the next start
 * completes it. */
bool import_dir_run(const struct options *options, struct backend *backend);

#endif
