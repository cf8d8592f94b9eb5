/* The memory backend: a sharded hash table of immutable, reference-counted values. */
#ifndef STEADYCACHE_BACKEND_MEMORY_H
#define STEADYCACHE_BACKEND_MEMORY_H

#include "store/backend.h"

/* backend_config.settings */
struct memory_settings {
	uint64_t max_bytes; /* the most that it may use, including overhead; 0: no limit */
};

extern const struct backend_ops memory_backend_ops;

#endif
