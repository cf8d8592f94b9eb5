/* A transaction that found no room: what may still make it succeed. Writer's thread. */
#ifndef STEADYCACHE_SQLITE_SPACE_TRIES_H
#define STEADYCACHE_SQLITE_SPACE_TRIES_H

#include "backends/sqlite/file/file.h"

enum space_scope {
	SPACE_GROUP, /* several operations, which are tried one by one next */
	SPACE_ALONE,
};

/* The transaction, and what was already tried for it. */
struct space_tries {
	enum space_scope scope;
	const struct cache_op *op; /* the only op in it; NULL for a group and for housekeeping */
	bool copied, large, grown; /* initially false */
};

/* A transaction found no room and was rolled back, after it had removed that many entries. Returns
 * whether to try it again. */
bool space_tries_go_on(struct sqlite_file *file, struct space_tries *tries, size_t removed);
/* Call it after the last try, however it ended. */
void space_tries_settle(struct sqlite_file *file, const struct space_tries *tries);

/* The room that the values and keys of `op` take. */
int64_t space_tries_bytes_of(const struct cache_op *op);

#endif
