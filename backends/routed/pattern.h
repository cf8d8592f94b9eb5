/* Patterns of namespaces: letters stand for themselves, * for any number of characters, ? for one.
 */
#ifndef STEADYCACHE_ROUTED_PATTERN_H
#define STEADYCACHE_ROUTED_PATTERN_H

#include <stdbool.h>

#include "base/slice.h"

/* Longest pattern, characters. */
#define ROUTED_PATTERN_MAX_LEN 128

/* Whether `text` can match any name of a namespace: it has 1 to ROUTED_PATTERN_MAX_LEN characters,
 * all of which may be in a name, or are * or ?. */
bool routed_pattern_is_valid(struct slice text);

/* Whether all of `name` matches. In steps up to the product of both lengths. */
bool routed_pattern_matches(struct slice pattern, struct slice name);

#endif
