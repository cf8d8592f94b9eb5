/* The rows of the namespaces that the running transaction touched: each is read once, and written
 * back before the commit. */
#ifndef STEADYCACHE_SQLITE_NS_ROW_H
#define STEADYCACHE_SQLITE_NS_ROW_H

#include "backends/sqlite/counters.h"
#include "backends/sqlite/write/applied.h"
#include "store/rules.h"

struct transaction;

/* A namespace as the running transaction sees it. Written back before the commit. */
struct ns_row {
	char name[NAMESPACE_MAX_LEN + 1];
	int64_t id;
	struct namespace_settings settings;
	int64_t entry_count, size_sum, frequency_sum;
	int64_t used_bytes; /* of cache_used_bytes() */
	int64_t created_us; /* or the earliest last access from an import */
	bool dirty;
	bool is_dropped; /* there is none of that name any more; perhaps a later row */
	struct counters *counters;
	/* Added to the counters once the transaction is committed. */
	struct {
		uint64_t sets, deletes, evictions, expirations;
	} counted;
};

/* The rows of a transaction, followed by some that are free. Rows never move, so a caller that has
 * one may look up others. A zeroed one is empty and valid. */
struct ns_rows {
	struct ns_row **items;
	size_t count, made, capacity;
};

/* The row of a namespace; SQLITE_OK and *ret NULL if there is none. Or an error, as for all
 * below. */
int ns_row_find(struct transaction *tx, struct slice name, struct ns_row **ret);
/* The same for an id. */
int ns_row_find_by_id(struct transaction *tx, int64_t id, struct ns_row **ret);
/* The row of the op's namespace, created if there is none. NULL: op->status says why, *ret_applied
 * what to return. */
struct ns_row *ns_row_find_or_create(struct transaction *tx, struct cache_op *op,
				     enum applied *ret_applied);
/* Forgets a namespace and its row; another of its name begins anew. */
int ns_row_drop(struct transaction *tx, struct ns_row *row);
/* A new id for a namespace; ids are never reused. */
int ns_row_take_id(struct transaction *tx, int64_t *ret);

/* Writes a row before the commit does. */
int ns_row_write(struct transaction *tx, const struct ns_row *row);
/* Writes those that were changed. */
int ns_row_write_all(struct transaction *tx);
bool ns_row_any_is_dirty(const struct ns_rows *rows);
/* After the commit: adds the counts to the counters. */
void ns_row_count_committed(const struct ns_rows *rows);
void ns_row_deinit(struct ns_rows *rows);

/* Limits as numbers to compare with; INT64_MAX: none. */
static inline int64_t ns_row_size_limit(const struct ns_row *row)
{
	return row->settings.max_size_bytes ? (int64_t)row->settings.max_size_bytes : INT64_MAX;
}

/* What an eviction by size goes down to. */
static inline int64_t ns_row_size_goal(const struct ns_row *row)
{
	return (int64_t)rules_low_water((uint64_t)ns_row_size_limit(row));
}

static inline int64_t ns_row_count_limit(const struct ns_row *row)
{
	return row->settings.capacity >= 0 ? row->settings.capacity : INT64_MAX;
}

static inline bool ns_row_is_over_limit(const struct ns_row *row)
{
	return row->used_bytes > ns_row_size_limit(row) ||
	       row->entry_count > ns_row_count_limit(row);
}

#endif
