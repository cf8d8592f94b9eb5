#include "backends/redis/read.h"

#include "backends/redis/batch.h"
#include "backends/redis/check.h"
#include "backends/redis/claim.h"
#include "backends/redis/decimal.h"
#include "backends/redis/house.h"
#include "backends/redis/read_all.h"
#include "backends/redis/read_items.h"
#include "backends/redis/read_lease.h"
#include "backends/redis/scatter_all.h"
#include "backends/redis/verdict.h"

bool redis_read_wants(const struct remote_answer *answer)
{
	for (size_t i = 0; answer->native && i < answer->native_count; i++)
		if (redis_reply_of(answer, i)->kind != REPLY_ERROR)
			return true;
	return false;
}

/* The jobs of a command that failed, where others of the request did not. */
static void fail_jobs(const struct remote_context *context, const struct redis_command *command,
		      const struct redis_reply *reply)
{
	struct remote_answer alone = {
		.failure = FAILURE_NONE, .retry_after_s = -1, .native = reply, .native_count = 1};
	struct remote_verdict verdict = redis_verdict_judge(context, FAILURE_NONE, &alone);

	for (struct remote_job *job = command->job; job; job = job->grouped)
		remote_job_fail(job, verdict.status, verdict.sentence, verdict.may_retry ? 1 : 0);
}

/* ---- What helps others ---- */

static int64_t time_of(const struct redis_reply *reply)
{
	return redis_decimal(reply->elements[0].text) * US_PER_S +
	       redis_decimal(reply->elements[1].text);
}

static void take_settings(struct redis_command *command, const struct redis_reply *reply,
			  int64_t now_us)
{
	bool is_there = redis_check_code(reply) == CODE_OK;

	redis_part_learn(command->part, is_there ? redis_check_number(reply, STATS_STALE) : 0,
			 is_there ? redis_check_number(reply, STATS_MAX_IDLE) : 0, now_us);
}

/* What reads can do without. */
static bool is_first(enum redis_kind kind)
{
	return kind == COMMAND_TIME || kind == COMMAND_SETTINGS || kind == COMMAND_HEADS;
}

/* The clock, and what a read judges by. */
static void take_first(const struct redis_batch *batch, const struct remote_answer *answer,
		       int64_t sent_us)
{
	int64_t now_us = redis_state_mono_us();

	for (size_t i = 0; i < batch->count; i++) {
		struct redis_command *command = &batch->commands[i];
		const struct redis_reply *reply = redis_reply_of(answer, i);
		int64_t there_us = 0;

		if (reply->kind == REPLY_ERROR)
			continue;
		if (command->kind == COMMAND_TIME)
			there_us = time_of(reply);
		else if (redis_check_has_time(command->kind))
			there_us = redis_check_number(reply, 1);
		if (there_us > 0)
			redis_clock_learn(command->part->clock, there_us, sent_us, now_us);
		if (command->kind == COMMAND_SETTINGS)
			take_settings(command, reply, now_us);
	}
}

/* ---- Commands ---- */

static void take_use(struct redis_command *command)
{
	redis_uses_deinit(&command->uses);
}

static void take_name(struct redis_command *command, const struct redis_reply *reply)
{
	struct remote_job *job = command->job;
	int64_t code = redis_check_code(reply);

	if (code == CODE_OK || code == CODE_CREATED) {
		command->part->space->is_named = true;
		command->part->space->named_us = redis_state_mono_us();
	}
	if (!job || !job->op)
		return;
	if (job->op->type == CACHE_OP_SYNC) /* housekeeping's, which is done */
		remote_job_succeed(job);
	else if (code == CODE_TOO_MANY)
		remote_job_fail(job, CACHE_TOO_MANY_NAMESPACES, NULL, 0);
	else
		job->op->progress = PHASE_FIRST;
}

