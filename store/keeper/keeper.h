/* The keeper makes a backend from a driver (driver.h). It implements, once, everything that the
 * contract requires beyond storing bytes: namespaces and their settings, conditions, batches, times
 * to live, stale time, the exact orders of eviction, accounts, listings, statistics, and the
 * threads for drivers that block.
 *
 * It knows every entry (entry.h), which it reads from the driver when it is opened; values stay
 * with the driver. So it is for stores that the server owns: one process writes.
 * docs/internals/keeper.md explains it. */
#ifndef STEADYCACHE_KEEPER_H
#define STEADYCACHE_KEEPER_H

#include "steadycache/driver.h"
#include "store/backend.h"

/* Opens a driver and a backend over it. `driver` and `ops` live as long as the backend; the
 * backend's functions are those of KEEPER_OPS. config->settings is the text that the driver gets as
 * its settings, or NULL. On failure NULL, with a sentence for the user in `error`. */
struct backend *keeper_open(const struct driver_ops *driver, const struct backend_ops *ops,
			    const struct backend_config *config, char *error, size_t error_size);

void keeper_submit(struct backend *backend, struct cache_op *op);
size_t keeper_gauges(struct backend *backend, struct backend_gauge *ret, size_t max);
void keeper_hurry(struct backend *backend);
void keeper_close(struct backend *backend);

/* The members of a backend's struct backend_ops that the keeper provides, whatever the driver.
 * `the_bits` (enum backend_bits) depend on the driver: BACKEND_PERSISTS if it has DRIVER_PERSISTS,
 * BACKEND_WANTS_DIR if it needs a data_dir. */
#define KEEPER_OPS(the_bits) KEEPER_OPS_CLOSED_BY(the_bits, keeper_close)
/* The same with another function for close, which calls keeper_close. */
#define KEEPER_OPS_CLOSED_BY(the_bits, the_close)                                                  \
	.bits = (the_bits) | BACKEND_WHOLE, .default_policy = EVICT_FRECENCY,                      \
	.get = keeper_submit, .set = keeper_submit, .remove = keeper_submit,                       \
	.exists = keeper_submit, .expire = keeper_submit, .clear = keeper_submit,                  \
	.scan = keeper_submit, .stats = keeper_submit, .configure = keeper_submit,                 \
	.sync = keeper_submit, .check = keeper_submit, .gauges = keeper_gauges,                    \
	.hurry = keeper_hurry, .close = (the_close)

#endif
