/* One item of a get or of an exists: its row, its value, its use. */
#ifndef STEADYCACHE_SQLITE_ITEM_H
#define STEADYCACHE_SQLITE_ITEM_H

#include "backends/sqlite/read/reader_state.h"
#include "backends/sqlite/store.h"

/* One op while it is being read. */
struct item_pass {
	struct sqlite_store *store;
	struct reader *reader;
	struct cache_op *op;
	struct cached_namespace *ns;
	int64_t now_us;
	int64_t order_us;     /* the same by the order clock, for the first item */
	uint64_t value_bytes; /* of the values so far */
	size_t at;            /* the item */
	bool is_aside;        /* on a thread that may take its time */
	bool wants_aside;     /* this thread may not */
	bool is_exact;        /* the writer stands still: store->uses_order is held */
	bool wants_exact;     /* with wants_aside: an entry may be idle, and it must */
};

/* Sets the item's status and, for a get, its value: of item pass->at. SQLITE_OK or an error, and
 * then it has no value. With pass->wants_aside the value is a large one and was not read, or it is
 * not known whether the entry is idle. */
int item_read(struct item_pass *pass, struct cache_item *item);

#endif
