/* The SQLite backend (default): one database file, WAL, inline reads, group commit. */
#ifndef STEADYCACHE_BACKEND_SQLITE_H
#define STEADYCACHE_BACKEND_SQLITE_H

#include "backends/sqlite/settings.h"
#include "store/backend.h"

extern const struct backend_ops sqlite_backend_ops;

#endif
