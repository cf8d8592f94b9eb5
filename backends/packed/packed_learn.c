#include "backends/packed/packed_learn.h"

#include <stdlib.h>

#include "base/clock.h"

/* What others may change, or could not be learnt, holds for so long. */
#define PASSES_AFTER_US (5 * US_PER_S)

struct lesson {
	struct cache_op op;
	struct packed *packed;
	struct space *space;
	packed_learn_go_on *go_on;
	uint64_t version; /* of the settings, when it began */
};

static unsigned state_of(const struct packed *packed, const struct cache_op *op)
{
	unsigned bits = backend_traits_of(packed->inner, op->ns).bits;
	unsigned state = SPACE_KNOWN | (bits & BACKEND_REMOTE ? SPACE_PASSES : 0U);

	if (op->status != CACHE_OK || op->stats_count != 1)
		return state | SPACE_PASSES;
	const struct namespace_settings *settings = &op->stats[0].settings;
	if (settings->compression == COMPRESSION_ZSTD)
		state |= SPACE_ZSTD;
	return state | settings->put_status << SPACE_PUT_SHIFT;
}

/* Ends the lesson; *ret: those who wait, first to last. False: the settings have changed meanwhile,
 * maybe before one of these came, so the backend is to be asked again. */
static bool conclude(struct lesson *lesson, unsigned state, struct cache_op **ret)
{
	struct spaces *spaces = &lesson->packed->spaces;
	struct space *space = lesson->space;

	(void)pthread_mutex_lock(&spaces->lock);
	bool holds = space->version == lesson->version;
	lesson->version = space->version;
	if (holds) {
		*ret = space->waiting;
		space->waiting = NULL;
		space->waiting_end = &space->waiting;
		space->is_asking = false;
		atomic_store(&space->told_us, monotonic_now_us());
		atomic_store(&space->state, state);
	}
	(void)pthread_mutex_unlock(&spaces->lock);
	return holds;
}

static void ask(struct lesson *lesson);

static void learnt(struct cache_op *op)
{
	struct lesson *lesson = op->user;
	struct packed *packed = lesson->packed;
	unsigned state = state_of(packed, op);
	struct cache_op *waiting;
	packed_learn_go_on *go_on = lesson->go_on;

	cache_op_deinit(op);
	if (!conclude(lesson, state, &waiting)) {
		ask(lesson);
		return;
	}
	free(lesson);
	while (waiting) {
		struct cache_op *next = waiting->next;

		waiting->next = NULL;
		go_on(packed, waiting, state);
		waiting = next;
	}
	(void)pthread_mutex_lock(&packed->spaces.lock);
	if (--packed->spaces.asking == 0)
		(void)pthread_cond_broadcast(&packed->spaces.quiet);
	(void)pthread_mutex_unlock(&packed->spaces.lock);
}

static void ask(struct lesson *lesson)
{
	cache_op_init(&lesson->op, CACHE_OP_STATS);
	lesson->op.ns = slice_of(lesson->space->node.name);
	lesson->op.done = learnt;
	lesson->op.user = lesson;
	backend_submit(lesson->packed->inner, &lesson->op);
}

/* Whether somebody has to ask; `op` waits. */
static bool begin(struct packed *packed, struct space *space, struct cache_op *op,
		  uint64_t *ret_version)
{
	struct spaces *spaces = &packed->spaces;

	(void)pthread_mutex_lock(&spaces->lock);
	bool is_first = !space->is_asking;
	if (op) {
		op->next = NULL;
		*space->waiting_end = op;
		space->waiting_end = &op->next;
	}
	space->is_asking = true;
	*ret_version = space->version;
	spaces->asking += is_first;
	(void)pthread_mutex_unlock(&spaces->lock);
	return is_first;
}

void packed_learn_settings(struct packed *packed, struct space *space, struct cache_op *op,
			   packed_learn_go_on *go_on)
{
	struct lesson *lesson = malloc(sizeof(*lesson));

	if (!lesson) {
		if (op)
			go_on(packed, op, 0);
		return;
	}
	if (!begin(packed, space, op, &lesson->version)) {
		free(lesson);
		return;
	}
	lesson->packed = packed;
	lesson->space = space;
	lesson->go_on = go_on;
	ask(lesson);
}

bool packed_learn_is_due(struct space *space)
{
	int64_t now_us = monotonic_now_us();
	int64_t told_us = atomic_load_explicit(&space->told_us, memory_order_relaxed);

	/* One of those who come then asks. */
	return now_us - told_us >= PASSES_AFTER_US &&
	       atomic_compare_exchange_strong(&space->told_us, &told_us, now_us);
}

void packed_learn_end(struct packed *packed)
{
	struct spaces *spaces = &packed->spaces;

	(void)pthread_mutex_lock(&spaces->lock);
	while (spaces->asking > 0)
		(void)pthread_cond_wait(&spaces->quiet, &spaces->lock);
	(void)pthread_mutex_unlock(&spaces->lock);
}
