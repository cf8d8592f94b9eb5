/* Rows of cleared namespaces, which are removed in small steps. */
#ifndef STEADYCACHE_SQLITE_DROPPED_H
#define STEADYCACHE_SQLITE_DROPPED_H

#include "backends/sqlite/write/step.h"

struct transaction;

/* Removes some. SQLITE_OK or an error. */
int dropped_sweep(struct transaction *tx, struct step *step);

#endif
