/* Strings of bytes of any length, by number: large bodies and long names. Each is cut into pieces
 * that fill a page of LMDB, so that all allocations of the file are of one page: it has no gaps
 * that are too small for a value, and LMDB never searches for a run of free pages.
 *
 * A key of the table is the number of the string and that of the piece, both big-endian: 8 and 4
 * bytes. Results are LMDB's codes. */
#ifndef STEADYCACHE_PLUGIN_LMDB_PIECES_H
#define STEADYCACHE_PLUGIN_LMDB_PIECES_H

#include "state.h"

/* How many pieces a string of `len` bytes has. */
uint64_t lmdb_pieces_count(const struct driver *driver, uint64_t len);

/* Writes the parts, one after the other, as string `id`, which has `old_len` bytes now (0: none).
 */
int lmdb_pieces_put(const struct driver *driver, const struct lmdb_tables *tables, uint64_t id,
		    uint64_t old_len, const struct slice *parts, size_t count);

/* Copies string `id` to `room`. MDB_CORRUPTED: it is not there, or has another length. */
int lmdb_pieces_get(const struct driver *driver, const struct lmdb_tables *tables, uint64_t id,
		    char *room, uint64_t len);

/* Whether string `id` is the parts, one after the other. */
bool lmdb_pieces_equal(const struct driver *driver, const struct lmdb_tables *tables, uint64_t id,
		       const struct slice *parts, size_t count);

int lmdb_pieces_remove(const struct driver *driver, const struct lmdb_tables *tables, uint64_t id,
		       uint64_t len);

/* The number after the largest in use; not 0. */
int lmdb_pieces_next_id(MDB_cursor *pieces, uint64_t *ret);

#endif
