/* The state of the database that a reader sees.
 *
 * A read transaction costs as much as the look-up itself, so a reader keeps its transaction open
 * from one request to the next as long as nobody has written. Whether somebody has, in this process
 * or another, shows in the first 48 bytes of the WAL index (the "-shm" file, see
 * sqlite.org/walformat.html): its change counter, length and checksums differ after every commit. A
 * commit is answered after that header was written, so whoever has seen the answer reads the value.
 *
 * Transactions held by an idle reader would keep the log from being copied back into the file; the
 * background thread ends them (readers_release). */
#ifndef STEADYCACHE_SQLITE_SNAPSHOT_H
#define STEADYCACHE_SQLITE_SNAPSHOT_H

#include "backends/sqlite/read/reader_state.h"
#include "backends/sqlite/store.h"

/* Makes the reader see everything that was committed before the call. SQLITE_OK or an error. */
int snapshot_refresh(struct reader *reader);
/* The namespace in that state. NULL: the look-up failed with *ret_code. The first look-up after
 * snapshot_refresh() is always this one. */
struct cached_namespace *snapshot_find_namespace(struct sqlite_store *store, struct reader *reader,
						 struct slice name, int *ret_code);

#endif
