/* A namespace that another server has dropped, and that this one wrote to before it knew: if there
 * are entries of it, the table has to know it again. */
#ifndef STEADYCACHE_DYNAMODB_RECALL_H
#define STEADYCACHE_DYNAMODB_RECALL_H

#include "backends/dynamodb/state.h"

/* When it is due (monotonic), INT64_MAX: never; state->recalled is then the namespace. */
int64_t dynamodb_recall_due_us(struct dynamodb_state *state, int64_t now_us);

/* The stages of state->recall_op. */
const struct dynamodb_stage *dynamodb_recall_begin(const struct remote_context *context,
						   struct remote_call *call);

#endif
