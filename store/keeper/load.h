/* What a keeper reads when it is opened: the heads of all records. */
#ifndef STEADYCACHE_KEEPER_LOAD_H
#define STEADYCACHE_KEEPER_LOAD_H

#include "store/keeper/keeper_state.h"

/* Fills the namespaces and the clock. Damaged records are skipped, left in place, and counted.
 * False, with a sentence in `error`: the driver failed, a record is of a later version of the
 * format, or out of memory. */
bool keeper_load(struct keeper *keeper, char *error, size_t error_size);

#endif
