/* Entries, as the running transaction finds and removes them. */
#ifndef STEADYCACHE_SQLITE_ENTRIES_H
#define STEADYCACHE_SQLITE_ENTRIES_H

#include "backends/sqlite/write/transaction.h"

/* An entry found by entries_find(). */
struct found_entry {
	bool found; /* otherwise nothing else is set */
	int64_t id;
	int64_t expires_us;
	bool is_idle; /* nobody has used it for too long */
	struct etag etag;
	int64_t size, used_bytes;
};

/* The entry of `key`, live or expired. SQLITE_OK or an error. */
int entries_find(struct transaction *tx, const struct ns_row *row, struct slice key,
		 struct found_entry *ret);
/* Those of all items of the op, into an array of that length. */
int entries_find_all(struct transaction *tx, const struct ns_row *row, const struct cache_op *op,
		     struct found_entry *ret);

static inline bool entries_is_live(const struct transaction *tx, const struct found_entry *entry)
{
	return entry->found && !entry->is_idle && rules_is_live(entry->expires_us, tx->now_us);
}

/* The frequency of an entry, as it is written, and its creation. */
int entries_find_history(struct transaction *tx, int64_t id, bool *found, int64_t *ret_frequency,
			 int64_t *ret_created_us);

/* Gives an entry another expiry. */
int entries_set_expiry(struct transaction *tx, int64_t id, int64_t expires_us);

/* Deletes the rows of an entry, whatever namespace it is of, and drops the uses that wait for it:
 * SQLite may give its id to a new entry. The accounts are the caller's. SQLITE_OK or an error. */
int entries_delete_rows(struct transaction *tx, int64_t id);

/* Removes one entry and its share of the row's accounts; *ret_removed is false if it is already
 * gone. */
int entries_remove(struct transaction *tx, struct ns_row *row, int64_t id, bool *ret_removed);

#endif
