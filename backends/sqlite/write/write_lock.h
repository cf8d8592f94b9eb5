/* The write lock of the file, which another program may hold for long (`BEGIN IMMEDIATE` in the
 * sqlite3 shell, a backup tool, a second server).
 *
 * It is taken before any operation is: so all of them wait together, in the queue, each until its
 * own time is over, and an operation that is answered then is in no transaction that might still be
 * committed. SQLite's own waiting is not used, because it knows only one statement: the operations
 * behind it would wait again, one after the other. Nothing else is held meanwhile, so reads do not
 * wait at all. */
#ifndef STEADYCACHE_SQLITE_WRITE_LOCK_H
#define STEADYCACHE_SQLITE_WRITE_LOCK_H

#include "backends/sqlite/store.h"

struct write_lock {
	struct sqlite_store *store;
	sqlite3_stmt *begin; /* BEGIN IMMEDIATE of the writer's connection */
	int64_t since_us;    /* monotonic; 0: nobody else holds the lock, as far as is known */
	bool told;           /* reported that another program holds it */
};

/* Begins a transaction as soon as no other program holds the write lock. Meanwhile answers
 * operations of the writer's inbox that have waited long enough. False, and nothing has begun:
 * nobody waits any more, and the thread must end. If SQLite cannot begin for another reason: true,
 * and transaction_begin reports it. */
bool write_lock_take(struct write_lock *lock);

#endif
