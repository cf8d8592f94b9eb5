#include "backends/redis/write.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends/redis/batch.h"
#include "backends/redis/command.h"
#include "backends/redis/gather.h"
#include "backends/redis/script.h"
#include "backends/redis/value.h"

/* The lane of all that changes something, or must come after that: so what was used is told before
 * the write that may evict. */
#define LANE_IN_ORDER 1

/* Numbers that the script can keep: those of doubles. */
#define NUMBER_MAX ((INT64_C(1) << 53) - 1)

struct writer {
	const struct remote_context *context;
	struct redis_state *state;
	struct remote_request *request;
	struct redis_batch *batch;
	bool by_hash; /* EVALSHA in place of FCALL */
};

/* ---- Calls of the script ---- */

static void begin_call(const struct writer *writer, const char *name, struct slice keys,
		       size_t key_count, size_t arguments)
{
	struct remote_request *request = writer->request;
	char text[64];

	redis_command_begin(request, 3 + key_count + arguments + writer->by_hash);
	if (writer->by_hash) {
		redis_command_word(request, SLICE("EVALSHA"));
		redis_command_word(request, slice_of(redis_script_sha1));
	} else {
		(void)snprintf(text, sizeof(text), REDIS_SCRIPT_LIBRARY "_%s", name);
		redis_command_word(request, SLICE("FCALL"));
		redis_command_word(request, slice_of(text));
	}
	redis_command_integer(request, (int64_t)key_count);
	buffer_append(&request->body, keys);
	if (writer->by_hash)
		redis_command_word(request, slice_of(name));
}

/* One about a namespace; its first argument, the time, is among the `arguments`. */
static void begin_space_call(const struct writer *writer, const struct redis_command *command,
			     const char *name, size_t arguments)
{
	const struct cache_clock *clock = writer->context->config->clock;

	const struct redis_part *part = command->part;
	bool is_cluster = writer->state->spaces.is_cluster;

	begin_call(writer, name, is_cluster ? buffer_bytes(&part->keys) : part->key_first,
		   is_cluster ? REDIS_KEYS : 1, arguments);
	redis_command_integer(writer->request, clock ? cache_clock_now_us(clock) : 0);
}

static int64_t bounded(uint64_t number)
{
	return number < NUMBER_MAX ? (int64_t)number : NUMBER_MAX;
}

static void write_defaults(const struct writer *writer, const struct redis_part *part)
{
	struct namespace_settings settings;
	char text[96];

	redis_state_defaults(writer->context, part, &settings);
	(void)snprintf(text, sizeof(text), "%" PRId64 " %" PRId64 " %" PRId64 " %d",
		       bounded(settings.max_size_bytes),
		       settings.capacity < 0 ? -1 : bounded((uint64_t)settings.capacity),
		       bounded((uint64_t)settings.default_ttl_s), (int)settings.policy);
	redis_command_word(writer->request, slice_of(text));
}

/* Whether anybody listens, nobody knows here. */
static void write_notify(const struct writer *writer)
{
	buffer_append(&writer->request->body, buffer_bytes(&writer->state->news.notify));
}

static void write_condition(const struct writer *writer, const struct cache_op *op)
{
	static const char *const kinds[] = {
		[CONDITION_NONE] = "",
		[CONDITION_ABSENT] = "absent",
		[CONDITION_PRESENT] = "present",
		[CONDITION_MATCH] = "match",
		[CONDITION_NONE_MATCH] = "none_match",
	};
	static const struct cache_condition none;
	const struct cache_condition *condition =
		op->item_count == 1 ? &op->items[0].condition : &none;
	bool has_etags =
		condition->kind == CONDITION_MATCH || condition->kind == CONDITION_NONE_MATCH;

	redis_command_word(writer->request, slice_of(kinds[condition->kind]));
	redis_command_word(
		writer->request,
		(struct slice){
			.data = has_etags ? (const char *)condition->etags : NULL,
			.len = has_etags ? condition->etag_count * sizeof(struct etag) : 0,
		});
}

/* ---- Commands ---- */

static void write_ping(const struct writer *writer, const struct redis_command *command)
{
	(void)command;
	redis_command_begin(writer->request, 1);
	redis_command_word(writer->request, SLICE("PING"));
}

static void write_time(const struct writer *writer, const struct redis_command *command)
{
	(void)command;
	redis_command_begin(writer->request, 1);
	redis_command_word(writer->request, SLICE("TIME"));
}

