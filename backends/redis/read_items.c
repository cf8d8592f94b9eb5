#include "backends/redis/read_items.h"

#include "backends/redis/check.h"
#include "backends/redis/house.h"
#include "backends/redis/value.h"
#include "backends/remote/namespaces.h"

/* Counts the items of `job`, whose statuses tell, for it and its twins. */
static void count_items(const struct remote_context *context, const struct remote_job *job)
{
	const struct cache_op *op = job->op;

	for (const struct remote_job *each = job; each; each = each->twins)
		if (each->op)
			remote_namespaces_count(context->namespaces, each->op, op->items);
}

/* ---- GET, EXISTS ---- */

/* What came for the items of a job: values, or, of an EXISTS, heads. */
struct fetched {
	const struct redis_reply *replies;
	const struct redis_reply *heads; /* of a GET; NULL: none were asked for */
};

struct reader {
	const struct remote_context *context;
	struct redis_part *part;
	int64_t now_us; /* the engine's */
};

/* Whether nobody has used the key for so long that its entry is over; text: its head, or none. */
static bool is_idle(const struct reader *r, struct slice key, const struct redis_reply *text)
{
	struct redis_head head;

	if (r->part->max_idle_s == 0 || !text || text->kind == REPLY_NIL ||
	    !redis_value_read_head(text->text, &head))
		return false;
	int64_t used_us = redis_uses_last_us(&r->part->uses, key);
	int64_t last_us = head.last_access_us;
	if (used_us > 0) {
		used_us = r->now_us - (redis_state_use_us(r->context) - used_us);
		last_us = used_us > last_us ? used_us : last_us;
	}
	return last_us + r->part->max_idle_s * US_PER_S <= r->now_us;
}

/* Of an entry that expires then; whether it is found. */
static bool is_found(const struct reader *r, const struct cache_op *op, int64_t expires_at_us,
		     bool is_idle, bool *ret_stale)
{
	bool is_live = !is_idle && rules_is_live(expires_at_us, r->now_us);
	bool is_kept = is_live ||
		       (!is_idle && rules_is_kept(expires_at_us, r->part->stale_ttl_s, r->now_us));

	*ret_stale = !is_live && is_kept && op->type == CACHE_OP_GET && op->serve_stale;
	if (!is_kept)
		redis_house_has_work(r->context, r->part);
	return is_live || *ret_stale;
}

/* Item `i` of `op`, by the reply for it and, if it is known, its head. */
static bool judge_item(const struct reader *r, const struct cache_op *op, size_t i,
		       const struct fetched *fetched, struct redis_value *ret, bool *ret_stale)
{
	const struct redis_reply *reply = &fetched->replies[i];
	struct slice key = op->items[i].key;
	struct redis_head head;

	*ret_stale = false;
	if (reply->kind == REPLY_NIL)
		return false;
	if (op->type == CACHE_OP_GET)
		return redis_value_read(reply->text, ret) &&
		       is_found(r, op, ret->expires_at_us,
				is_idle(r, key, fetched->heads ? &fetched->heads[i] : NULL),
				ret_stale);
	return redis_value_read_head(reply->text, &head) &&
	       is_found(r, op, head.expires_at_us, is_idle(r, key, reply), ret_stale);
}

static bool is_beyond(const struct reader *r, const struct cache_op *op,
		      const struct fetched *fetched)
{
	uint64_t bytes = 0;
	struct redis_value value;
	bool stale;

	if (op->type != CACHE_OP_GET || op->max_value_bytes == 0)
		return false;
	for (size_t i = 0; i < op->item_count; i++)
		if (judge_item(r, op, i, fetched, &value, &stale))
			bytes += value.bytes.len;
	return bytes > op->max_value_bytes;
}

