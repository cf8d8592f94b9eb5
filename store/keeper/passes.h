/* Operations on many entries: CLEAR, CONFIGURE, the sweep of expired entries, reporting uses to the
 * driver. Each runs in steps of some hundred entries, and the gate is free between them. So these
 * take the gate themselves. */
#ifndef STEADYCACHE_KEEPER_PASSES_H
#define STEADYCACHE_KEEPER_PASSES_H

#include "store/keeper/keeper_state.h"

/* Whether the op would touch so many entries that an event loop must not wait for it. */
bool keeper_passes_is_long(struct keeper *keeper, const struct cache_op *op);

/* If the driver fails, the earlier steps stay done. */
enum cache_status keeper_passes_clear(struct keeper *keeper, const struct cache_op *op);
/* CLEAR that drops: one apply, whatever there is, so that all of it is gone or nothing. */
enum cache_status keeper_passes_drop(struct keeper *keeper, const struct cache_op *op);
enum cache_status keeper_passes_configure(struct keeper *keeper, const struct cache_op *op);

/* Tells the driver of all uses, and of the clock. */
enum cache_status keeper_passes_tell_uses(struct keeper *keeper);

/* The same; then everything that is stored survives a loss of power, if the driver can do that. */
enum cache_status keeper_passes_sync(struct keeper *keeper);

/* One step of the sweep, which removes entries past their stale time, and one of reporting uses.
 * Returns whether more can be done now: there is more, and the driver has not failed. */
bool keeper_passes_tidy(struct keeper *keeper);

#endif
