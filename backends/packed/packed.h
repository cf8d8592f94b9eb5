/* The outermost layer: values of namespaces with compression are kept as frames of zstd
 * (CACHE_VALUE_ZSTD) and decoded for whoever does not take those (cache_op.takes_encoded). It also
 * knows the settings of namespaces that only fronts need (cache_op.put_status).
 *
 * Values stay as they are that are short, do not become shorter by a tenth, have a Content-Encoding
 * of their own, have a body, or are references. What is kept compressed is decoded whatever the
 * namespace's settings are now. Where nothing is compressed, an op costs a few instructions, no
 * lock and no memory. docs/internals/compression.md has the invariants. */
#ifndef STEADYCACHE_PACKED_PACKED_H
#define STEADYCACHE_PACKED_PACKED_H

#include "store/backend.h"

/* Puts the layer around `inner`, which it closes with itself. NULL: out of memory, and `inner` is
 * still the caller's. */
struct backend *packed_wrap(struct backend *inner);

#endif
