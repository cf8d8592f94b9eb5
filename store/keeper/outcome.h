/* What the outcome of a driver's function means for an operation. */
#ifndef STEADYCACHE_KEEPER_OUTCOME_H
#define STEADYCACHE_KEEPER_OUTCOME_H

#include "steadycache/driver.h"
#include "store/backend.h"

struct keeper;

/* The status for an operation; counts failures. DRIVER_NOT_FOUND is not one. A number that the ABI
 * does not have is CACHE_INTERNAL, and the owner is told once. Any thread. */
enum cache_status keeper_outcome(struct keeper *keeper, enum driver_status status);

#endif
