/* What the writer finds out about its files and its disk, and reports.
 *
 * If a file was removed or replaced, the content of the log was acknowledged, and only the database
 * may be found again: so the log is copied into it, once, and an empty log does no harm to any
 * database that is now at the path. This is not done if another process has started with an index
 * of its own, whose locks are different from ours. */
#ifndef STEADYCACHE_SQLITE_HEALTH_H
#define STEADYCACHE_SQLITE_HEALTH_H

#include "backends/sqlite/store.h"

struct health {
	struct sqlite_store *store;
	sqlite3 *db;                        /* the writer's */
	const volatile uint64_t *log_index; /* NULL: not mapped */
	int failure;                        /* SQLite's code for the last transaction that failed */
	bool told_failing;                  /* reported that writes fail; until one succeeds */
	bool log_is_saved; /* since the files are not in their places: it is in the database */
};

/* Whether the files are in their places and whole. With the write lock of the file. */
enum file_state health_look(struct health *health);
/* Copies the log into the database if `state` says that the files are not in their places. Without
 * the lock. */
void health_save_log(struct health *health, enum file_state state);
/* A transaction failed (health->failure) or succeeded: one line for all failures until one
 * succeeds. */
void health_note_failure(struct health *health);
void health_note_success(struct health *health);
/* Answers a health check whose probe was committed or not. */
void health_complete_check(struct sqlite_store *store, struct cache_op *op,
			   enum cache_status status);

#endif
