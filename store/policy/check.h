/* Checks of the invariants that order.h, classes.h, victims.h and expiry.h state, for tests. They
 * look at every node once and change nothing; only tests link them.
 *
 * Result: NULL if all hold, else the first that is broken, as a sentence. Threads: as order.h. */
#ifndef STEADYCACHE_POLICY_CHECK_H
#define STEADYCACHE_POLICY_CHECK_H

#include "store/policy/expiry.h"
#include "store/policy/order.h"

/* `clock_rose`: no use had an earlier time than the one before it. Otherwise lists need not be
 * sorted. */
const char *policy_order_check(const struct order *order, bool clock_rose);

const char *policy_expiry_check(const struct expiry *expiry);

#endif
