/* The write lock of the file, which another program may hold for long (`BEGIN IMMEDIATE` in the
 * sqlite3 shell, a backup tool, a second server).
 *
 * It is taken before any operation is: so all of them wait together, in the queue, each until its
 * own time is over, and one that is answered then is in no transaction that might still come about.
 * SQLite's own waiting is not used, as it knows one statement only: the operations behind would
 * wait once more, one after the other. Nothing else is held meanwhile, so whoever only reads does
 * not wait at all. */
#ifndef STEADYCACHE_SQLITE_WRITE_LOCK_H
#define STEADYCACHE_SQLITE_WRITE_LOCK_H

#include "backends/sqlite/store.h"

struct write_lock {
	struct sqlite_store *store;
	sqlite3_stmt *begin; /* BEGIN IMMEDIATE of the writer's connection */
	int64_t since_us;    /* monotonic; 0: nobody else holds the lock, as far as is known */
	bool told;           /* that another program holds it */
};

/* Begins a transaction as soon as no other program holds the write lock. Operations of the writer's
 * inbox that have waited for that for long enough are answered meanwhile. False, and nothing has
 * begun: nobody waits any more, and the thread is to end. Where SQLite cannot begin for another
 * reason: true, and transaction_begin tells it. */
bool write_lock_take(struct write_lock *lock);

#endif
