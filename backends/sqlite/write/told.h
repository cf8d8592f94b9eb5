/* What the running transaction changes of the entries, for whoever watches (store/tell.h): told
 * after the commit, in order; of a transaction that was rolled back nothing is. */
#ifndef STEADYCACHE_SQLITE_TOLD_H
#define STEADYCACHE_SQLITE_TOLD_H

#include "base/buffer.h"
#include "store/tell.h"

struct ns_row;
struct transaction;

/* A zeroed one is empty and valid. */
struct told {
	struct buffer records;
	bool is_wanted; /* since the transaction began */
	bool is_lost;   /* there are too many of them, or no memory for them */
};

void told_begin(struct transaction *tx);

/* Notes a change of `key`, or of what begins with it. */
void told_note(struct transaction *tx, const struct ns_row *row, enum cache_change_kind kind,
	       struct slice key);
/* The same of the entry `id`, which is still there. SQLITE_OK or an error. */
int told_note_entry(struct transaction *tx, const struct ns_row *row, enum cache_change_kind kind,
		    int64_t id);

/* After the commit. */
void told_publish(struct transaction *tx);
void told_deinit(struct told *told);

#endif
