/* The bound on the growth of the database (space.h), and on the length of its log, by what the
 * reserve covers. All on the writer's thread, between two transactions. */
#ifndef STEADYCACHE_SQLITE_GROWTH_H
#define STEADYCACHE_SQLITE_GROWTH_H

#include "backends/sqlite/file/file.h"

/* Lets the database grow by what the reserve covers; without a reserve by anything. */
void growth_allow(struct sqlite_file *file);
/* From now on it does not grow. */
void growth_stop(struct sqlite_file *file);
/* Sets the lengths of log and groups that go with the reserve there is. */
void growth_set_lengths(struct sqlite_file *file);

/* Lets the database have `pages`. The limit in force: never less than the pages that there are; 0:
 * it could not be set, and is what it was. */
int64_t growth_set_limit(struct sqlite_file *file, int64_t pages);
/* Pages that the database file holds, without those that only the log has; -1: unknown. */
int64_t growth_file_pages(struct sqlite_file *file);

#endif
