/* The lock of the data directory, held while a database is checked: two processes that start at
 * once must not both set one damaged file aside. */
#ifndef STEADYCACHE_SQLITE_FOLDER_LOCK_H
#define STEADYCACHE_SQLITE_FOLDER_LOCK_H

#include "backends/sqlite/file/file.h"

/* Waits up to 5 s for another holder. Returns a descriptor to close, or -1: error says why the lock
 * cannot be had, and who has it. */
int folder_lock_take(const struct sqlite_file *file, char *error, size_t error_size);

/* The same for somebody who wants the database for himself, as long as the descriptor is open: -1
 * also if another process has it open. Call it before any connection of this process: the locks of
 * those would be lost. */
int folder_lock_take_alone(const struct sqlite_file *file, char *error, size_t error_size);

#endif
