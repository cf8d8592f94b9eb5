/* Whether an answer of POST /ops follows the protocol. */
#ifndef STEADYCACHE_D1_OPS_CHECK_H
#define STEADYCACHE_D1_OPS_CHECK_H

#include <jansson.h>

#include "backends/d1/ops_group.h"

/* Entries in one answer to a scan; a longer listing takes several requests. */
#define OPS_SCAN_MAX 1000

/* The flags of a reference and of a compressed value, as the protocol has them: those of the bytes
 * for which it stands. */
#define OPS_FLAGS (CACHE_VALUE_UTF8 | CACHE_VALUE_JSON_PLAIN)

/* Whether `results` matches the groups of `state`, as the protocol requires. */
bool d1_ops_check_results(const json_t *results, const struct ops_state *state);
/* The status of a result or an item; CACHE_INTERNAL if it is unknown. */
enum cache_status d1_ops_check_status(const json_t *result);

#endif
