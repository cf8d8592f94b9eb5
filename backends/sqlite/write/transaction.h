/* The transaction of the writer: everything that runs inside it gets this. Its parts belong to the
 * files that they are named for. All on the writer's thread. */
#ifndef STEADYCACHE_SQLITE_TRANSACTION_H
#define STEADYCACHE_SQLITE_TRANSACTION_H

#include "backends/sqlite/store.h"
#include "backends/sqlite/write/changes.h"
#include "backends/sqlite/write/fold.h"
#include "backends/sqlite/write/heads.h"
#include "backends/sqlite/write/hints.h"
#include "backends/sqlite/write/ns_row.h"
#include "backends/sqlite/write/order.h"
#include "backends/sqlite/write/statements.h"
#include "backends/sqlite/write/sweep.h"
#include "backends/sqlite/write/told.h"

struct transaction {
	struct sqlite_store *store;
	sqlite3 *db;
	struct statements statements;

	/* Of the running transaction: */
	struct ns_rows rows;
	struct folds folds;
	struct changes changes;
	struct told told;
	int64_t now_us;
	int64_t order_us; /* the same by the order clock, plus 1 for each entry stored so far */
	int64_t order_began_us; /* without these */
	size_t removed;         /* entries that it removed */
	unsigned faults;        /* of the mapping, when it began */
	bool is_stuck;          /* the last one could not be rolled back */

	/* What stays from one transaction to the next: */
	struct order order;
	struct sweep sweep;
	struct heads_cache heads;
	struct hints hints; /* where the store follows */
};

/* These return SQLITE_OK or an error, after which the transaction must be rolled back. SQLITE_BUSY
 * of the first: another program holds the write lock, and nothing has begun. It continues the
 * transaction that write_lock_take has begun. */
int transaction_begin(struct transaction *tx);
int transaction_commit(struct transaction *tx);
void transaction_roll_back(struct transaction *tx);

/* Frees what it has; the connection stays. */
void transaction_deinit(struct transaction *tx);

#endif