static void write_claim(const struct writer *writer, const struct redis_command *command)
{
	(void)command;
	redis_command_begin(writer->request, 4);
	redis_command_word(writer->request, SLICE("SET"));
	buffer_append(&writer->request->body, buffer_bytes(&writer->state->partitions_key));
	redis_command_integer(writer->request, writer->state->spaces.part_count);
	redis_command_word(writer->request, SLICE("NX"));
}

static void write_claimed(const struct writer *writer, const struct redis_command *command)
{
	(void)command;
	redis_command_begin(writer->request, 2);
	redis_command_word(writer->request, SLICE("GET"));
	buffer_append(&writer->request->body, buffer_bytes(&writer->state->partitions_key));
}

static void write_stats(const struct writer *writer, const struct redis_command *command)
{
	begin_space_call(writer, command, "stats", 2);
	write_defaults(writer, command->part);
}

static uint32_t bounded_u32(uint64_t number)
{
	return number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
}

static void write_use(const struct writer *writer, const struct redis_command *command)
{
	const struct redis_uses *uses = &command->uses;
	int64_t now_us = redis_state_use_us(writer->context);

	begin_space_call(writer, command, "use", 5 + uses->count);
	redis_command_integer(writer->request, (int64_t)uses->hits);
	redis_command_integer(writer->request, (int64_t)uses->misses);
	redis_command_integer(writer->request, (int64_t)uses->stale_hits);
	redis_command_begin_word(writer->request, uses->count * 2 * sizeof(uint32_t));
	for (const struct redis_use *use = uses->oldest; use; use = use->newer) {
		int64_t age_us = now_us - use->last_us;
		const uint32_t numbers[] = {
			htole32(bounded_u32(use->count)),
			htole32(bounded_u32(age_us > 0 ? (uint64_t)age_us : 0)),
		};

		buffer_append(&writer->request->body, (struct slice){.data = (const char *)numbers,
								     .len = sizeof(numbers)});
	}
	redis_command_end_word(writer->request);
	for (const struct redis_use *use = uses->oldest; use; use = use->newer)
		redis_command_word(writer->request,
				   (struct slice){.data = use->key, .len = use->key_len});
}

/* HGET or HMGET of the keys of all jobs. */
static void write_fetch(const struct writer *writer, const struct redis_command *command)
{
	struct slice key =
		command->kind == COMMAND_GET ? command->part->key_values : command->part->key_heads;

	if (command->kind == COMMAND_HEADS)
		command++; /* of whose keys */
	redis_command_begin(writer->request, 2 + command->item_count);
	redis_command_word(writer->request,
			   command->item_count == 1 ? SLICE("HGET") : SLICE("HMGET"));
	buffer_append(&writer->request->body, key);
	for (const struct remote_job *job = command->job; job; job = job->grouped)
		for (size_t i = 0; i < job->op->item_count; i++)
			redis_command_word(writer->request, job->op->items[i].key);
}

static void write_history(const struct writer *writer, const struct cache_history *history)
{
	char text[96] = "";

	if (history)
		(void)snprintf(text, sizeof(text), "%" PRIu64 " %" PRId64 " %" PRId64 " %" PRId64,
			       history->frequency < HISTORY_MAX_FREQUENCY ? history->frequency
									  : HISTORY_MAX_FREQUENCY,
			       history->created_at_us, history->last_access_us,
			       history->expires_at_us);
	redis_command_word(writer->request, slice_of(text));
}

/* key, text, ttl, history. The times in the text are the script's, unless it finds them wrong. */
static void write_item(const struct writer *writer, const struct cache_item *item, int64_t told_us)
{
	struct buffer *body = &writer->request->body;
	struct slice bytes = cache_value_bytes(item->value);
	struct redis_times times = {.modified_at_us = told_us};
	char header[REDIS_HEADER_MAX_LEN];

	if (told_us > 0 && item->ttl_s > 0)
		times.expires_at_us = rules_expiry_us(item, 0, told_us);
	size_t len =
		redis_value_write_header(item->value, &times, bounded(item->size_bytes), header);
	redis_command_word(writer->request, item->key);
	redis_command_begin_word(writer->request, len + bytes.len);
	buffer_append(body, (struct slice){.data = header, .len = len});
	buffer_append(body, bytes);
	redis_command_end_word(writer->request);
	redis_command_integer(writer->request, item->ttl_s);
	write_history(writer, item->history);
}

