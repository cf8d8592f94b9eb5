#include "backends/redis/house.h"

#include <stdlib.h>

/* How long uses are collected, and how many keys at most. */
#define COLLECT_US   (US_PER_S / 2)
#define COLLECT_KEYS 4096
/* How often a partition is looked after that was touched lately, as other servers may have left
 * something to do. */
#define ROUND_US      (1 * US_PER_S)
#define TOUCHED_US    (10 * US_PER_S)
#define AFTER_FAIL_US (1 * US_PER_S)
#define FORGET_US     (60 * US_PER_S)
#define TIDY_US       (10 * US_PER_S)

/* When something is to be done for `part`; INT64_MAX: nothing that is known. */
static int64_t due_us(const struct remote_context *context, const struct redis_part *part,
		      int64_t now_us)
{
	int64_t due = INT64_MAX;

	if (part->has_work || part->uses.count >= COLLECT_KEYS)
		due = now_us;
	if (!redis_uses_are_none(&part->uses))
		due = earlier_us(due, part->uses_since_us + COLLECT_US);
	if (part->touched_us > 0 && now_us - part->touched_us < TOUCHED_US)
		due = earlier_us(due, part->worked_us + ROUND_US);
	if (part->expiry_us > 0) {
		int64_t left_us = part->expiry_us - redis_state_now_us(context, part);

		/* A moved clock is looked at now and then. */
		if (left_us < 0)
			left_us = 0;
		if (context->config->clock && left_us > 0)
			left_us = ROUND_US;
		due = earlier_us(due, now_us + left_us);
		if (left_us == 0 && due < part->worked_us + ROUND_US / 10)
			due = part->has_work ? due : part->worked_us + ROUND_US / 10;
	}
	return due > part->not_before_us ? due : part->not_before_us;
}

/* Gives `part` a place if it has none, or an earlier one. A later one it gets once the present one
 * is reached. */
static void consider(const struct remote_context *context, struct redis_part *part, int64_t now_us)
{
	struct redis_due *due = &redis_state_of(context)->spaces.due;
	int64_t at_us = due_us(context, part, now_us);

	if (!part->op && at_us < INT64_MAX && (part->due_place == 0 || at_us < part->due_us))
		redis_due_put(due, part, at_us);
}

/* ---- Its own operations ---- */

struct own_op {
	struct cache_op op; /* first: part->op */
	const struct remote_context *context;
};

static void op_done(struct cache_op *op)
{
	struct redis_part *part = op->user;
	const struct remote_context *context = ((struct own_op *)op)->context;
	int64_t now_us = redis_state_mono_us();

	part->op = NULL;
	if (op->status == CACHE_OK) {
		consider(context, part, now_us);
	} else {
		/* What it had to tell comes back when its call ends. */
		part->not_before_us = now_us + AFTER_FAIL_US;
		redis_due_put(&redis_state_of(context)->spaces.due, part, part->not_before_us);
	}
	cache_op_deinit(op);
	free(op);
}

/* NULL: out of memory. */
static struct cache_op *begin(const struct remote_context *context, struct redis_part *part,
			      int64_t now_us)
{
	struct own_op *own = malloc(sizeof(*own));

	if (!own)
		return NULL;
	own->context = context;
	cache_op_init(&own->op, CACHE_OP_SYNC);
	own->op.ns = slice_of(part->space->name);
	own->op.part = redis_state_op_part(context, part);
	own->op.done = op_done;
	own->op.user = part;
	part->op = &own->op;
	part->has_work = false;
	part->worked_us = now_us;
	return &own->op;
}

struct cache_op *redis_house_own_op(const struct remote_context *context, int64_t now_us,
				    int64_t *ret_next_us)
{
	struct redis_state *state = redis_state_of(context);
	struct redis_due *due = &state->spaces.due;
	struct redis_part *part;

	while ((part = redis_due_first(due)) && part->due_us <= now_us) {
		int64_t at_us = due_us(context, part, now_us);
		struct cache_op *op = at_us <= now_us ? begin(context, part, now_us) : NULL;

		if (at_us <= now_us)
			at_us = now_us + AFTER_FAIL_US;
		if (op || at_us == INT64_MAX)
			redis_due_remove(due, part);
		else
			redis_due_put(due, part, at_us);
		if (op)
			return op;
	}
	if (now_us >= state->tidy_us) {
		redis_space_drop_idle(&state->spaces, now_us - FORGET_US);
		state->tidy_us = now_us + TIDY_US;
	}
	*ret_next_us = state->spaces.count > 0 ? state->tidy_us : INT64_MAX;
	if (redis_due_first(due))
		*ret_next_us = earlier_us(*ret_next_us, redis_due_first(due)->due_us);
	return NULL;
}

/* ---- What is told ---- */

void redis_house_touched(const struct remote_context *context, struct redis_part *part,
			 int64_t now_us)
{
	part->touched_us = now_us;
	if (part->due_place == 0)
		consider(context, part, now_us);
}

void redis_house_has_work(const struct remote_context *context, struct redis_part *part)
{
	part->has_work = true;
	consider(context, part, redis_state_mono_us());
}

void redis_house_has_uses(const struct remote_context *context, struct redis_part *part)
{
	int64_t now_us = redis_state_mono_us();
	bool is_first = !part->has_uses; /* or the first since they were told */

	if (redis_uses_are_none(&part->uses))
		return;
	if (is_first) {
		part->has_uses = true;
		part->uses_since_us = now_us;
	}
	if (is_first || part->uses.count >= COLLECT_KEYS)
		consider(context, part, now_us);
}

void redis_house_expires(const struct remote_context *context, struct redis_part *part,
			 int64_t expires_at_us)
{
	if (expires_at_us == 0 || (part->expiry_us > 0 && part->expiry_us <= expires_at_us))
		return;
	part->expiry_us = expires_at_us;
	consider(context, part, redis_state_mono_us());
}

void redis_house_worked(const struct remote_context *context, struct redis_part *part,
			bool is_there, bool more, int64_t next_us)
{
	struct redis_space *space = part->space;
	int64_t now_us = redis_state_mono_us();

	part->worked_us = now_us;
	part->expiry_us = next_us;
	/* Somebody emptied the server. (Or it is about to be created.) */
	if (!is_there && space->part_count == 1 && now_us - space->named_us > FORGET_US)
		space->is_named = false;
	if (more)
		part->has_work = true;
	consider(context, part, now_us);
}
