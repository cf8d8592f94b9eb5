/* The accounts of namespaces: how many entries, of which sizes. Every write tells here by how much
 * it changes them; that is added to the table within a second, by one request for each namespace.
 *
 * A number that was added but whose answer is lost is added again, under the same number of this
 * process: the table refuses what it has. The accounts are as exact as that: what a process has not
 * added when it crashes is missing, up to a second of writes. */
#ifndef STEADYCACHE_DYNAMODB_ACCOUNTS_H
#define STEADYCACHE_DYNAMODB_ACCOUNTS_H

#include "backends/dynamodb/state.h"

/* How many parts the accounts of a namespace have; each process adds to one. */
#define DYNAMODB_SLOTS 16

void dynamodb_accounts_add(struct dynamodb_state *state, struct dynamodb_space *space,
			   int64_t entries, int64_t size, int64_t used);

/* SYNC: adds to the table what all namespaces have. NULL: nothing has anything, and the op is
 * completed. */
const struct dynamodb_stage *dynamodb_accounts_begin_flush(const struct remote_context *context,
							   struct remote_call *call);
/* STATS: the same for what it asks for, and then reads. */
const struct dynamodb_stage *dynamodb_accounts_begin_stats(const struct remote_context *context,
							   struct remote_call *call);

#endif
