/* Where the rules lead. */
#ifndef STEADYCACHE_ROUTED_RULES_H
#define STEADYCACHE_ROUTED_RULES_H

#include "backends/routed/routed.h"

/* The index of the place that has the namespace `ns`. */
size_t routed_place_of(const struct routed_config *config, struct slice ns);

#endif
