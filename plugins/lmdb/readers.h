/* Read transactions with their cursors: kept when a get has ended, for the next. */
#ifndef STEADYCACHE_PLUGIN_LMDB_READERS_H
#define STEADYCACHE_PLUGIN_LMDB_READERS_H

#include "state.h"

/* A transaction that sees the latest commit. */
int lmdb_readers_take(struct driver *driver, struct lmdb_tables *ret);
void lmdb_readers_give(struct driver *driver, struct lmdb_tables *tables);

/* Ends those that are kept; none may be in use. */
void lmdb_readers_drop(struct driver *driver);

#endif
