/* Requests and answers of the original Worker. */
#include "backends/d1/api_wire.h"

#include <stdlib.h>

#include "backends/d1/defaults.h"
#include "backends/remote/namespaces.h"
#include "backends/remote/wire.h"
#include "base/json_out.h"

#define BYTES_PER_MB 1048576.0

/* Keys in one /api/batch/get: the original binds each to a variable of one statement, and D1 allows
 * a hundred. */
#define API_KEYS_MAX 90

/* What a call does next, according to call->step. Gets count the keys that have been asked for,
 * sets go through these. */
enum api_set_step { API_SET, API_INIT, API_SET_AGAIN };

/* ---- Requests ---- */

static void begin_object(struct buffer *out, struct slice ns)
{
	buffer_append_char(out, '{');
	remote_wire_write_text(out, "cache_name", ns);
}

static size_t count_items(const struct remote_call *call)
{
	size_t count = 0;

	for (const struct remote_job *job = call->jobs.first; job; job = job->next)
		count += job->item_count;
	return count;
}

/* The keys from number call->step on. A key whose op is gone is replaced by one that nobody asks
 * about. */
static const char *write_get(const struct remote_call *call, const struct cache_op *op,
			     struct buffer *out)
{
	size_t at = 0;
	size_t written = 0;

	begin_object(out, op->ns);
	if (count_items(call) == 1) {
		buffer_append_char(out, ',');
		remote_wire_write_text(out, "key", op->items[0].key);
		buffer_append_char(out, '}');
		return "/api/get";
	}
	buffer_append(out, SLICE(",\"keys\":["));
	for (const struct remote_job *job = call->jobs.first; job; job = job->next) {
		for (size_t i = 0; i < job->item_count; i++, at++) {
			if (!job->op || at < call->step || at >= call->step + API_KEYS_MAX)
				continue;
			if (written++ > 0)
				buffer_append_char(out, ',');
			json_out_string(out, job->op->items[i].key);
		}
	}
	buffer_append(out, SLICE("]}"));
	return "/api/batch/get";
}

static void write_item(struct buffer *out, const struct cache_item *item)
{
	remote_wire_write_text(out, "key", item->key);
	buffer_append_char(out, ',');
	remote_wire_write_text(out, "value", cache_value_bytes(item->value));
	buffer_append_char(out, ',');
	remote_wire_write_integer(out, "size", (int64_t)item->size_bytes);
	buffer_append_char(out, '}');
}

static const char *write_init(struct buffer *out, struct slice ns, uint64_t max_size_bytes)
{
	begin_object(out, ns);
	buffer_append(out, SLICE(",\"max_size_mb\":"));
	json_out_double(out, (double)max_size_bytes / BYTES_PER_MB);
	buffer_append_char(out, '}');
	return "/api/init";
}

static const char *write_set(const struct remote_context *context, const struct remote_call *call,
			     const struct cache_op *op, struct buffer *out)
{
	if (call->step == API_INIT) {
		struct namespace_settings settings;

		d1_defaults_of(context, op->ns, &settings);
		return write_init(out, op->ns, settings.max_size_bytes);
	}
	begin_object(out, op->ns);
	buffer_append_char(out, ',');
	if (op->item_count == 1) {
		write_item(out, &op->items[0]);
		return "/api/set";
	}
	buffer_append(out, SLICE("\"items\":["));
	for (size_t i = 0; i < op->item_count; i++) {
		buffer_append(out, i > 0 ? SLICE(",{") : SLICE("{"));
		write_item(out, &op->items[i]);
	}
	buffer_append(out, SLICE("]}"));
	return "/api/batch/set";
}

static const char *write_configure(const struct remote_context *context, const struct cache_op *op,
				   struct buffer *out)
{
	struct namespace_settings settings;

	d1_defaults_of(context, op->ns, &settings);
	if (op->settings_mask & SETTING_MAX_SIZE)
		settings.max_size_bytes = op->settings.max_size_bytes;
	return write_init(out, op->ns, settings.max_size_bytes);
}

bool d1_api_wire_write(const struct remote_context *context, struct remote_call *call, size_t part,
		       struct remote_request *request)
{
	struct buffer *body = &request->body;
	const struct cache_op *op = NULL;

