/* The readers of a store: their connections, and the transactions that they hold (snapshot.h). Any
 * thread. */
#ifndef STEADYCACHE_SQLITE_READERS_H
#define STEADYCACHE_SQLITE_READERS_H

#include "backends/sqlite/file/file.h"

#define READERS_MAX 16

struct reader;
struct readers;

/* NULL with a sentence in `error`. */
struct readers *readers_open(struct sqlite_file *file, char *error, size_t error_size);
/* Closes the connections, when nobody reads any more; readers_release() then does nothing. NULL is
 * allowed, as for readers_close(). */
void readers_disconnect(struct readers *readers);
void readers_close(struct readers *readers);

/* The reader of that number, locked (reader_state.h) and open; or another one if it is busy or
 * cannot be opened. */
struct reader *readers_acquire(struct readers *readers, unsigned wanted);
/* Ends the transaction, if one is held. With the reader's lock. */
void readers_end_transaction(struct reader *reader);

/* Ends the read transactions that are held, so that the log can be copied back into the file. */
void readers_release(struct readers *readers);
/* Tries again to open readers that could not be opened. Returns whether all is well. */
bool readers_check(struct readers *readers);

#endif
