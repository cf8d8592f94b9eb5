/* What comes before an operation: the table is there and is one of ours, and what it says of
 * itself and its namespaces is known, as it was a few seconds ago at most. */
#ifndef STEADYCACHE_DYNAMODB_PREPARE_H
#define STEADYCACHE_DYNAMODB_PREPARE_H

#include "backends/dynamodb/state.h"

/* For how long a process believes what it read of settings that others may change, at most. */
#define DYNAMODB_SETTINGS_US (5 * US_PER_S)

/* Whether a call has to begin with dynamodb_prepare_stage. If something is known already it says so
 * to one call a second, and the others go on with that. */
bool dynamodb_prepare_is_due(struct dynamodb_state *state);

/* Goes on with what `begin` of the call says. */
extern const struct dynamodb_stage dynamodb_prepare_stage;

/* The stage with which a write in `ns` begins: `stage`, or one before it that tells the table of
 * the namespace; NULL: the call's op failed, as there are too many. */
const struct dynamodb_stage *dynamodb_prepare_write(const struct remote_context *context,
						    struct remote_call *call, struct slice ns,
						    const struct dynamodb_stage *stage);

#endif
