/* Records by name. A key of the table is
 *
 *     length of the namespace (1 byte), namespace, key        if that is 511 bytes at most; else
 *     0xFF, hash of the name (8 bytes), number of its string (8, big-endian)
 *
 * and the whole name is a string of pieces.c: of names with the same hash each is compared with it.
 * A value is a struct, the head, and a body that is so small that a string of its own would take
 * longer. So another head (DRIVER_USE) leaves a large body and a long name where they are.
 *
 * Numbers are in the machine's byte order, as LMDB's own. Results are LMDB's codes. */
#ifndef STEADYCACHE_PLUGIN_LMDB_RECORDS_H
#define STEADYCACHE_PLUGIN_LMDB_RECORDS_H

#include "state.h"

/* Copies a body to `room` if it has that length. MDB_NOTFOUND: no such record. MDB_CORRUPTED: its
 * body has another length, or is not whole. */
int lmdb_records_get(const struct driver *driver, const struct lmdb_tables *tables, struct slice ns,
		     struct slice key, char *room, uint64_t len);

/* Makes one change. */
int lmdb_records_change(struct driver *driver, const struct lmdb_tables *tables,
			const struct driver_change *change);

/* Visits all. *ret_stopped: `visit` said so. *ret_unreadable: how many were left out. */
int lmdb_records_visit(const struct driver *driver, const struct lmdb_tables *tables,
		       driver_visit *visit, void *user, bool *ret_stopped,
		       uint64_t *ret_unreadable);

/* About how many pages a change takes. */
uint64_t lmdb_records_pages(const struct driver *driver, const struct driver_change *change);

#endif