static void take_ping(const struct remote_context *context, struct redis_command *command)
{
	struct redis_state *state = redis_state_of(context);
	struct remote_job *job = command->job;

	if (!job || !job->op)
		return;
	if (job->op->type == CACHE_OP_SYNC && state->spaces.is_cluster) {
		struct cache_op *op = job->op;

		job->op = NULL;
		redis_scatter_sync(state->backend, op, &state->spaces);
		return;
	}
	if (job->op->type == CACHE_OP_CHECK) {
		job->op->checks[0] = (struct cache_health_check){.name = "upstream", .ok = true};
		job->op->check_count = 1;
	}
	remote_job_succeed(job);
}

static void take(const struct remote_context *context, struct remote_call *call,
		 struct redis_command *command, const struct redis_reply *reply)
{
	switch (command->kind) {
	case COMMAND_TIME:
	case COMMAND_SETTINGS:
	case COMMAND_CLAIM:
	case COMMAND_CLAIMED:
		break;
	case COMMAND_HEADS:
		command[1].heads = reply;
		break;
	case COMMAND_PING:
		take_ping(context, command);
		break;
	case COMMAND_USE:
		take_use(command);
		break;
	case COMMAND_NAME:
		take_name(command, reply);
		break;
	case COMMAND_GET:
	case COMMAND_EXISTS:
		redis_read_fetched(context, command, reply);
		break;
	case COMMAND_SET:
		redis_read_set(context, command, reply);
		break;
	case COMMAND_SET_EACH:
		redis_read_set_each(context, command, reply);
		break;
	case COMMAND_DELETE:
	case COMMAND_EXPIRE:
		redis_read_deleted(context, command, reply);
		break;
	case COMMAND_CLEAR:
	case COMMAND_CLEAR_PREFIX:
		redis_read_cleared(context, call, command, reply);
		break;
	case COMMAND_DROP:
		redis_read_dropped(context, command, redis_check_code(reply) == CODE_OK);
		break;
	case COMMAND_UNNAME:
		redis_read_dropped(context, command, reply->integer > 0);
		break;
	case COMMAND_LIST:
		redis_read_listing(context, call, command, reply);
		break;
	case COMMAND_NAMES:
		redis_read_names(context, call, command, reply);
		break;
	case COMMAND_STATS:
		redis_read_stats(context, call, command, reply);
		break;
	case COMMAND_CONFIGURE:
		redis_read_configured(context, command, reply);
		break;
	case COMMAND_WORK:
		redis_read_work(context, call, command, reply);
		break;
	case COMMAND_LEASE_TAKE:
	case COMMAND_LEASE_END:
		redis_read_lease(command, reply);
		break;
	case REDIS_KINDS:
		break;
	}
}

static void take_all(const struct remote_context *context, struct remote_call *call,
		     const struct remote_answer *answer)
{
	struct redis_batch *batch = call->state;

	for (size_t i = 0; i < batch->count; i++) {
		struct redis_command *command = &batch->commands[i];
		const struct redis_reply *reply = redis_reply_of(answer, i);

		if (reply->kind != REPLY_ERROR)
			take(context, call, command, reply);
		else if (!is_first(command->kind))
			fail_jobs(context, command, reply);
	}
}

enum remote_step redis_read(const struct remote_context *context, struct remote_call *call,
			    size_t part, const struct remote_answer *answer)
{
	struct redis_batch *batch = call->state;

	if (answer->native_count != batch->count)
		return STEP_BAD;
	for (size_t i = 0; i < batch->count; i++)
		if (!redis_check_reply(&batch->commands[i], redis_reply_of(answer, i)))
			return STEP_BAD;
	take_first(batch, answer, call->parts[part].sent_at_us);
	if (batch->count > 0 && batch->commands[0].kind == COMMAND_CLAIM)
		redis_claim_read(context, call, answer);
	else
		take_all(context, call, answer);
	redis_batch_empty(batch);
	return remote_call_has_ops(call) ? STEP_AGAIN : STEP_DONE;
}
