/* The driver hash with faults, which a test sets by hooks. */
#ifndef STEADYCACHE_TEST_DRIVER_FAULTY_H
#define STEADYCACHE_TEST_DRIVER_FAULTY_H

#include "steadycache/driver.h"
#include "store/backend.h"

/* Each is called before hash: any answer but DRIVER_OK is returned, and nothing is done. NULL: no
 * fault. Change them only while nothing is in progress. */
struct faulty_hooks {
	enum driver_status (*load)(void);
	bool loads_twice; /* visits every record twice */
	enum driver_status (*get)(struct slice ns, struct slice key);
	enum driver_status (*apply)(const struct driver_change *changes, size_t count);
	enum driver_status (*check)(void);
	enum driver_status (*sync)(void);
};
extern struct faulty_hooks faulty_hooks;

/* The open driver, for changes behind the keeper's back. */
extern struct driver *faulty_driver;

/* One that does not block, and one that does. */
extern const struct backend_ops faulty_backend_ops, faulty_blocking_backend_ops;
/* Its driver lacks DRIVER_PERSISTS. */
extern const struct backend_ops faulty_forgetful_backend_ops;
/* Of an ABI version that no server has. */
extern const struct backend_ops faulty_future_backend_ops;

#endif
