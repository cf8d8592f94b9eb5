/* A namespace's statistics as JSON members, for /api/stats and /stats. */
#ifndef STEADYCACHE_HANDLERS_STATS_JSON_H
#define STEADYCACHE_HANDLERS_STATS_JSON_H

#include "backends/backend.h"
#include "backends/base/buffer.h"

/* {"entry_count":...}: first the six members of the D1 API in its order, then ours. */
void stats_json_append(struct buffer *json, const struct namespace_stats *stats);
/* "max_size_bytes":..,"capacity":..,"default_ttl":..,"stale_ttl":..,"eviction":".." */
void stats_json_append_limits(struct buffer *json, const struct namespace_settings *settings);
/* hits / (hits + misses); 0 where there were none. */
double stats_hit_rate(uint64_t hits, uint64_t misses);

#endif
