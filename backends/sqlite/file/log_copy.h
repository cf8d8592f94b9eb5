/* Copying the write-ahead log into the database, by the writer's connection. */
#ifndef STEADYCACHE_SQLITE_LOG_COPY_H
#define STEADYCACHE_SQLITE_LOG_COPY_H

#include "backends/sqlite/file/file.h"

#define LOG_PATH_SIZE (sizeof(((struct sqlite_file *)NULL)->path) + 8)

/* Copies the log by one of SQLite's checkpoint modes (SQLITE_CHECKPOINT_...). SQLITE_OK or an
 * error. Writer's thread, outside a transaction. */
int log_copy_run(struct sqlite_file *file, int mode);

/* Writes the path of the log. */
void log_copy_path(const struct sqlite_file *file, char ret[LOG_PATH_SIZE]);

#endif
