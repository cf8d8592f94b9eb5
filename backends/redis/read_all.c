#include "backends/redis/read_all.h"

#include <stdlib.h>

#include "backends/redis/check.h"
#include "backends/redis/house.h"
#include "backends/redis/value.h"
#include "backends/remote/namespaces.h"

/* Steps of `work` before statistics, so that what has expired is not in them. */
#define ROUNDS_MAX 64
/* How often housekeeping makes sure that the list of namespaces has one. */
#define NAME_AGAIN_US (1 * US_PER_S)

/* Where the next request goes on. False: out of memory. */
static bool go_on_after(struct redis_batch *batch, struct slice after)
{
	batch->after.len = 0;
	buffer_append(&batch->after, after);
	batch->has_after = true;
	return !batch->after.failed;
}

/* ---- CLEAR ---- */

void redis_read_cleared(const struct remote_context *context, struct remote_call *call,
			const struct redis_command *command, const struct redis_reply *reply)
{
	struct remote_job *job = command->job;
	bool of_prefix = command->kind == COMMAND_CLEAR_PREFIX;
	int64_t removed = of_prefix ? (reply->count > 4 ? redis_check_number(reply, 4) : 0)
				    : redis_check_number(reply, 2);

	if (!job->op)
		return;
	remote_namespaces_find(context->namespaces, job->op->ns)->deletes += (uint64_t)removed;
	if (!of_prefix || redis_check_number(reply, 2) == 0)
		remote_job_succeed(job);
	else if (!go_on_after(call->state, reply->elements[3].text))
		remote_job_fail(job, CACHE_NO_MEMORY, NULL, 1);
}

/* Of the partition, or of the name alone: whether it was there. */
void redis_read_dropped(const struct remote_context *context, const struct redis_command *command,
			bool was_there)
{
	struct remote_job *job = command->job;

	redis_part_learn(command->part, 0, 0, 0);
	command->part->space->is_named = false;
	if (!job->op)
		return;
	remote_namespaces_forget(context->namespaces, job->op->ns);
	job->op->one.status = was_there ? CACHE_OK : CACHE_NOT_FOUND;
	remote_job_succeed(job);
}

/* ---- SCAN ---- */

static bool copy_key(struct slice key, struct slice *ret)
{
	char *copy = malloc(key.len + 1);

	if (!copy)
		return false;
	if (key.len > 0)
		memcpy(copy, key.data, key.len);
	*ret = (struct slice){.data = copy, .len = key.len};
	return true;
}

/* Appends what came to op->entries. */
static bool take_entries(struct cache_op *op, const struct redis_reply *reply)
{
	size_t count = (reply->count - 4) / 2;
	struct cache_entry_info *grown =
		realloc(op->entries, (op->entry_count + count + 1) * sizeof(*grown));

	if (!grown)
		return false;
	op->entries = grown;
	for (size_t i = 0; i < count; i++) {
		const struct redis_reply *found = &reply->elements[4 + 2 * i];
		struct redis_head head = {0};

		(void)redis_value_read_head(found[1].text, &head);
		struct cache_entry_info *info = &op->entries[op->entry_count];
		*info = (struct cache_entry_info){
			.size_bytes = head.size_bytes,
			.etag = head.etag,
			.frequency = head.frequency,
			.last_access_us = head.last_access_us,
			.created_at_us = head.created_at_us,
			.expires_at_us = head.expires_at_us,
		};
		if (!copy_key(found->text, &info->key))
			return false;
		op->entry_count++;
	}
	return true;
}

/* Whether the keys have as many bytes as the listing may. */
static bool has_enough_bytes(const struct cache_op *op)
{
	size_t bytes = 0;

	for (size_t i = 0; i < op->entry_count && bytes < op->max_key_bytes; i++)
		bytes += op->entries[i].key.len;
	return op->max_key_bytes > 0 && bytes >= op->max_key_bytes;
}

