/* Reads a .db of SteadyText's (cache_file.h). Its rows are listed first, by their keys and uses;
 * each value is read when its turn has come, so that one value is in memory at a time. A row that
 * SteadyText removes meanwhile is skipped without a word, one that it adds is not seen. */
#ifndef STEADYCACHE_STEADYTEXT_DB_H
#define STEADYCACHE_STEADYTEXT_DB_H

#include "steadytext/cache_file.h"

struct steadytext_db;

/* As steadytext_file_open. `ns`: the name of the cache. */
struct steadytext_db *steadytext_db_file_open(const char *path, const char *ns,
					      const struct steadytext_limits *limits,
					      int64_t now_us, bool *ret_foreign, char *reason,
					      size_t reason_size);
enum steadytext_step steadytext_db_next(struct steadytext_db *db, struct steadytext_entry *ret,
					char *reason, size_t reason_size);
uint64_t steadytext_db_count(const struct steadytext_db *db);
/* NULL is allowed. */
void steadytext_db_close(struct steadytext_db *db);

#endif
