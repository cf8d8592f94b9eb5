/* Namespaces and their settings: finding, creating, configuring. With the gate held for writing. */
#ifndef STEADYCACHE_KEEPER_SETTINGS_H
#define STEADYCACHE_KEEPER_SETTINGS_H

#include "store/keeper/keeper_state.h"

/* The settings of a namespace that nobody has configured. */
void keeper_settings_default(const struct keeper *keeper, struct slice name,
			     struct namespace_settings *ret);

/* Copies those members of `wanted` that `mask` names to *settings. */
void keeper_settings_merge(struct namespace_settings *settings, unsigned mask,
			   const struct namespace_settings *wanted);

/* Creates the namespace if it does not exist, as a step of the write in progress. CACHE_OK,
 * CACHE_TOO_MANY_NAMESPACES or CACHE_NO_MEMORY. */
enum cache_status keeper_settings_space(struct keeper *keeper, struct slice name,
					struct keeper_space **ret);

/* The part of a CONFIGURE that changes settings, as steps of the write in progress. */
enum cache_status keeper_settings_change(struct keeper *keeper, const struct cache_op *op);

#endif