/* Whether the call may create the partition. */
static void write_may_create(const struct writer *writer, const struct redis_command *command)
{
	redis_command_integer(writer->request,
			      redis_space_is_named(command->part->space, redis_state_mono_us()));
}

static void begin_set(const struct writer *writer, const struct redis_command *command,
		      const char *name, size_t arguments)
{
	begin_space_call(writer, command, name, arguments + 4 * command->item_count);
	write_defaults(writer, command->part);
	write_may_create(writer, command);
	write_notify(writer);
}

static void write_set(const struct writer *writer, const struct redis_command *command)
{
	const struct cache_op *op = command->job->op;

	begin_set(writer, command, "set", 6);
	write_condition(writer, op);
	for (size_t i = 0; i < op->item_count; i++)
		write_item(writer, &op->items[i], command->told_us);
}

static void write_set_each(const struct writer *writer, const struct redis_command *command)
{
	begin_set(writer, command, "set_each", 4);
	for (const struct remote_job *job = command->job; job; job = job->grouped)
		write_item(writer, &job->op->items[0], command->told_us);
}

static void write_delete(const struct writer *writer, const struct redis_command *command)
{
	const struct cache_op *op = command->job->op;

	begin_space_call(writer, command, "delete", 4 + op->item_count);
	write_notify(writer);
	write_condition(writer, op);
	for (size_t i = 0; i < op->item_count; i++)
		redis_command_word(writer->request, op->items[i].key);
}

static void write_expire(const struct writer *writer, const struct redis_command *command)
{
	const struct cache_op *op = command->job->op;

	begin_space_call(writer, command, "expire", 5 + 2 * op->item_count);
	write_defaults(writer, command->part);
	write_notify(writer);
	write_condition(writer, op);
	for (size_t i = 0; i < op->item_count; i++) {
		redis_command_word(writer->request, op->items[i].key);
		redis_command_integer(writer->request, op->items[i].ttl_s);
	}
}

static void write_drop(const struct writer *writer, const struct redis_command *command)
{
	begin_space_call(writer, command, "drop", 2);
	write_notify(writer);
}

static void write_unname(const struct writer *writer, const struct redis_command *command)
{
	redis_command_begin(writer->request, 3);
	redis_command_word(writer->request, SLICE("ZREM"));
	buffer_append(&writer->request->body, buffer_bytes(&writer->state->names_key));
	redis_command_word(writer->request, slice_of(command->part->space->name));
}

static void write_clear(const struct writer *writer, const struct redis_command *command)
{
	begin_space_call(writer, command, "clear", 2);
	write_notify(writer);
}

static void write_clear_prefix(const struct writer *writer, const struct redis_command *command)
{
	begin_space_call(writer, command, "clear_prefix", 4);
	write_notify(writer);
	redis_command_word(writer->request, command->job->op->prefix);
	redis_command_word(writer->request, buffer_bytes(&writer->batch->after));
}

static void write_list(const struct writer *writer, const struct redis_command *command)
{
	const struct cache_op *op = command->job->op;
	const struct redis_batch *batch = writer->batch;
	bool has_after = batch->has_after || op->has_after;

	begin_space_call(writer, command, "list", 6);
	redis_command_word(writer->request, op->prefix);
	redis_command_integer(writer->request, has_after);
	redis_command_word(writer->request,
			   batch->has_after ? buffer_bytes(&batch->after) : op->after);
	redis_command_integer(writer->request, bounded(op->limit - op->entry_count));
	redis_command_integer(writer->request, bounded(op->max_key_bytes));
}

static void write_names(const struct writer *writer, const struct redis_command *command)
{
	(void)command;
	redis_command_begin(writer->request, 4);
	redis_command_word(writer->request, SLICE("ZRANGE"));
	buffer_append(&writer->request->body, buffer_bytes(&writer->state->names_key));
	redis_command_word(writer->request, SLICE("0"));
	redis_command_word(writer->request, SLICE("-1"));
}

static void write_configure(const struct writer *writer, const struct redis_command *command)
{
	const struct cache_op *op = command->job->op;
	const struct namespace_settings *settings = &op->settings;
	bool has_capacity = op->settings_mask & SETTING_CAPACITY && settings->capacity >= 0;

	begin_space_call(writer, command, "configure", 12);
	write_defaults(writer, command->part);
	write_may_create(writer, command);
	redis_command_integer(writer->request, op->settings_mask);
	redis_command_integer(writer->request, bounded(settings->max_size_bytes));
	redis_command_integer(writer->request,
			      has_capacity ? bounded((uint64_t)settings->capacity) : -1);
	redis_command_integer(writer->request, settings->default_ttl_s);
	redis_command_integer(writer->request, (int64_t)settings->policy);
	redis_command_integer(writer->request, settings->stale_ttl_s);
	redis_command_integer(writer->request, settings->max_idle_s);
	redis_command_integer(writer->request, (int64_t)settings->compression);
	redis_command_integer(writer->request, settings->put_status);
}

