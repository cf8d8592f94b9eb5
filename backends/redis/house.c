#include "backends/redis/house.h"

/* How long uses are collected, and how many keys at most. */
#define COLLECT_US   (US_PER_S / 2)
#define COLLECT_KEYS 4096
/* How often a namespace is looked after that was touched lately, as other servers may have left
 * something to do. */
#define ROUND_US      (1 * US_PER_S)
#define TOUCHED_US    (10 * US_PER_S)
#define AFTER_FAIL_US (1 * US_PER_S)
#define FORGET_US     (60 * US_PER_S)

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* When something is to be done for `space`; INT64_MAX: nothing that is known. */
static int64_t due_us(const struct remote_context *context, const struct redis_space *space,
		      int64_t now_us)
{
	int64_t due = INT64_MAX;

	if (space->is_running)
		return INT64_MAX;
	if (space->has_work || space->uses.count >= COLLECT_KEYS)
		due = now_us;
	if (!redis_uses_are_none(&space->uses))
		due = earlier(due, space->uses_since_us + COLLECT_US);
	if (space->touched_us > 0 && now_us - space->touched_us < TOUCHED_US)
		due = earlier(due, space->worked_us + ROUND_US);
	if (space->expiry_us > 0) {
		int64_t left_us = space->expiry_us - redis_state_now_us(context);

		/* A moved clock is looked at now and then. */
		if (left_us < 0)
			left_us = 0;
		if (context->config->clock && left_us > 0)
			left_us = ROUND_US;
		due = earlier(due, now_us + left_us);
		if (left_us == 0 && due < space->worked_us + ROUND_US / 10)
			due = space->has_work ? due : space->worked_us + ROUND_US / 10;
	}
	return due > space->not_before_us ? due : space->not_before_us;
}

static void op_done(struct cache_op *op)
{
	struct redis_space *space = op->user;

	space->is_running = false;
	if (op->status != CACHE_OK)
		space->not_before_us = redis_state_mono_us() + AFTER_FAIL_US;
	cache_op_deinit(op);
}

static struct cache_op *begin(struct redis_space *space, int64_t now_us)
{
	cache_op_init(&space->op, CACHE_OP_SYNC);
	space->op.ns = slice_of(space->name);
	space->op.done = op_done;
	space->op.user = space;
	space->is_running = true;
	space->has_work = false;
	space->worked_us = now_us;
	return &space->op;
}

struct cache_op *redis_house_own_op(const struct remote_context *context, int64_t now_us,
				    int64_t *ret_next_us)
{
	struct redis_state *state = redis_state_of(context);
	struct redis_space *space = NULL;
	int64_t next_us = now_us + ROUND_US;

	if (now_us < state->look_us) {
		*ret_next_us = state->look_us;
		return NULL;
	}
	while ((space = redis_space_next(&state->spaces, space))) {
		int64_t due = due_us(context, space, now_us);

		if (due <= now_us)
			return begin(space, now_us);
		next_us = earlier(next_us, due);
	}
	redis_space_drop_idle(&state->spaces, now_us - FORGET_US);
	if (state->spaces.count == 0)
		next_us = INT64_MAX;
	state->look_us = next_us;
	*ret_next_us = next_us;
	return NULL;
}

void redis_house_has_work(struct redis_state *state, struct redis_space *space)
{
	space->has_work = true;
	state->look_us = 0;
}

void redis_house_has_uses(struct redis_state *state, struct redis_space *space)
{
	int64_t now_us = redis_state_mono_us();

	if (redis_uses_are_none(&space->uses))
		return;
	/* The first, or the first since they were told. */
	if (!space->has_uses) {
		space->has_uses = true;
		space->uses_since_us = now_us;
		state->look_us = earlier(state->look_us, now_us + COLLECT_US);
	}
	if (space->uses.count >= COLLECT_KEYS)
		state->look_us = 0;
}

void redis_house_expires(struct redis_state *state, struct redis_space *space,
			 int64_t expires_at_us)
{
	if (expires_at_us == 0 || (space->expiry_us > 0 && space->expiry_us <= expires_at_us))
		return;
	space->expiry_us = expires_at_us;
	state->look_us = 0;
}

void redis_house_worked(struct redis_state *state, struct redis_space *space, bool is_there,
			bool more, int64_t next_us)
{
	space->worked_us = redis_state_mono_us();
	space->expiry_us = next_us;
	/* Somebody emptied the server. (Or it is about to be created.) */
	if (!is_there && space->worked_us - space->named_us > FORGET_US)
		space->is_named = false;
	if (more)
		space->has_work = true;
	state->look_us = 0;
}
