/* Listings, on the background thread.
 *
 * The index has the first 64 bytes of a key and then its hash, so it gives byte order only among
 * keys that differ within these. Those that begin alike (prompts with one preamble) have to be read
 * and sorted, all of them for each page. That is done first, and only for the keys; their entries
 * are then read while the writer stands still, so that no waiting use is counted twice or missed.
 * What has gone in between is left out.
 *
 * A listing in any order goes by the index as it is, and begins where the last page ended: behind
 * the hash of that key among those that begin as it does, and then behind these. */
#ifndef STEADYCACHE_SQLITE_SCAN_H
#define STEADYCACHE_SQLITE_SCAN_H

#include "backends/sqlite/store.h"

/* Runs a SCAN to its end, on the connection of the background thread. */
void scan_run(struct sqlite_store *store, sqlite3 *db, struct cache_op *op);

#endif
