/* /metrics, in the text format of Prometheus.
 *
 * The server's own counts are included even if the backend fails: that is when somebody looks. No
 * key and nothing else that clients choose freely becomes a label. Clients do choose namespaces, so
 * only a limited number of these get labels of their own. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_out.h"
#include "handlers/admin/namespace_labels.h"
#include "handlers/handlers.h"
#include "handlers/respond/error.h"
#include "handlers/respond/status.h"

#define PREFIX   "steadycache_"
#define DURATION PREFIX "request_duration_seconds"

static void begin(struct buffer *text, const char *name, const char *type, const char *help)
{
	buffer_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void append_number(struct buffer *text, const char *name, double number)
{
	buffer_printf(text, "%s ", name);
	json_out_double(text, number);
	buffer_append_char(text, '\n');
}

static void append_one(struct buffer *text, const char *name, const char *type, const char *help,
		       double number)
{
	begin(text, name, type, help);
	append_number(text, name, number);
}

/* ---- The server ---- */

static void append_answers(void *user, const struct answer_count *answers)
{
	char status[16] = "other";

	if (answers->status > 0)
		(void)snprintf(status, sizeof(status), "%u", answers->status);
	buffer_printf(user,
		      PREFIX "requests_total{route=\"%s\",method=\"%s\",status=\"%s\"} %" PRIu64
			     "\n",
		      answers->route, answers->method, status, answers->count);
}

/* Every second step is enough: each route has that many series. */
static void append_latency(void *user, const struct route_latency *row)
{
	const struct latency_histogram *latency = &row->latency;
	struct buffer *text = user;
	char labels[256];
	uint64_t upto = 0;

	(void)snprintf(labels, sizeof(labels), "route=\"%s\",method=\"%s\"", row->route,
		       row->method);
	for (size_t i = 0; i < LATENCY_BOUNDS; i++) {
		upto += latency->count[i];
		if (i % 2 == 0)
			continue;
		buffer_printf(text, DURATION "_bucket{%s,le=\"", labels);
		json_out_double(text, (double)latency_bounds_ns[i] / 1e9);
		buffer_printf(text, "\"} %" PRIu64 "\n", upto);
	}
	upto += latency->count[LATENCY_BOUNDS];
	buffer_printf(text, DURATION "_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n", labels, upto);
	buffer_printf(text, DURATION "_sum{%s} ", labels);
	json_out_double(text, (double)latency->sum_ns / 1e9);
	buffer_printf(text, "\n" DURATION "_count{%s} %" PRIu64 "\n", labels, upto);
}

static bool is_failure(enum cache_status status)
{
	return status_http(status) >= 500;
}

static void append_operations(void *user, const struct operation_count *operations)
{
	buffer_printf(user,
		      PREFIX "backend_operations_total{operation=\"%s\",result=\"%s\"} %" PRIu64
			     "\n",
		      cache_op_name(operations->type), cache_status_name(operations->status),
		      operations->count);
}

static void append_failures(void *user, const struct operation_count *operations)
{
	if (is_failure(operations->status))
		buffer_printf(user,
			      PREFIX "backend_errors_total{operation=\"%s\",error=\"%s\"} %" PRIu64
				     "\n",
			      cache_op_name(operations->type),
			      cache_status_name(operations->status), operations->count);
}