void redis_read_listing(const struct remote_context *context, struct remote_call *call,
			const struct redis_command *command, const struct redis_reply *reply)
{
	struct remote_job *job = command->job;
	struct cache_op *op = job->op;

	(void)context;
	if (!op)
		return;
	if (!take_entries(op, reply) || !go_on_after(call->state, reply->elements[3].text)) {
		remote_job_fail(job, CACHE_NO_MEMORY, NULL, 1);
		return;
	}
	op->complete = redis_check_number(reply, 2) == 0;
	if (op->complete || op->entry_count >= op->limit || has_enough_bytes(op))
		remote_job_succeed(job);
}

/* ---- STATS ---- */

/* As statistics that have nothing but a name. */
static void tell_names(struct remote_job *job, const struct redis_reply *reply)
{
	struct cache_op *op = job->op;

	op->stats = calloc(reply->count + 1, sizeof(*op->stats));
	if (!op->stats) {
		remote_job_fail(job, CACHE_NO_MEMORY, NULL, 1);
		return;
	}
	op->stats_count = reply->count;
	for (size_t i = 0; i < reply->count; i++) {
		struct slice name = reply->elements[i].text;

		memcpy(op->stats[i].name, name.data, name.len);
	}
	remote_job_succeed(job);
}

void redis_read_names(const struct remote_context *context, struct remote_call *call,
		      const struct redis_command *command, const struct redis_reply *reply)
{
	struct redis_batch *batch = call->state;
	struct remote_job *job = command->job;
	struct redis_spaces *spaces = &redis_state_of(context)->spaces;

	if (!job->op)
		return;
	if (job->op->part > 0) {
		tell_names(job, reply);
		return;
	}
	job->op->progress = PHASE_ALL;
	batch->named = calloc(reply->count + 1, sizeof(struct redis_part *));
	job->op->stats = calloc(reply->count + 1, sizeof(*job->op->stats));
	if (!batch->named || !job->op->stats) {
		remote_job_fail(job, CACHE_NO_MEMORY, NULL, 1);
		return;
	}
	for (size_t i = 0; i < reply->count; i++) {
		struct redis_space *space = redis_space_find(spaces, reply->elements[i].text);
		struct redis_part *part = space ? redis_space_part(spaces, space, 0) : NULL;

		if (!part) {
			remote_job_fail(job, CACHE_NO_MEMORY, NULL, 1);
			return;
		}
		space->users++;
		batch->named[batch->named_count++] = part;
	}
	if (reply->count == 0)
		remote_job_succeed(job);
}

static void fill_stats(const struct remote_context *context, const struct redis_part *part,
		       const struct redis_reply *reply, struct namespace_stats *ret)
{
	memcpy(ret->name, part->space->name, sizeof(ret->name));
	redis_state_defaults(context, part, &ret->settings);
	remote_namespaces_fill(context->namespaces, ret);
	if (redis_check_code(reply) == CODE_ABSENT)
		return;
	ret->settings = (struct namespace_settings){
		.max_size_bytes = (uint64_t)redis_check_number(reply, STATS_MAX_SIZE),
		.capacity = redis_check_number(reply, STATS_CAPACITY),
		.default_ttl_s = redis_check_number(reply, STATS_TTL),
		.policy = (enum eviction_policy)redis_check_number(reply, STATS_POLICY),
		.stale_ttl_s = redis_check_number(reply, STATS_STALE),
		.max_idle_s = redis_check_number(reply, STATS_MAX_IDLE),
		.compression = (enum compression)redis_check_number(reply, STATS_COMPRESSION),
		.put_status = (unsigned)redis_check_number(reply, STATS_PUT_STATUS),
	};
	ret->entry_count = (uint64_t)redis_check_number(reply, STATS_COUNT);
	ret->total_size_bytes = (uint64_t)redis_check_number(reply, STATS_SIZE);
	ret->used_bytes = (uint64_t)redis_check_number(reply, STATS_USED);
	ret->max_frequency = (uint64_t)redis_check_number(reply, STATS_MAX_FREQUENCY);
	if (ret->entry_count > 0)
		ret->avg_frequency = (double)redis_check_number(reply, STATS_FREQUENCY_SUM) /
				     (double)ret->entry_count;
	remote_namespaces_raise(ret, (uint64_t)redis_check_number(reply, STATS_EVICTIONS),
				(uint64_t)redis_check_number(reply, STATS_EXPIRATIONS));
}