static enum cache_status fetch_items(const struct reader *r, struct cache_op *op,
				     const struct fetched *fetched)
{
	struct redis_value value;

	if (is_beyond(r, op, fetched))
		return CACHE_TOO_LARGE;
	for (size_t i = 0; i < op->item_count; i++) {
		struct cache_item *item = &op->items[i];
		bool found = judge_item(r, op, i, fetched, &value, &item->stale);

		item->status = found ? CACHE_OK : CACHE_NOT_FOUND;
		if (!found || op->type != CACHE_OP_GET)
			continue;
		item->value = redis_value_copy(&value);
		if (!item->value)
			return CACHE_NO_MEMORY;
	}
	return CACHE_OK;
}

/* What the server is to be told of the op's hits and misses, once for each of `count` ops. */
static void note_uses(const struct reader *r, const struct cache_op *op, uint64_t count)
{
	struct redis_uses *uses = &r->part->uses;
	int64_t use_us = redis_state_use_us(r->context);

	for (size_t i = 0; i < op->item_count; i++) {
		const struct cache_item *item = &op->items[i];

		if (item->status != CACHE_OK) {
			uses->misses += count;
			continue;
		}
		uses->hits += count;
		uses->stale_hits += item->stale ? count : 0;
		for (uint64_t j = 0; j < count; j++)
			redis_uses_add(uses, item->key, use_us);
	}
	redis_house_has_uses(r->context, r->part);
}

static void fetch_job(const struct reader *r, struct remote_job *job, const struct fetched *fetched)
{
	struct cache_op *op = job->op;
	enum cache_status status = fetch_items(r, op, fetched);
	uint64_t count = 0;

	if (status != CACHE_OK) {
		remote_job_fail(job, status, NULL, status == CACHE_NO_MEMORY ? 1 : 0);
		return;
	}
	if (op->type == CACHE_OP_GET && !op->no_touch) {
		for (const struct remote_job *each = job; each; each = each->twins)
			count += each->op != NULL;
		note_uses(r, op, count);
		count_items(r->context, job);
	}
	remote_job_succeed(job);
}

/* The replies for the items of a command. */
static const struct redis_reply *of_items(const struct redis_command *command,
					  const struct redis_reply *reply)
{
	return command->item_count == 1 ? reply : reply->elements;
}

void redis_read_fetched(const struct remote_context *context, const struct redis_command *command,
			const struct redis_reply *reply)
{
	struct fetched fetched = {.replies = of_items(command, reply)};
	struct reader r = {
		.context = context,
		.part = command->part,
		.now_us = redis_state_now_us(context, command->part),
	};

	if (command->heads)
		fetched.heads = of_items(command, command->heads);
	for (struct remote_job *job = command->job, *next; job; job = next) {
		next = job->grouped;
		if (job->op)
			fetch_job(&r, job, &fetched);
		fetched.replies += job->item_count;
		if (fetched.heads)
			fetched.heads += job->item_count;
	}
}

/* ---- SET ---- */

/* The items of `job`, of a reply to `command`; created: a character for each. */
static void take_stored(const struct remote_context *context, const struct redis_command *command,
			struct remote_job *job, const struct redis_reply *reply,
			const char *created)
{
	struct cache_op *op = job->op;
	bool is_stored = redis_check_number(reply, 5) != 0;
	int64_t default_ttl_s = redis_check_number(reply, 3);
	int64_t moment_us = redis_value_moment_us(command->told_us, redis_check_number(reply, 1));

	for (size_t i = 0; i < op->item_count; i++) {
		struct cache_item *item = &op->items[i];

		item->status = CACHE_OK;
		item->created = created[i] == '1';
		item->value->modified_at_us = is_stored ? moment_us : 0;
		item->value->expires_at_us = rules_expiry_us(item, default_ttl_s, moment_us);
		if (is_stored)
			redis_house_expires(context, command->part, item->value->expires_at_us);
	}
	op->history_lost = 0;
	if (is_stored)
		count_items(context, job);
	remote_job_succeed(job);
}

static void note_pending(const struct remote_context *context, const struct redis_command *command,
			 const struct redis_reply *reply)
{
	if (redis_check_number(reply, 2) != 0)
		redis_house_has_work(context, command->part);
}