static void append_server(struct buffer *text, const struct handler_context *context)
{
	const struct figures_source *source = &context->figures;
	struct server_figures figures;

	source->read(source->user, &figures);
	begin(text, PREFIX "build_info", "gauge", "1, with what runs as labels.");
	buffer_printf(text, PREFIX "build_info{version=\"%s\",backend=\"%s\"} 1\n",
		      context->version, context->backend->ops->name);
	append_one(text, PREFIX "connections", "gauge", "Open connections.", figures.connections);
	begin(text, PREFIX "requests_total", "counter",
	      "Requests answered, by the pattern of their path.");
	source->each_answer(source->user, append_answers, text);
	append_one(text, PREFIX "requests_unanswered_total", "counter",
		   "Requests whose client left before an answer was there.",
		   (double)figures.unanswered);
	begin(text, DURATION, "histogram",
	      "From the end of a request's headers until its answer is handed on to be sent.");
	source->each_latency(source->user, append_latency, text);
	append_one(text, PREFIX "requests_waiting", "gauge",
		   "Requests that wait for a value which another client computes.",
		   (double)figures.waiting);
	append_one(text, PREFIX "leases", "gauge", "Leases that are out.", (double)figures.leases);
	append_one(text, PREFIX "watchers", "gauge", "Clients that watch a namespace.",
		   (double)figures.watchers);
	append_one(text, PREFIX "watch_events_total", "counter", "Events sent to them.",
		   (double)figures.watch_events);
	append_one(text, PREFIX "watch_resets_total", "counter",
		   "Resets of those that were too slow, or for whom changes were missed.",
		   (double)figures.watch_resets);
	append_one(
		text, PREFIX "log_lines_dropped_total", "counter",
		"Lines of the log that could not be written, as their reader was too slow, or the "
		"disk full.",
		(double)figures.log_lines_dropped);
	begin(text, PREFIX "backend_operations_total", "counter",
	      "Operations of the backend that ended, by what came of them.");
	source->each_operation(source->user, append_operations, text);
	begin(text, PREFIX "backend_errors_total", "counter",
	      "Those of them that failed for a reason of the server's or the backend's own.");
	source->each_operation(source->user, append_failures, text);
}

static void append_process(struct buffer *text, const struct handler_context *context)
{
	struct process_figures process;

	context->figures.read_process(&process);
	append_one(text, "process_resident_memory_bytes", "gauge", "Resident memory.",
		   (double)process.resident_bytes);
	append_one(text, "process_virtual_memory_bytes", "gauge", "Address space.",
		   (double)process.virtual_bytes);
	append_one(text, "process_cpu_seconds_total", "counter", "User and system time.",
		   process.cpu_s);
	append_one(text, "process_open_fds", "gauge", "Open file descriptors.",
		   (double)process.open_files);
	append_one(text, "process_max_fds", "gauge", "Most that may be open.",
		   (double)process.max_files);
	append_one(text, "process_start_time_seconds", "gauge",
		   "When the server started, since 1970.",
		   (double)context->started_at_us / (double)US_PER_S);
}

/* ---- The backend's gauges ---- */

static bool is_in_us(const struct backend_gauge *gauge)
{
	size_t len = strlen(gauge->name);

	return len > 3 && strcmp(gauge->name + len - 3, "_us") == 0;
}

/* Prometheus wants base units, so microseconds become seconds, and "_total" after what only
 * grows. */
static void name_gauge(const struct backend_gauge *gauge, char *ret, size_t size)
{
	size_t len = strlen(gauge->name) - (is_in_us(gauge) ? 3 : 0);

	(void)snprintf(ret, size, PREFIX "%s_%.*s%s%s", gauge->group, (int)len, gauge->name,
		       is_in_us(gauge) ? "_seconds" : "", gauge->counts ? "_total" : "");
}

static void append_sample_of(struct buffer *text, const char *name,
			     const struct backend_gauge *gauge)
{
	json_out_raw(text, name);
	if (gauge->backend && gauge->text)
		buffer_printf(text, "{backend=\"%s\",state=\"%s\"}", gauge->backend, gauge->text);
	else if (gauge->backend)
		buffer_printf(text, "{backend=\"%s\"}", gauge->backend);
	else if (gauge->text)
		buffer_printf(text, "{state=\"%s\"}", gauge->text);
	append_number(text, "",
		      gauge->text       ? 1
		      : is_in_us(gauge) ? gauge->value / (double)US_PER_S
					: gauge->value);
}

static bool is_same(const struct backend_gauge *a, const struct backend_gauge *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->group, b->group) == 0;
}

