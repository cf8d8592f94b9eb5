/* The start: one connection checks the file before all others. The cases:
 *
 * - A new file gets its tables.
 * - A sound file of another program or another version stays where it is.
 * - A file that cannot be read now ends the start: that says nothing about its content, and nothing
 *   that is read from it falls back to a default.
 * - A damaged file is set aside, but only if a second connection, too, has read everything that it
 *   needed without a failing call and found the damage again. SQLite's check reports a page that it
 *   could not read like a wrong one. */
#ifndef STEADYCACHE_SQLITE_PREPARE_H
#define STEADYCACHE_SQLITE_PREPARE_H

#include "backends/sqlite/file/file.h"

/* Creates the file at file->path, or takes the existing one; sets file->hash_seed. False with a
 * sentence in `error`. Call it before any other connection. */
bool prepare_file(struct sqlite_file *file, char *error, size_t error_size);

/* The same for a file that is only read, with file->is_read_only: it must be there, sound as far as
 * the check of a large file tells, and of this version; it is not changed. */
bool prepare_to_read(struct sqlite_file *file, char *error, size_t error_size);

#endif
