/* A namespace's statistics as JSON members, for /api/stats and /stats. */
#ifndef STEADYCACHE_HANDLERS_STATS_JSON_H
#define STEADYCACHE_HANDLERS_STATS_JSON_H

#include "handlers/respond/request.h"

/* {"entry_count":...}: first the six members of the D1 API in its order, then ours. */
void stats_json_append(struct buffer *json, const struct namespace_stats *stats);
/* "capacity":.. and the settings that follow it. */
void stats_json_append_limits(struct buffer *json, const struct namespace_settings *settings);
/* ,"backend":".." where there are several. */
void stats_json_append_backend(struct buffer *json, const struct namespace_stats *stats);
/* "hits":.., "misses":.. and the other counters. */
void stats_json_append_activity(struct buffer *json, const struct namespace_stats *stats);

/* The answer to a STATS of one namespace: its JSON, or why the op failed. A `finish` of handlers.
 */
void stats_json_finish(struct request *request, struct response *response);

/* Removes the namespaces that the client may not use from the statistics of all namespaces in
 * request->op. */
void stats_json_keep_usable(struct request *request);

#endif