/* All backends' samples of one metric stand together. */
static void append_metric_of(struct buffer *text, const struct backend_gauge *gauges, size_t count,
			     size_t first)
{
	const struct backend_gauge *gauge = &gauges[first];
	char name[128];

	for (size_t i = 0; i < first; i++)
		if (is_same(&gauges[i], gauge))
			return;
	name_gauge(gauge, name, sizeof(name));
	begin(text, name, gauge->counts ? "counter" : "gauge", gauge->help);
	for (size_t i = first; i < count; i++)
		if (is_same(&gauges[i], gauge))
			append_sample_of(text, name, &gauges[i]);
}

static void append_gauges(struct buffer *text, struct backend *backend)
{
	size_t max = backend_gauges_max(backend), count = 0;
	struct backend_gauge *gauges = calloc(max, sizeof(*gauges));

	text->failed |= !gauges;
	if (gauges && backend->ops->gauges)
		count = backend->ops->gauges(backend, gauges, max);
	for (size_t i = 0; i < count; i++)
		append_metric_of(text, gauges, count, i);
	free(gauges);
}

/* Of each of several, or of the one. */
static void append_up(struct buffer *text, const struct cache_op *op)
{
	begin(text, PREFIX "backend_up", "gauge",
	      "1 where the backend told what the namespaces hold, else 0.");
	for (size_t i = 0; i < op->branch_count; i++)
		buffer_printf(text, PREFIX "backend_up{backend=\"%s\"} %d\n", op->branches[i].name,
			      op->branches[i].status == CACHE_OK);
	if (op->branch_count == 0)
		append_number(text, PREFIX "backend_up", op->status == CACHE_OK);
}

/* ---- The namespaces ---- */

static const struct {
	const char *name, *type, *help;
	size_t offset; /* in struct namespace_stats, of a uint64_t */
} sums[] = {
	{PREFIX "entries", "gauge", "Entries held.", offsetof(struct namespace_stats, entry_count)},
	{PREFIX "bytes", "gauge", "Bytes of the values held, by their declared sizes.",
	 offsetof(struct namespace_stats, total_size_bytes)},
	{PREFIX "namespace_used_bytes", "gauge",
	 "Bytes that count against the size limit: keys, content types, sizes, 128 an entry.",
	 offsetof(struct namespace_stats, used_bytes)},
	{PREFIX "hits_total", "counter", "Reads that found an entry.",
	 offsetof(struct namespace_stats, hits)},
	{PREFIX "stale_hits_total", "counter", "Hits on an entry that had expired (stale_ttl).",
	 offsetof(struct namespace_stats, stale_hits)},
	{PREFIX "misses_total", "counter", "Reads that found none.",
	 offsetof(struct namespace_stats, misses)},
	{PREFIX "sets_total", "counter", "Entries stored.", offsetof(struct namespace_stats, sets)},
	{PREFIX "deletes_total", "counter", "Entries deleted.",
	 offsetof(struct namespace_stats, deletes)},
	{PREFIX "evictions_total", "counter", "Entries that gave way to others.",
	 offsetof(struct namespace_stats, evictions)},
	{PREFIX "expirations_total", "counter", "Entries whose time was over.",
	 offsetof(struct namespace_stats, expirations)},
};
#define SUMS (sizeof(sums) / sizeof(sums[0]))

static uint64_t read_sum(const struct namespace_stats *stats, size_t i)
{
	uint64_t number;

	memcpy(&number, (const char *)stats + sums[i].offset, sizeof(number));
	return number;
}

/* The backend's statistics, and which namespaces have a label of their own. */
struct shares {
	const struct namespace_stats *stats;
	size_t count;
	bool *is_shown; /* of each */
	bool has_rest;
};

static void append_sample(struct buffer *text, const char *metric, const char *ns, uint64_t number)
{
	buffer_printf(text, "%s{namespace=\"%s\"} %" PRIu64 "\n", metric, ns, number);
}

