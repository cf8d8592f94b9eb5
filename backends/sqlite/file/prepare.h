/* The start: one connection looks at the file before all others. What it finds is told apart:
 *
 *   a new file gets its tables;
 *   one that is sound, but not of this program or this version, stays where it is;
 *   one that cannot be read now ends the start: that says nothing about what is in it, and nothing
 *   that is read from it has a default;
 *   one that is damaged is set aside, but only where a second connection, too, has read all that it
 *   wanted without a failing call and found the damage again. SQLite's check reports a page that it
 *   could not get like one that is wrong. */
#ifndef STEADYCACHE_SQLITE_PREPARE_H
#define STEADYCACHE_SQLITE_PREPARE_H

#include "backends/sqlite/file/file.h"

/* Makes the file at file->path, or takes the one that is there; sets file->hash_seed. False with a
 * sentence in `error`. Before any other connection. */
bool prepare_file(struct sqlite_file *file, char *error, size_t error_size);

#endif
