#include "backends/tiered/learn.h"

#include <stdlib.h>

/* What was learnt holds for so long; a CONFIGURE through this wrapper is known at once. */
#define LEARN_AGAIN_US (60 * US_PER_S)

struct lesson {
	struct cache_op op;
	struct tiered *tiered;
	struct near_space *space;
};

static void learnt(struct cache_op *op)
{
	struct lesson *lesson = op->user;
	struct tiered *tiered = lesson->tiered;

	if (op->status == CACHE_OK && op->stats_count == 1)
		near_space_set_max_idle(lesson->space, op->stats[0].settings.max_idle_s);
	cache_op_deinit(op);
	free(lesson);
	(void)pthread_mutex_lock(&tiered->lock);
	if (--tiered->lessons == 0)
		(void)pthread_cond_broadcast(&tiered->no_lessons);
	(void)pthread_mutex_unlock(&tiered->lock);
}

void learn_settings(struct tiered *tiered, struct near_space *space, int64_t now_us)
{
	int64_t asked_us = atomic_load_explicit(&space->asked_us, memory_order_relaxed);

	if (!(tiered->ops.bits & BACKEND_IDLE) || !tiered->ops.stats ||
	    (asked_us > 0 && now_us >= asked_us && now_us - asked_us < LEARN_AGAIN_US) ||
	    !atomic_compare_exchange_strong(&space->asked_us, &asked_us, now_us))
		return;
	struct lesson *lesson = malloc(sizeof(*lesson));
	if (!lesson)
		return;
	lesson->tiered = tiered;
	lesson->space = space;
	cache_op_init(&lesson->op, CACHE_OP_STATS);
	lesson->op.ns = slice_of(space->node.name);
	lesson->op.done = learnt;
	lesson->op.user = lesson;
	(void)pthread_mutex_lock(&tiered->lock);
	tiered->lessons++;
	(void)pthread_mutex_unlock(&tiered->lock);
	backend_submit(tiered->inner, &lesson->op);
}

void learn_end(struct tiered *tiered)
{
	(void)pthread_mutex_lock(&tiered->lock);
	while (tiered->lessons > 0)
		(void)pthread_cond_wait(&tiered->no_lessons, &tiered->lock);
	(void)pthread_mutex_unlock(&tiered->lock);
}