static void complete_set(const struct remote_context *context, const struct redis_command *command,
			 const struct redis_reply *reply)
{
	note_pending(context, command, reply);
	take_stored(context, command, command->job, reply, reply->elements[4].text.data);
}

/* Ends a SET with the sentence for `code`; where the partition is not the namespace, with its own.
 */
static void refuse(const struct remote_context *context, const struct redis_command *command,
		   struct remote_job *job, int64_t code)
{
	const struct redis_refusals *refusals = &redis_state_of(context)->refusals;
	bool is_whole = command->part->space->part_count == 1;
	const char *too_large = job->op->item_count > 1 ? refusals->values : refusals->value;

	switch (code) {
	case CODE_TOO_LARGE:
		remote_job_fail(job, CACHE_TOO_LARGE, is_whole ? NULL : too_large, 0);
		break;
	case CODE_TOO_MANY:
		remote_job_fail(job, CACHE_TOO_LARGE,
				is_whole ? RULES_REFUSAL_BATCH : refusals->batch, 0);
		break;
	case CODE_FULL:
		remote_job_fail(job, CACHE_NO_SPACE, is_whole ? RULES_REFUSAL_FULL : refusals->full,
				0);
		break;
	default:
		remote_job_fail(job, CACHE_INTERNAL, NULL, 0);
		break;
	}
}

void redis_read_set(const struct remote_context *context, const struct redis_command *command,
		    const struct redis_reply *reply)
{
	struct remote_job *job = command->job;
	int64_t code = redis_check_code(reply);

	if (!job->op)
		return;
	switch (code) {
	case CODE_OK:
		complete_set(context, command, reply);
		break;
	case CODE_ABSENT:
		job->op->progress = PHASE_NAME;
		break;
	case CODE_MORE: /* once more */
		break;
	case CODE_REFUSED:
		for (size_t i = 0; i < job->op->item_count; i++)
			job->op->items[i].status = CACHE_PRECONDITION_FAILED;
		remote_job_succeed(job);
		break;
	default:
		refuse(context, command, job, code);
		break;
	}
}

/* One of several sets, by the character that tells its outcome. */
static void take_outcome(const struct remote_context *context, const struct redis_command *command,
			 struct remote_job *job, const struct redis_reply *reply,
			 const char *outcome)
{
	switch (*outcome) {
	case '0':
	case '1':
		take_stored(context, command, job, reply, outcome);
		break;
	case 'M': /* once more */
		break;
	case 'L':
		refuse(context, command, job, CODE_TOO_LARGE);
		break;
	case 'F':
		refuse(context, command, job, CODE_FULL);
		break;
	default:
		remote_job_fail(job, CACHE_INTERNAL, NULL, 0);
		break;
	}
}

void redis_read_set_each(const struct remote_context *context, const struct redis_command *command,
			 const struct redis_reply *reply)
{
	bool is_there = redis_check_code(reply) == CODE_OK;
	const char *outcomes = is_there ? reply->elements[4].text.data : NULL;

	if (is_there)
		note_pending(context, command, reply);
	for (struct remote_job *job = command->job, *next; job; job = next) {
		next = job->grouped;
		if (job->op && outcomes)
			take_outcome(context, command, job, reply, outcomes);
		else if (job->op)
			job->op->progress = PHASE_NAME;
		outcomes += outcomes != NULL;
	}
}

/* ---- DELETE, EXPIRE ---- */

void redis_read_deleted(const struct remote_context *context, const struct redis_command *command,
			const struct redis_reply *reply)
{
	static const enum cache_status statuses[] = {CACHE_OK, CACHE_NOT_FOUND,
						     CACHE_PRECONDITION_FAILED};
	const char *told = reply->elements[2].text.data;
	struct remote_job *job = command->job;

	if (!job->op)
		return;
	for (size_t i = 0; i < job->op->item_count; i++)
		job->op->items[i].status = statuses[(unsigned)(told[i] - '0') % 3];
	count_items(context, job);
	remote_job_succeed(job);
}
