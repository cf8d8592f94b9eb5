/* The d1 backend: Cloudflare D1 behind our Worker, behind the original Worker, or through
 * Cloudflare's REST endpoint. See docs/d1.md. */
#ifndef STEADYCACHE_BACKEND_D1_H
#define STEADYCACHE_BACKEND_D1_H

#include "backends/backend.h"

extern const struct backend_ops d1_backend_ops;

#endif
