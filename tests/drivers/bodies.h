/* Memory that keeps values as bodies (base/body.h), for tests of who sends and receives them. The
 * bytes are in files without names. The content type says how a body is read:
 *
 *     x-test/reader       by a reader that has nothing at every second call
 *     x-test/fails-first  ... and fails before its first byte
 *     x-test/fails-later  ... or in the middle
 *     x-test/hangs        ... or gives nothing more after the middle
 *
 * any other: from its file. */
#ifndef STEADYCACHE_TEST_DRIVER_BODIES_H
#define STEADYCACHE_TEST_DRIVER_BODIES_H

#include "store/backend.h"

extern const struct backend_ops bodies_backend_ops;

#endif
