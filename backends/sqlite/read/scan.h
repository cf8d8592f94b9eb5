/* Listings, on the background thread.
 *
 * The index has the first 64 bytes of a key and then its hash, so it gives byte order only among
 * keys that differ within these bytes. Keys with the same beginning (prompts with one preamble)
 * have to be read and sorted, all of them for each page. That is done first, and only for the keys;
 * their entries are then read while the writer stands still, so that no waiting use is counted
 * twice or missed. Entries that were removed in between are left out.
 *
 * A listing in any order follows the index, and begins where the last page ended: after the hash of
 * that key among those with the same beginning, and then after these. */
#ifndef STEADYCACHE_SQLITE_SCAN_H
#define STEADYCACHE_SQLITE_SCAN_H

#include "backends/sqlite/store.h"

/* Runs a SCAN to its end, on the connection of the background thread. */
void scan_run(struct sqlite_store *store, sqlite3 *db, struct cache_op *op);

#endif