	(void)part;
	for (const struct remote_job *job = call->jobs.first; job && !op; job = job->next)
		op = job->op;
	if (!op || op->type == CACHE_OP_CHECK) {
		/* Any answer shows that it is alive. */
		begin_object(body, SLICE("generation_cache"));
		buffer_append_char(body, '}');
		request->path = "/api/stats";
	} else if (op->type == CACHE_OP_GET) {
		request->path = write_get(call, op, body);
	} else if (op->type == CACHE_OP_SET) {
		request->path = write_set(context, call, op, body);
	} else if (op->type == CACHE_OP_CONFIGURE) {
		request->path = write_configure(context, op, body);
	} else {
		begin_object(body, op->ns);
		buffer_append_char(body, '}');
		request->path = op->type == CACHE_OP_CLEAR ? "/api/clear" : "/api/stats";
	}
	return !body->failed;
}

/* ---- Answers ---- */

/* The original fails with 500 if a cache was never initialized: that is an empty cache. */
static bool lacks_table(const struct remote_answer *answer)
{
	static const char words[] = "no such table";

	return answer->status == 500 && answer->body.len > 0 &&
	       memmem(answer->body.data, answer->body.len, words, sizeof(words) - 1) != NULL;
}

bool d1_api_wire_reads(const struct remote_answer *answer)
{
	return answer->status == 200 || lacks_table(answer);
}

static int64_t now_of(const struct remote_context *context)
{
	const struct cache_clock *clock = context->config->clock;

	return cache_clock_now_us(clock ? clock : &system_clock);
}

/* Whether `found` is {"found":true,"value":text} or {"found":false}. */
static bool found_is_sound(const json_t *found)
{
	const json_t *flag = json_object_get(found, "found");

	return json_is_false(flag) ||
	       (json_is_true(flag) && json_is_string(json_object_get(found, "value")));
}

/* NULL `found`: the cache was never initialized. False: out of memory. */
static bool take_found(const struct remote_context *context, const json_t *found,
		       struct cache_item *item)
{
	struct remote_wire_bytes bytes;

	item->status = CACHE_NOT_FOUND;
	if (!json_is_true(json_object_get(found, "found")) ||
	    !remote_wire_read_bytes(found, "value", &bytes))
		return true;
	if (remote_wire_make_value(&bytes, SLICE(CONTENT_TYPE_TEXT), &item->value) != CACHE_OK)
		return false;
	item->value->modified_at_us = now_of(context); /* the answer does not say */
	item->status = CACHE_OK;
	return true;
}

static void finish_gets(const struct remote_context *context, struct remote_call *call)
{
	for (struct remote_job *job = call->jobs.first; job; job = job->next) {
		const struct cache_item *items = job->op ? job->op->items : NULL;

		for (const struct remote_job *each = job; each && items; each = each->twins)
			if (each->op)
				remote_namespaces_count(context->namespaces, each->op, items);
		remote_job_succeed(job);
	}
}

/* Walks the items that the last request asked for: checks their answers, or with `take` uses
 * them. */
static bool visit_gets(const struct remote_context *context, struct remote_call *call,
		       const json_t *root, bool take)
{
	const json_t *results = json_object_get(root, "results");
	bool is_single = count_items(call) == 1;
	size_t at = 0;

	for (struct remote_job *job = call->jobs.first; job; job = job->next) {
		for (size_t i = 0; i < job->item_count; i++, at++) {
			if (!job->op || at < call->step || at >= call->step + API_KEYS_MAX)
				continue;
			struct cache_item *item = &job->op->items[i];
			const json_t *found = is_single ? root
							: json_object_getn(results, item->key.data,
									   item->key.len);
			if (!take && root && !found_is_sound(found))
				return false;
			if (take && !take_found(context, found, item)) {
				remote_job_fail(job, CACHE_NO_MEMORY, NULL, 1);
				at += job->item_count - i;
				break;
			}
		}
	}
	return true;
}

static enum remote_step read_gets(const struct remote_context *context, struct remote_call *call,
				  const json_t *root)
{
	if (!visit_gets(context, call, root, false))
		return STEP_BAD;
	(void)visit_gets(context, call, root, true);
	call->step += API_KEYS_MAX;
	if (call->step < count_items(call))
		return STEP_AGAIN;
	finish_gets(context, call);
	return STEP_DONE;
}

