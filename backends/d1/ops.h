/* The dialect of our Worker, POST /ops (docs/ops-protocol.md). */
#ifndef STEADYCACHE_D1_OPS_H
#define STEADYCACHE_D1_OPS_H

#include "backends/remote/protocol.h"

extern const struct remote_dialect d1_ops_dialect;

#endif
