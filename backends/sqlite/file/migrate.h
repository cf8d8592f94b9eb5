/* Upgrading a file of the previous schema.
 *
 * Version 2 limited only the sum of the sizes; version 3 also keeps what keys, content types and
 * entries count (cache_used_bytes), which takes one pass over the entries. All of it is one
 * transaction: a process that is killed in the middle leaves the file as it was.
 *
 * A program of version 2 may have the file open meanwhile. It would go on to change the entries
 * without that account, so a column is renamed: its writes fail from then on, and its reads
 * continue. */
#ifndef STEADYCACHE_SQLITE_MIGRATE_H
#define STEADYCACHE_SQLITE_MIGRATE_H

#include <sqlite3.h>

#include "backends/sqlite/file/file.h"

/* Upgrades a sound file of MIGRATED_SCHEMA_VERSION to SCHEMA_VERSION, and leaves one of that
 * version alone. SQLITE_OK, or an error and nothing was changed. The caller holds the lock of the
 * folder. */
int migrate_schema(struct sqlite_file *file, sqlite3 *db);

#endif