static enum remote_step read_set(const struct remote_context *context, struct remote_call *call,
				 bool is_missing, const json_t *root)
{
	struct remote_job *job = call->jobs.first;

	if (is_missing && call->step == API_SET) {
		call->step = API_INIT;
		return STEP_AGAIN;
	}
	if (!json_is_true(json_object_get(root, "success")))
		return STEP_BAD;
	if (call->step == API_INIT) {
		call->step = API_SET_AGAIN;
		return STEP_AGAIN;
	}
	if (job->op)
		job->op->history_lost = 0;
	for (size_t i = 0; job->op && i < job->op->item_count; i++) {
		struct cache_item *item = &job->op->items[i];

		item->status = CACHE_OK;
		item->created = false; /* the answer does not say */
		item->value->modified_at_us = now_of(context);
		item->value->expires_at_us = 0;
		job->op->history_lost += item->history != NULL;
	}
	if (job->op)
		remote_namespaces_count(context->namespaces, job->op, job->op->items);
	remote_job_succeed(job);
	return STEP_DONE;
}

/* Sums over nothing may be null. */
static bool stats_are_sound(const json_t *root)
{
	static const char *const names[] = {"entry_count", "total_size", "avg_frequency",
					    "max_frequency"};
	bool is_empty = remote_wire_read_integer(root, "entry_count", -1) == 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!remote_wire_has_count(root, names[i]) &&
		    !(is_empty && json_is_null(json_object_get(root, names[i]))))
			return false;
	return remote_wire_has_count(root, "max_size_bytes");
}

static enum remote_step read_stats(const struct remote_context *context, struct remote_job *job,
				   bool is_missing, const json_t *root)
{
	struct namespace_stats *stats;

	if (!is_missing && !stats_are_sound(root))
		return STEP_BAD;
	if (!job->op)
		return STEP_DONE;
	stats = job->op->stats = calloc(1, sizeof(*stats));
	if (!stats) {
		remote_job_fail(job, CACHE_NO_MEMORY, NULL, 1);
		return STEP_DONE;
	}
	job->op->stats_count = 1;
	memcpy(stats->name, job->op->ns.data, job->op->ns.len);
	d1_defaults_of(context, job->op->ns, &stats->settings);
	stats->entry_count = (uint64_t)remote_wire_read_integer(root, "entry_count", 0);
	stats->total_size_bytes = (uint64_t)remote_wire_read_integer(root, "total_size", 0);
	stats->used_bytes = stats->total_size_bytes; /* the original counts only sizes */
	stats->avg_frequency = remote_wire_read_double(root, "avg_frequency");
	stats->max_frequency = (uint64_t)remote_wire_read_integer(root, "max_frequency", 0);
	stats->settings.max_size_bytes = (uint64_t)remote_wire_read_integer(
		root, "max_size_bytes", (int64_t)stats->settings.max_size_bytes);
	remote_namespaces_fill(context->namespaces, stats);
	remote_job_succeed(job);
	return STEP_DONE;
}

static enum remote_step read_check(struct remote_job *job)
{
	if (job->op) {
		job->op->checks[0] = (struct cache_health_check){.name = "upstream", .ok = true};
		job->op->check_count = 1;
		remote_job_succeed(job);
	}
	return STEP_DONE;
}

enum remote_step d1_api_wire_read(const struct remote_context *context, struct remote_call *call,
				  size_t part, const struct remote_answer *answer)
{
	bool is_missing = lacks_table(answer);
	json_auto_t *root = NULL;
	struct remote_job *first = call->jobs.first;
	const struct cache_op *op = NULL;

	(void)part;
	for (const struct remote_job *job = first; job && !op; job = job->next)
		op = job->op;
	if (!op)
		return STEP_DONE;
	if (!is_missing && !remote_wire_read_object(buffer_bytes(&answer->body), &root))
		return STEP_NO_MEMORY;
	if (!is_missing && !root)
		return STEP_BAD;
	switch (op->type) {
	case CACHE_OP_GET:
		return read_gets(context, call, root);
	case CACHE_OP_SET:
		return read_set(context, call, is_missing, root);
	case CACHE_OP_STATS:
		return read_stats(context, first, is_missing, root);
	case CACHE_OP_CHECK:
		return read_check(first);
	default:
		if (!is_missing && !json_is_true(json_object_get(root, "success")))
			return STEP_BAD;
		remote_job_succeed(first);
		return STEP_DONE;
	}
}