static void append_sums(struct buffer *text, const struct shares *shares)
{
	for (size_t metric = 0; metric < SUMS; metric++) {
		uint64_t rest = 0;

		begin(text, sums[metric].name, sums[metric].type, sums[metric].help);
		for (size_t i = 0; i < shares->count; i++) {
			uint64_t number = read_sum(&shares->stats[i], metric);

			if (shares->is_shown[i])
				append_sample(text, sums[metric].name, shares->stats[i].name,
					      number);
			else
				rest += number;
		}
		if (shares->has_rest)
			append_sample(text, sums[metric].name, NAMESPACE_LABEL_OTHERS, rest);
	}
}

/* Only if there is a limit; the limits of the rest have no meaningful sum. */
static void append_limits(struct buffer *text, const struct shares *shares)
{
	const struct namespace_stats *stats = shares->stats;

	begin(text, PREFIX "max_bytes", "gauge", "The size limit; absent where there is none.");
	for (size_t i = 0; i < shares->count; i++)
		if (shares->is_shown[i] && stats[i].settings.max_size_bytes > 0)
			append_sample(text, PREFIX "max_bytes", stats[i].name,
				      stats[i].settings.max_size_bytes);
	begin(text, PREFIX "max_entries", "gauge", "The capacity; absent where there is no limit.");
	for (size_t i = 0; i < shares->count; i++)
		if (shares->is_shown[i] && stats[i].settings.capacity != CAPACITY_UNLIMITED)
			append_sample(text, PREFIX "max_entries", stats[i].name,
				      (uint64_t)stats[i].settings.capacity);
}

static void append_namespaces(struct buffer *text, const struct handler_context *context,
			      const struct cache_op *op)
{
	struct shares shares = {
		.stats = op->stats,
		.count = op->stats_count,
		.is_shown = calloc(op->stats_count + 1, sizeof(*shares.is_shown)),
	};

	if (!shares.is_shown) {
		text->failed = true;
		return;
	}
	namespace_labels_give(context->labels, shares.stats, shares.count, shares.is_shown);
	for (size_t i = 0; i < shares.count; i++)
		shares.has_rest |= !shares.is_shown[i] &&
				   strcmp(shares.stats[i].name, NAMESPACE_LABEL_OTHERS) != 0;
	/* A namespace named like the rest has that label alone if there is no rest. */
	for (size_t i = 0; i < shares.count && !shares.has_rest; i++)
		shares.is_shown[i] = true;
	append_sums(text, &shares);
	append_limits(text, &shares);
	free(shares.is_shown);
}

/* ---- The handler ---- */

/* Whoever scrapes gives up in time, after 10 s in Prometheus, and then has nothing of what tells
 * that the backend is the one to blame. */
#define PATIENCE_US (2 * US_PER_S)

static enum handler_step metrics_start(struct request *request, struct response *response)
{
	(void)response;
	cache_op_init(&request->op, CACHE_OP_STATS);
	request->op.patience_us = PATIENCE_US;
	request->op.takes_branches = true;
	return STEP_SUBMIT;
}

static void metrics_finish(struct request *request, struct response *response)
{
	const struct handler_context *context = request->context;
	const struct cache_op *op = &request->op;
	struct buffer text = {0};
	bool is_up = op->status == CACHE_OK;

	append_server(&text, context);
	append_process(&text, context);
	append_gauges(&text, context->backend);
	append_up(&text, op);
	if (is_up)
		append_namespaces(&text, context, op);
	if (text.failed) {
		buffer_deinit(&text);
		respond_error(request, response, status_http(CACHE_NO_MEMORY), "%s",
			      status_text(CACHE_NO_MEMORY));
		return;
	}
	response_header_static(response, "Cache-Control", "no-store");
	response_header_static(response, "Content-Type",
			       "text/plain; version=0.0.4; charset=utf-8");
	response->body = BODY_BUFFER;
	response->buffer = text;
}

const struct handler handler_metrics = {.start = metrics_start, .finish = metrics_finish};