static bool is_known(const struct redis_reply *reply)
{
	return redis_check_code(reply) == CODE_OK;
}

/* Of one namespace, or, with the job, of one of all. */
void redis_read_stats(const struct remote_context *context, struct remote_call *call,
		      const struct redis_command *command, const struct redis_reply *reply)
{
	struct redis_batch *batch = call->state;
	struct remote_job *job = command->job;
	struct cache_op *op = job->op;

	if (!op)
		return;
	if (is_known(reply))
		redis_part_learn(command->part, redis_check_number(reply, STATS_STALE),
				 redis_check_number(reply, STATS_MAX_IDLE), redis_state_mono_us());
	if (op->progress == PHASE_ALL) {
		if (is_known(reply))
			fill_stats(context, command->part, reply, &op->stats[op->stats_count++]);
		if (command->part == batch->named[batch->named_count - 1])
			remote_job_succeed(job);
		return;
	}
	if (batch->rounds > 0 && batch->rounds < ROUNDS_MAX)
		return; /* `work` said that there is more */
	op->stats = calloc(1, sizeof(*op->stats));
	if (!op->stats) {
		remote_job_fail(job, CACHE_NO_MEMORY, NULL, 1);
		return;
	}
	fill_stats(context, command->part, reply, op->stats);
	op->stats_count = 1;
	if (!is_known(reply))
		op->progress = PHASE_ABSENT;
	remote_job_succeed(job);
}

/* ---- CONFIGURE, and steps of `work` ---- */

void redis_read_configured(const struct remote_context *context,
			   const struct redis_command *command, const struct redis_reply *reply)
{
	struct remote_job *job = command->job;

	(void)context;
	command->part->refreshed_us = 0;
	if (!job->op)
		return;
	if (redis_check_code(reply) == CODE_ABSENT)
		job->op->progress = PHASE_NAME;
	else if (redis_check_number(reply, 2) != 0)
		job->op->progress = PHASE_WORK;
	else
		remote_job_succeed(job);
}

/* Whether the list of namespaces has to be told that this one is in use: in a Cluster that is
 * another step of housekeeping, and of one partition is enough. */
static bool name_is_due(const struct redis_command *command)
{
	const struct redis_space *space = command->part->space;

	return command->job->op->type == CACHE_OP_SYNC && command->part->route > 0 &&
	       space->is_named && redis_state_mono_us() - space->named_us > NAME_AGAIN_US;
}

void redis_read_work(const struct remote_context *context, struct remote_call *call,
		     const struct redis_command *command, const struct redis_reply *reply)
{
	struct redis_batch *batch = call->state;
	bool more = redis_check_number(reply, 2) != 0;
	bool is_there = redis_check_code(reply) == CODE_OK;

	redis_part_learn(command->part, redis_check_number(reply, 4), redis_check_number(reply, 5),
			 redis_state_mono_us());
	redis_house_worked(context, command->part, is_there, more, redis_check_number(reply, 3));
	if (is_there && command->job && command->job->op && name_is_due(command)) {
		command->job->op->progress = PHASE_NAME;
	} else if (command->job && command->job->op) {
		/* Of a CONFIGURE, which is done once all is, or of housekeeping itself. */
		if (command->job->op->type == CACHE_OP_SYNC || !more)
			remote_job_succeed(command->job);
	} else {
		batch->rounds = more ? batch->rounds + 1 : 0;
	}
}