static void write_work(const struct writer *writer, const struct redis_command *command)
{
	begin_space_call(writer, command, "work", 2);
	write_defaults(writer, command->part);
}

static void write_name(const struct writer *writer, const struct redis_command *command)
{
	begin_call(writer, "name", buffer_bytes(&writer->state->names_key), 1, 2);
	redis_command_word(writer->request, slice_of(command->part->space->name));
	redis_command_integer(writer->request, writer->context->config->max_namespaces);
}

static void write_lease_take(const struct writer *writer, const struct redis_command *command)
{
	const struct cache_op *op = command->job->op;

	begin_space_call(writer, command, "lease_take", 4);
	redis_command_word(writer->request, op->one.key);
	redis_command_word(writer->request, op->lease.token);
	redis_command_integer(writer->request, op->lease.ttl_us);
}

/* Those who wait at other servers hear whose lease it was. */
static void write_lease_end(const struct writer *writer, const struct redis_command *command)
{
	const struct cache_op *op = command->job->op;

	begin_space_call(writer, command, "lease_end", 5);
	redis_command_word(writer->request, op->one.key);
	redis_command_word(writer->request, op->lease.token);
	write_notify(writer);
	redis_command_word(writer->request, op->lease.token);
}

/* ---- Requests ---- */

static void write_command(const struct writer *writer, const struct redis_command *command)
{
	static void (*const writes[REDIS_KINDS])(const struct writer *,
						 const struct redis_command *) = {
		[COMMAND_PING] = write_ping,
		[COMMAND_TIME] = write_time,
		[COMMAND_CLAIM] = write_claim,
		[COMMAND_CLAIMED] = write_claimed,
		[COMMAND_SETTINGS] = write_stats,
		[COMMAND_USE] = write_use,
		[COMMAND_HEADS] = write_fetch,
		[COMMAND_GET] = write_fetch,
		[COMMAND_EXISTS] = write_fetch,
		[COMMAND_SET] = write_set,
		[COMMAND_SET_EACH] = write_set_each,
		[COMMAND_DELETE] = write_delete,
		[COMMAND_EXPIRE] = write_expire,
		[COMMAND_CLEAR] = write_clear,
		[COMMAND_DROP] = write_drop,
		[COMMAND_UNNAME] = write_unname,
		[COMMAND_CLEAR_PREFIX] = write_clear_prefix,
		[COMMAND_LIST] = write_list,
		[COMMAND_NAMES] = write_names,
		[COMMAND_STATS] = write_stats,
		[COMMAND_CONFIGURE] = write_configure,
		[COMMAND_WORK] = write_work,
		[COMMAND_NAME] = write_name,
		[COMMAND_LEASE_TAKE] = write_lease_take,
		[COMMAND_LEASE_END] = write_lease_end,
	};

	writes[command->kind](writer, command);
}

static bool write(const struct remote_context *context, struct remote_call *call,
		  struct remote_request *request, bool by_hash)
{
	struct redis_batch *batch = redis_gather(context, call);
	struct writer writer = {
		.context = context,
		.state = redis_state_of(context),
		.request = request,
		.batch = batch,
		.by_hash = by_hash,
	};

	if (!batch)
		return false;
	request->path = "";
	request->route = batch->route;
	request->lane = batch->writes ? LANE_IN_ORDER : 0;
	request->hears = batch->hears;
	for (size_t i = 0; i < batch->count; i++) {
		struct redis_command *command = &batch->commands[i];

		if (command->part)
			command->told_us = redis_state_told_us(context, command->part);
		write_command(&writer, command);
	}
	return !request->body.failed;
}

bool redis_write_functions(const struct remote_context *context, struct remote_call *call,
			   size_t part, struct remote_request *request)
{
	(void)part;
	return write(context, call, request, false);
}

bool redis_write_script(const struct remote_context *context, struct remote_call *call, size_t part,
			struct remote_request *request)
{
	(void)part;
	return write(context, call, request, true);
}
