/* The d1 backend: Cloudflare D1 behind our Worker, or behind the original one. See docs/d1.md. */
#ifndef STEADYCACHE_D1_D1_H
#define STEADYCACHE_D1_D1_H

#include "store/backend.h"

extern const struct backend_ops d1_backend_ops;

#endif
