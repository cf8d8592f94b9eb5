/* Removes entries that were not used for too long (idle.h). All return SQLITE_OK or an error. */
#ifndef STEADYCACHE_SQLITE_IDLE_SWEEP_H
#define STEADYCACHE_SQLITE_IDLE_SWEEP_H

#include "backends/sqlite/write/ns_row.h"
#include "backends/sqlite/write/step.h"

struct transaction;

/* Removes those of one namespace. */
int idle_sweep_namespace(struct transaction *tx, struct ns_row *row, struct step *step);

/* Removes those of some namespaces, from id *next on, where the next call goes on. */
int idle_sweep(struct transaction *tx, int64_t *next, struct step *step);

#endif
