/* The folder of the store, LMDB's environment in it, and how its codes become outcomes. */
#ifndef STEADYCACHE_PLUGIN_LMDB_STORE_H
#define STEADYCACHE_PLUGIN_LMDB_STORE_H

#include "state.h"

#define LMDB_PATH_SIZE 4200

/* Writes "FOLDER/name". */
void lmdb_store_path(const struct driver *driver, const char *name, char ret[LMDB_PATH_SIZE]);

/* Creates the folder if it is missing, and locks it: nobody else has it open then. On failure of
 * any of these one sentence in `error`. */
enum driver_status lmdb_store_lock(struct driver *driver, const char *data_dir, char *error,
				   size_t error_size);
/* Lets go of it, if it has it. */
void lmdb_store_unlock(struct driver *driver);

/* Opens the environment and its tables; a file that is shorter than it says, of another program or
 * of a later version is refused. On failure nothing is open. */
enum driver_status lmdb_store_open_env(struct driver *driver, char *error, size_t error_size);

/* Whether the open file is the one that its path names. */
bool lmdb_store_is_in_place(const struct driver *driver);

/* NULL is allowed for what is not open. */
void lmdb_store_close_env(struct driver *driver);

/* After a failure (an LMDB code) that leaves it of no use, while apply runs: ends all that uses it,
 * tells the owner, closes it. The next apply opens it again. */
void lmdb_store_give_up_env(struct driver *driver, int rc);

/* Opens cursors for the transaction, which stays the caller's. */
int lmdb_store_open_tables(const struct driver *driver, MDB_txn *txn, struct lmdb_tables *ret);
void lmdb_store_close_tables(struct lmdb_tables *tables);

/* Commits something small: pages that the commit before no longer needed can be used again. */
int lmdb_store_commit_nothing(struct driver *driver);

enum driver_status lmdb_store_status(int rc);

/* Tells the owner of the server: "lmdb: ", the sentence. */
void lmdb_store_tell(const struct driver *driver, enum driver_notice level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
