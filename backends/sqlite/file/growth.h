/* The limit on the growth of the database (space.h), and on the length of its log, by what the
 * reserve covers. All on the writer's thread, between two transactions. */
#ifndef STEADYCACHE_SQLITE_GROWTH_H
#define STEADYCACHE_SQLITE_GROWTH_H

#include "backends/sqlite/file/file.h"

/* Lets the database grow by what the reserve covers; without a reserve by any amount. */
void growth_allow(struct sqlite_file *file);
/* From now on the database does not grow. */
void growth_stop(struct sqlite_file *file);
/* Sets the lengths of log and groups for the current reserve. */
void growth_set_lengths(struct sqlite_file *file);

/* Lets the database have `pages`. Returns the limit in force: never less than the existing pages;
 * 0: it could not be set, and is unchanged. */
int64_t growth_set_limit(struct sqlite_file *file, int64_t pages);
/* Pages in the database file, without those that only the log has; -1: unknown. */
int64_t growth_file_pages(struct sqlite_file *file);

#endif
