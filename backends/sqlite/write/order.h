/* The clock of the order of eviction (order_clock.h), as the file keeps it: so that it does not run
 * backwards from one process to the next either, and so that future times in the file (of a wrong
 * clock, or an import into an older version) are soon in the past. */
#ifndef STEADYCACHE_SQLITE_ORDER_H
#define STEADYCACHE_SQLITE_ORDER_H

#include <stdbool.h>
#include <stdint.h>

struct transaction;

struct order {
	int64_t saved_us; /* what the file has; 0: unknown */
	int64_t used_us;  /* the latest that a transaction has used */
};

/* Continues the order clock from the file. SQLITE_OK or an error. */
int order_open(struct transaction *tx);
/* With the housekeeping: another process may be further ahead. SQLITE_OK or an error. */
int order_follow(struct transaction *tx);
/* Before a commit that changes something: saves the clock, once a second, or if `at_once`.
 * SQLITE_OK or an error. */
int order_save(struct transaction *tx, bool at_once);

#endif
