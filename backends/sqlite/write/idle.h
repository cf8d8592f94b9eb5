/* Entries that were not used for too long: the idle time of a namespace (store/namespace.h).
 *
 * A use waits in memory before it is written (uses.h), so what the tables say is a lower bound: an
 * entry that they call idle is looked up among the waiting uses, too, and such a use is written
 * then. So an entry is looked at once for each time that it is used again only just in time, and
 * all others never. */
#ifndef STEADYCACHE_SQLITE_IDLE_H
#define STEADYCACHE_SQLITE_IDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/sqlite/write/ns_row.h"

struct transaction;

/* What was last used at *ret_us or before, by the order clock, is idle. False: nothing is. */
bool idle_find_bound(const struct transaction *tx, const struct ns_row *row, int64_t *ret_us);

/* Whether entry `id` of that namespace is. SQLITE_OK or an error. */
int idle_find(struct transaction *tx, const struct ns_row *row, int64_t id, bool *ret);

/* The idle time of the namespace has changed. SQLITE_OK or an error. */
int idle_mark(struct transaction *tx, const struct ns_row *row);

#endif
