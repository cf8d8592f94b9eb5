/* Taking over a file of the schema before this one.
 *
 * Version 2 held limits against the sum of the sizes alone; version 3 keeps what keys, content
 * types and entries count as well (cache_used_bytes), which takes one pass over the entries. All of
 * it is one transaction: a process that is killed in the middle leaves the file as it was.
 *
 * A program of version 2 may have the file open meanwhile. It would go on to change the entries
 * without that account, so a column has another name now: its writes fail from then on, and its
 * reads go on. */
#ifndef STEADYCACHE_SQLITE_MIGRATE_H
#define STEADYCACHE_SQLITE_MIGRATE_H

#include <sqlite3.h>

#include "backends/sqlite/file/file.h"

/* Brings a sound file of MIGRATED_SCHEMA_VERSION to SCHEMA_VERSION, and leaves one alone that is of
 * it. SQLITE_OK, or an error and nothing was changed. The caller holds the lock of the folder. */
int migrate_schema(struct sqlite_file *file, sqlite3 *db);

#endif
