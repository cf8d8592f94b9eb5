/* What the writer finds out about its files and its disk, and tells.
 *
 * Where a file was removed or replaced, what is in the log was acknowledged, and only the database
 * may be found again: so the log is copied there, once, and an empty log is no harm to whatever
 * database lies at the path now. Not where another process has begun with an index of its own,
 * whose locks are others than ours. */
#ifndef STEADYCACHE_SQLITE_HEALTH_H
#define STEADYCACHE_SQLITE_HEALTH_H

#include "backends/sqlite/store.h"

struct health {
	struct sqlite_store *store;
	sqlite3 *db;                        /* the writer's */
	const volatile uint64_t *log_index; /* NULL: not mapped */
	int failure;       /* what SQLite said of the last transaction that failed */
	bool told_failing; /* that writes fail; until one succeeds */
	bool log_is_saved; /* since the files are not in their places: it is in the database */
};

/* Whether the files are in their places and whole. With the write lock of the file. */
enum file_state health_look(struct health *health);
/* Brings what is in the log into the database, where `state` is that they are not. Without the
 * lock. */
void health_save_log(struct health *health, enum file_state state);
/* A transaction failed (health->failure) or succeeded: one line for all that fail until one
 * succeeds. */
void health_note_failure(struct health *health);
void health_note_success(struct health *health);
/* Answers a health check whose probe was committed or not. */
void health_complete_check(struct sqlite_store *store, struct cache_op *op,
			   enum cache_status status);

#endif
