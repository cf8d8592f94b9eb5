/* /stats, /stats/{ns} */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/json_out.h"
#include "handlers/handlers.h"
#include "handlers/json/stats_json.h"
#include "handlers/respond/error.h"

static enum handler_step stats_start(struct request *request, struct response *response)
{
	(void)response;
	cache_op_init(&request->op, CACHE_OP_STATS);
	request->op.ns = request->ns;
	request->op.takes_branches = true;
	return STEP_SUBMIT;
}

static void append_totals(struct buffer *json, const struct cache_op *op)
{
	struct namespace_stats sum = {0};

	for (size_t i = 0; i < op->stats_count; i++) {
		const struct namespace_stats *stats = &op->stats[i];

		sum.entry_count += stats->entry_count;
		sum.total_size_bytes += stats->total_size_bytes;
		sum.used_bytes += stats->used_bytes;
		sum.hits += stats->hits;
		sum.misses += stats->misses;
		sum.stale_hits += stats->stale_hits;
		sum.sets += stats->sets;
		sum.deletes += stats->deletes;
		sum.evictions += stats->evictions;
		sum.expirations += stats->expirations;
	}
	buffer_printf(json,
		      "\"totals\":{\"entry_count\":%" PRIu64 ",\"total_size\":%" PRIu64
		      ",\"used_bytes\":%" PRIu64 ",",
		      sum.entry_count, sum.total_size_bytes, sum.used_bytes);
	stats_json_append_activity(json, &sum);
	json_out_raw(json, "}");
}

static void append_percentile(struct buffer *json, const char *name,
			      const struct latency_histogram *latency, double share)
{
	buffer_printf(json, "\"%s\":", name);
	if (latency_total(latency) == 0)
		json_out_raw(json, "null");
	else /* in tenths: the steps of the histogram are no finer */
		json_out_double(json, round(latency_percentile_ns(latency, share) / 100) / 10);
}

static void append_histogram(struct buffer *json, const struct latency_histogram *latency)
{
	json_out_raw(json, "\"histogram\":{\"upper_us\":[");
	for (size_t i = 0; i < LATENCY_BOUNDS; i++) {
		json_out_double(json, (double)latency_bounds_ns[i] / 1000);
		json_out_raw(json, ",");
	}
	json_out_raw(json, "null],\"count\":[");
	for (size_t i = 0; i < LATENCY_STEPS; i++)
		buffer_printf(json, "%s%" PRIu64, i > 0 ? "," : "", latency->count[i]);
	json_out_raw(json, "]}");
}

/* What the server itself has done since its start. */
static void append_requests(struct buffer *json, const struct server_figures *figures)
{
	const struct latency_histogram *latency = &figures->latency;

	buffer_printf(json,
		      ",\"requests\":{\"total\":%" PRIu64 ",\"server_errors\":%" PRIu64
		      ",\"latency_us\":{",
		      latency_total(latency), figures->server_errors);
	append_percentile(json, "p50", latency, 0.5);
	json_out_raw(json, ",");
	append_percentile(json, "p90", latency, 0.9);
	json_out_raw(json, ",");
	append_percentile(json, "p99", latency, 0.99);
	json_out_raw(json, ",");
	append_percentile(json, "p999", latency, 0.999);
	json_out_raw(json, "},");
	append_histogram(json, latency);
	json_out_raw(json, "}");
}

/* ---- The backend's own figures ---- */

struct gauges {
	struct backend_gauge *list; /* malloc'ed */
	size_t count;
};

/* An object for each group of those that `backend`, or if that is NULL the whole, reports; a comma
 * before the first if there are members already. */
static void append_groups(struct buffer *json, const struct gauges *gauges, const char *backend,
			  bool has_members)
{
	const char *group = NULL;

	for (size_t i = 0; i < gauges->count; i++) {
		const struct backend_gauge *gauge = &gauges->list[i];

		/* A name of a backend is one pointer. */
		if (gauge->backend != backend)
			continue;
		bool is_first = !group || strcmp(group, gauge->group) != 0;

		if (is_first)
			buffer_printf(json, "%s%s\"%s\":{", group ? "}" : "",
				      group || has_members ? "," : "", gauge->group);
		group = gauge->group;
		buffer_printf(json, "%s\"%s\":", is_first ? "" : ",", gauge->name);
		if (gauge->text)
			json_out_string(json, slice_of(gauge->text));
		else
			json_out_double(json, gauge->value);
	}
	if (group)
		json_out_raw(json, "}");
}

/* One of several backends. */
static void append_branch(struct buffer *json, const struct cache_branch *branch,
			  const struct gauges *gauges)
{
	json_out_string(json, slice_of(branch->name));
	buffer_printf(json, ":{\"up\":%s", branch->status == CACHE_OK ? "true" : "false");
	if (*branch->detail) {
		json_out_raw(json, ",\"detail\":");
		json_out_string(json, slice_of(branch->detail));
	}
	if (gauges) {
		json_out_raw(json, ",\"url\":");
		json_out_string(json, slice_of(branch->url));
		append_groups(json, gauges, branch->name, true);
	}
	json_out_raw(json, "}");
}

/* Figures, and where backends are, cover all namespaces together. */
static void append_backends(struct buffer *json, const struct request *request)
{
	struct backend *backend = request->context->backend;
	const struct cache_op *op = &request->op;
	size_t max = backend_gauges_max(backend);
	struct gauges gauges = {.list = calloc(max, sizeof(*gauges.list))};
	bool shows_all = !request->may_use;

	json->failed |= !gauges.list;
	if (gauges.list && shows_all && backend->ops->gauges)
		gauges.count = backend->ops->gauges(backend, gauges.list, max);
	append_groups(json, &gauges, NULL, true);
	for (size_t i = 0; i < op->branch_count; i++) {
		json_out_raw(json, i > 0 ? "," : ",\"backends\":{");
		append_branch(json, &op->branches[i], shows_all ? &gauges : NULL);
	}
	if (op->branch_count > 0)
		json_out_raw(json, "}");
	free(gauges.list);
}

static void stats_finish(struct request *request, struct response *response)
{
	const struct handler_context *context = request->context;
	const struct cache_op *op = &request->op;
	struct server_figures figures;
	struct buffer json = {0};

	if (op->status != CACHE_OK) {
		respond_op_failure(request, response);
		return;
	}
	int64_t uptime_us = cache_clock_now_us(context->clock) - context->started_at_us;
	context->figures.read(context->figures.user, &figures);
	buffer_printf(&json,
		      "{\"server\":{\"version\":\"%s\",\"uptime\":%" PRId64
		      ",\"backend\":\"%s\",\"connections\":%u},",
		      context->version, uptime_us / US_PER_S, context->backend->ops->name,
		      figures.connections);
	stats_json_keep_usable(request);
	append_totals(&json, op);
	append_requests(&json, &figures);
	append_backends(&json, request);
	json_out_raw(&json, ",\"namespaces\":{");
	for (size_t i = 0; i < op->stats_count; i++) {
		if (i > 0)
			json_out_raw(&json, ",");
		json_out_string(&json, slice_of(op->stats[i].name));
		json_out_raw(&json, ":");
		stats_json_append(&json, &op->stats[i]);
	}
	json_out_raw(&json, "}}");
	response_json(response, 200, &json);
}

const struct handler handler_stats = {.start = stats_start, .finish = stats_finish};
const struct handler handler_namespace_stats = {
	.start = stats_start,
	.finish = stats_json_finish,
};
