#include "store/keeper/work.h"

#include "base/thread.h"
#include "store/keeper/keeper_state.h"
#include "store/keeper/ops.h"
#include "store/keeper/passes.h"

#define GROUP_OPS_MAX   64
#define GROUP_ITEMS_MAX 1000
#define HURRY_US        INT64_C(1500000)

/* ---- Threads ---- */

/* Takes a group off the queue, or an op that runs alone. With the lock held. */
static struct op_queue take_writes(struct op_queue *writes)
{
	struct op_queue group = {0};
	size_t items = 0;

	do {
		items += writes->first->item_count;
		op_queue_push(&group, op_queue_pop(writes));
	} while (writes->first && keeper_ops_joins_a_group(group.first) &&
		 keeper_ops_joins_a_group(writes->first) && group.length < GROUP_OPS_MAX &&
		 items < GROUP_ITEMS_MAX);
	return group;
}

static bool is_too_late(const struct keeper_work *work)
{
	return work->hurry_us != 0 && monotonic_now_us() >= work->hurry_us;
}

static void refuse_all(struct op_queue *group)
{
	struct cache_op *op;

	while ((op = op_queue_pop(group)))
		cache_op_complete(op, CACHE_UNAVAILABLE);
}

static void run_writes(struct keeper *keeper, struct op_queue *group, bool is_late)
{
	if (is_late)
		refuse_all(group);
	else if (group->first && keeper_ops_joins_a_group(group->first))
		keeper_ops_write_group(keeper, group);
	else if (group->first)
		keeper_ops_write(keeper, group->first);
}

static void *write_on(void *user)
{
	struct keeper *keeper = user;
	struct keeper_work *work = &keeper->work;
	int64_t tidy_us = 0;

	(void)pthread_mutex_lock(&work->lock);
	while (!work->stops) {
		struct op_queue group = {0};
		bool is_late = is_too_late(work);
		bool tidies = monotonic_now_us() >= tidy_us;

		if (!tidies && !work->writes.first) {
			(void)thread_wait_until(&work->writes_come, &work->lock, tidy_us);
			continue;
		}
		if (work->writes.first)
			group = take_writes(&work->writes);
		(void)pthread_mutex_unlock(&work->lock);
		run_writes(keeper, &group, is_late);
		/* One step between two groups, so that neither waits for the whole of the other. */
		if (tidies && !keeper_passes_tidy(keeper))
			tidy_us = monotonic_now_us() + KEEPER_TIDY_MS * 1000;
		(void)pthread_mutex_lock(&work->lock);
	}
	(void)pthread_mutex_unlock(&work->lock);
	return NULL;
}

static void *read_on(void *user)
{
	struct keeper *keeper = user;
	struct keeper_work *work = &keeper->work;

	(void)pthread_mutex_lock(&work->lock);
	while (!work->stops) {
		struct cache_op *op = op_queue_pop(&work->reads);
		bool is_late = is_too_late(work);

		if (!op) {
			(void)pthread_cond_wait(&work->reads_come, &work->lock);
			continue;
		}
		(void)pthread_mutex_unlock(&work->lock);
		if (is_late)
			cache_op_complete(op, CACHE_UNAVAILABLE);
		else
			keeper_ops_read(keeper, op);
		(void)pthread_mutex_lock(&work->lock);
	}
	(void)pthread_mutex_unlock(&work->lock);
	return NULL;
}

bool keeper_work_start(struct keeper *keeper)
{
	struct keeper_work *work = &keeper->work;
	unsigned wanted = keeper->ops->can & DRIVER_BLOCKS ? KEEPER_READERS : 0;

	(void)pthread_mutex_init(&work->lock, NULL);
	thread_condition_init(&work->reads_come);
	thread_condition_init(&work->writes_come);
	work->has_writer = thread_start(&work->writer, "keeper-writer", write_on, keeper) == 0;
	while (work->has_writer && work->reader_count < wanted &&
	       thread_start(&work->readers[work->reader_count], "keeper-reader", read_on, keeper) ==
		       0)
		work->reader_count++;
	return work->has_writer && (wanted == 0 || work->reader_count > 0);
}

void keeper_work_stop(struct keeper *keeper)
{
	struct keeper_work *work = &keeper->work;

	(void)pthread_mutex_lock(&work->lock);
	work->stops = true;
	(void)pthread_cond_broadcast(&work->reads_come);
	(void)pthread_cond_broadcast(&work->writes_come);
	(void)pthread_mutex_unlock(&work->lock);
	if (work->has_writer)
		(void)pthread_join(work->writer, NULL);
	for (unsigned i = 0; i < work->reader_count; i++)
		(void)pthread_join(work->readers[i], NULL);
	(void)pthread_cond_destroy(&work->reads_come);
	(void)pthread_cond_destroy(&work->writes_come);
	(void)pthread_mutex_destroy(&work->lock);
}

/* ---- Operations ---- */

static void queue_op(struct keeper_work *work, struct cache_op *op)
{
	bool reads = keeper_ops_is_read(op);

	(void)pthread_mutex_lock(&work->lock);
	op_queue_push(reads ? &work->reads : &work->writes, op);
	(void)pthread_cond_signal(reads ? &work->reads_come : &work->writes_come);
	(void)pthread_mutex_unlock(&work->lock);
}

void keeper_work_submit(struct keeper *keeper, struct cache_op *op)
{
	bool is_pass = op->type == CACHE_OP_CLEAR || op->type == CACHE_OP_CONFIGURE;

	if (keeper->ops->can & DRIVER_BLOCKS || (is_pass && keeper_passes_is_long(keeper, op))) {
		queue_op(&keeper->work, op);
	} else if (keeper_ops_is_read(op)) {
		keeper_ops_read(keeper, op);
	} else if (keeper_ops_joins_a_group(op)) {
		struct op_queue alone = {0};

		op_queue_push(&alone, op);
		keeper_ops_write_group(keeper, &alone);
	} else {
		keeper_ops_write(keeper, op);
	}
}

void keeper_work_hurry(struct keeper *keeper)
{
	struct keeper_work *work = &keeper->work;

	(void)pthread_mutex_lock(&work->lock);
	work->hurry_us = monotonic_now_us() + HURRY_US;
	(void)pthread_mutex_unlock(&work->lock);
	if (keeper->ops->hurry)
		keeper->ops->hurry(keeper->driver);
}
