/* The result of an operation in the running transaction. */
#ifndef STEADYCACHE_SQLITE_APPLIED_H
#define STEADYCACHE_SQLITE_APPLIED_H

#include "store/backend.h"

struct transaction;

enum applied {
	APPLIED,  /* op->status is the outcome; complete it after the commit */
	CONTINUE, /* there is more to remove: again in the next group */
	FAILED,   /* SQLite refused; op->status says why; the transaction must be rolled back */
};

/* The op's outcome is `status`, with a sentence or NULL; nothing was changed. */
enum applied applied_refuse(struct cache_op *op, enum cache_status status, const char *detail);
/* SQLite said `code`. */
enum applied applied_fail(const struct transaction *tx, struct cache_op *op, int code);

#endif
