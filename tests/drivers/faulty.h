/* The driver hash with faults: what a test says with its hooks. */
#ifndef STEADYCACHE_TEST_DRIVER_FAULTY_H
#define STEADYCACHE_TEST_DRIVER_FAULTY_H

#include "store/backend.h"
#include "store/keeper/driver.h"

/* Each is asked before hash is: anything but DRIVER_OK is the answer then, and nothing is done.
 * NULL: never a fault. Change them while nothing is under way. */
struct faulty_hooks {
	enum driver_status (*load)(void);
	enum driver_status (*get)(struct slice ns, struct slice key);
	enum driver_status (*apply)(const struct driver_change *changes, size_t count);
	enum driver_status (*check)(void);
};
extern struct faulty_hooks faulty_hooks;

/* The driver that is open, for what happens behind the keeper's back. */
extern struct driver *faulty_driver;

/* One that does not block, and one that does. */
extern const struct backend_ops faulty_backend_ops, faulty_blocking_backend_ops;
/* Of a version of the ABI that no server has. */
extern const struct backend_ops faulty_future_backend_ops;

#endif
