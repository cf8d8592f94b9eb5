/* The table of backends (find.h looks one up). */
#ifndef STEADYCACHE_STORE_REGISTRY_H
#define STEADYCACHE_STORE_REGISTRY_H

#include "store/backend.h"

/* All backends, the default one first; NULL at the end. */
extern const struct backend_ops *const backend_registry[];

/* The options of layers that can be put in front of any backend; NULL at the end. */
extern const struct option_table *const backend_layer_options[];

#endif
