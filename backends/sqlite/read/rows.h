/* Reading a file that follows another store (settings.h: follows): all of its entries in the order
 * in which they were written, some at a time, or the entry of one key.
 *
 * A `struct rows` has a connection of its own and belongs to one thread. Its reads see everything
 * that was committed before them. */
#ifndef STEADYCACHE_SQLITE_ROWS_H
#define STEADYCACHE_SQLITE_ROWS_H

#include "base/order_clock.h"
#include "store/backend.h"

struct rows;

/* An entry. Everything is borrowed until the function that gets it returns. */
struct rows_entry {
	struct slice ns, key, type;
	const void *bytes; /* NULL: more than the reader wanted */
	uint64_t len_bytes, size_bytes;
	uint8_t flags;
	struct etag etag;
	int64_t modified_at_us, expires_at_us;
	struct cache_history history; /* its times are of the order clock */
};

/* Gets an entry; anything but CACHE_OK ends the reading with that. */
typedef enum cache_status rows_take_fn(void *user, const struct rows_entry *entry);

/* Opens a reader of the entries that are there now; of values of more than `max_value_bytes` it
 * gives the length only. `backend`: the SQLite backend. NULL with a sentence in `error`. */
struct rows *rows_open(struct backend *backend, uint64_t max_value_bytes, char *error,
		       size_t error_size);
/* NULL is allowed. */
void rows_close(struct rows *rows);

/* Gives the next entries, up to `max`; those that `take` has refused come again. *ret_more: there
 * are others. CACHE_OK, what `take` has returned, or why the file cannot be read. */
enum cache_status rows_next(struct rows *rows, size_t max, rows_take_fn *take, void *user,
			    bool *ret_more);
/* Gives the entry of a key, if there is one. */
enum cache_status rows_find(struct rows *rows, struct slice ns, struct slice key,
			    rows_take_fn *take, void *user);

/* The clock of the order of eviction, as the file has it. */
void rows_order_clock(struct backend *backend, struct order_clock_state *ret);
/* From now on that clock is `clock`, which lives as long as the backend. */
void rows_follow(struct backend *backend, const struct order_clock *clock);

#endif
