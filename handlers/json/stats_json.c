#include "handlers/json/stats_json.h"

#include <inttypes.h>

#include "base/buffer.h"
#include "base/json_out.h"
#include "base/slice.h"
#include "handlers/respond/error.h"
#include "handlers/respond/response.h"

static double hit_rate(uint64_t hits, uint64_t misses)
{
	return hits + misses > 0 ? (double)hits / (double)(hits + misses) : 0;
}

void stats_json_append_limits(struct buffer *json, const struct namespace_settings *settings)
{
	if (settings->capacity == CAPACITY_UNLIMITED)
		json_out_raw(json, "\"capacity\":null");
	else
		buffer_printf(json, "\"capacity\":%" PRId64, settings->capacity);
	buffer_printf(json,
		      ",\"default_ttl\":%" PRId64 ",\"stale_ttl\":%" PRId64 ",\"max_idle\":%" PRId64
		      ",\"eviction\":\"%s\",\"compression\":\"%s\",\"put_status\":",
		      settings->default_ttl_s, settings->stale_ttl_s, settings->max_idle_s,
		      eviction_policy_name(settings->policy),
		      compression_name(settings->compression));
	if (settings->put_status == 0)
		json_out_raw(json, "null");
	else
		buffer_printf(json, "%u", settings->put_status);
}

void stats_json_append_activity(struct buffer *json, const struct namespace_stats *stats)
{
	buffer_printf(json,
		      "\"hits\":%" PRIu64 ",\"misses\":%" PRIu64 ",\"hit_rate\":", stats->hits,
		      stats->misses);
	json_out_double(json, hit_rate(stats->hits, stats->misses));
	buffer_printf(json,
		      ",\"stale_hits\":%" PRIu64 ",\"sets\":%" PRIu64 ",\"deletes\":%" PRIu64
		      ",\"evictions\":%" PRIu64 ",\"expirations\":%" PRIu64,
		      stats->stale_hits, stats->sets, stats->deletes, stats->evictions,
		      stats->expirations);
}

void stats_json_append_backend(struct buffer *json, const struct namespace_stats *stats)
{
	if (!stats->backend)
		return;
	json_out_raw(json, ",\"backend\":");
	json_out_string(json, slice_of(stats->backend));
}

void stats_json_append(struct buffer *json, const struct namespace_stats *stats)
{
	uint64_t max = stats->settings.max_size_bytes;

	buffer_printf(json,
		      "{\"entry_count\":%" PRIu64 ",\"total_size\":%" PRIu64 ",\"avg_frequency\":",
		      stats->entry_count, stats->total_size_bytes);
	json_out_double(json, stats->avg_frequency);
	buffer_printf(json,
		      ",\"max_frequency\":%" PRIu64 ",\"max_size_bytes\":%" PRIu64
		      ",\"utilization\":",
		      stats->max_frequency, max);
	json_out_double(json, max ? (double)stats->total_size_bytes / (double)max : 0);
	buffer_printf(json, ",\"used_bytes\":%" PRIu64 ",", stats->used_bytes);
	stats_json_append_activity(json, stats);
	json_out_raw(json, ",");
	stats_json_append_limits(json, &stats->settings);
	stats_json_append_backend(json, stats);
	json_out_raw(json, "}");
}

void stats_json_keep_usable(struct request *request)
{
	struct cache_op *op = &request->op;
	size_t kept = 0;

	for (size_t i = 0; request->may_use && i < op->stats_count; i++)
		if (request->may_use(request, slice_of(op->stats[i].name)))
			op->stats[kept++] = op->stats[i];
	if (request->may_use)
		op->stats_count = kept;
}

void stats_json_finish(struct request *request, struct response *response)
{
	struct buffer json = {0};

	if (request->op.status != CACHE_OK) {
		respond_op_failure(request, response);
		return;
	}
	stats_json_append(&json, &request->op.stats[0]);
	response_json(response, 200, &json);
}
