#include "backends/sqlite/write/group.h"

#include "backends/sqlite/file/database.h"
#include "backends/sqlite/file/space_tries.h"
#include "backends/sqlite/write/apply.h"
#include "base/invariant.h"

static int keep_house(struct transaction *tx, bool fold)
{
	bool more;
	int code = fold ? order_follow(tx) : SQLITE_OK;

	if (fold && code == SQLITE_OK)
		code = fold_some(tx, &more);
	return code == SQLITE_OK ? sweep_run_step(tx) : code;
}

/* Applies the ops from..to. CACHE_OK, or the status of the op that SQLite refused. */
static enum cache_status apply_ops(struct group *group, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		enum applied applied = apply_op(group->tx, group->ops[i]);

		group->again[i] = applied == CONTINUE;
		if (applied == FAILED)
			return group->ops[i]->status;
	}
	return CACHE_OK;
}

/* One attempt at the ops from..to, and at the housekeeping if it is due: true if the transaction
 * was committed (or has not begun: then all go back into the queue). Otherwise it was rolled back,
 * and *ret_failure says why. */
static bool try_ordered(struct group *group, size_t from, size_t to, enum cache_status *ret_failure)
{
	struct transaction *tx = group->tx;

	INVARIANT(from <= to && to <= group->count);
	int code = transaction_begin(tx);

	*ret_failure = CACHE_OK;
	for (size_t i = from; i < to; i++) {
		group->progress[i] = group->ops[i]->progress;
		group->again[i] = code == SQLITE_BUSY;
	}
	if (code == SQLITE_BUSY)
		return true; /* they wait for the lock again, in the queue */
	if (code == SQLITE_OK)
		*ret_failure = apply_ops(group, from, to);
	if (code == SQLITE_OK && *ret_failure == CACHE_OK && group->tick)
		code = keep_house(tx, group->fold);
	if (code == SQLITE_OK && *ret_failure == CACHE_OK)
		code = transaction_commit(tx);
	if (code != SQLITE_OK)
		*ret_failure = database_status(tx->db, code);
	if (*ret_failure == CACHE_OK) {
		/* An op that continues has its full time for the next lock. */
		for (size_t i = from; i < to; i++)
			if (group->again[i])
				group->ops[i]->since_us = monotonic_now_us();
		return true;
	}
	group->health->failure = code != SQLITE_OK ? code : database_error(tx->db);
	/* It may have mistaken a page that could not be read for a damaged one. */
	if (!mapping_is_intact(&tx->store->file.mapping, tx->faults))
		*ret_failure = CACHE_UNAVAILABLE;
	transaction_roll_back(tx);
	/* The next attempt must not leave out what was rolled back. */
	for (size_t i = from; i < to; i++)
		group->ops[i]->progress = group->progress[i];
	return false;
}

static bool try_once(struct group *group, size_t from, size_t to, enum cache_status *ret_failure)
{
	pthread_mutex_t *order = &group->tx->store->uses_order;

	(void)pthread_mutex_lock(order);
	bool committed = try_ordered(group, from, to, ret_failure);
	(void)pthread_mutex_unlock(order);
	return committed;
}

/* As often as room may be found for it. */
static bool try_for_room(struct group *group, size_t from, size_t to, struct space_tries *tries,
			 enum cache_status *ret_failure)
{
	struct transaction *tx = group->tx;
	bool committed = try_once(group, from, to, ret_failure);

	while (!committed && *ret_failure == CACHE_NO_SPACE &&
	       space_tries_go_on(&tx->store->file, tries, tx->removed))
		committed = try_once(group, from, to, ret_failure);
	return committed;
}

/* The one op at `from`, or with to == from only the housekeeping. */
static bool try_singly(struct group *group, size_t from, size_t to, enum cache_status *ret_failure)
{
	struct space_tries tries = {
		.scope = SPACE_ALONE,
		.op = from < to ? group->ops[from] : NULL,
	};
	bool committed = try_for_room(group, from, to, &tries, ret_failure);

	space_tries_settle(&group->tx->store->file, &tries);
	return committed;
}

/* The housekeeping without the uses, which may need room. False if nothing was removed and nothing
 * is left that could be. */
static bool sweep_alone(struct group *group)
{
	enum cache_status failure;

	group->tick = true;
	group->fold = false;
	bool swept = try_singly(group, 0, 0, &failure);
	group->tick = false;
	return swept && (group->tx->removed > 0 || group->tx->sweep.goes_on);
}

/* On a full volume a set waits for expired or cleared entries to be removed. */
static bool try_alone(struct group *group, size_t i, enum cache_status *ret_failure)
{
	bool committed = try_singly(group, i, i + 1, ret_failure);

	while (!committed && *ret_failure == CACHE_NO_SPACE &&
	       group->ops[i]->type == CACHE_OP_SET &&
	       atomic_load(&group->tx->store->file.space.low) && sweep_alone(group))
		committed = try_singly(group, i, i + 1, ret_failure);
	return committed;
}

static void complete(struct sqlite_store *store, struct cache_op *op, enum cache_status status)
{
	/* What its former groups removed is told of only when all is removed. */
	if (op->type == CACHE_OP_CLEAR && status != CACHE_OK && op->progress != 0)
		tell_change(&store->config, CHANGE_MISSED, op->ns, (struct slice){0});
	op->progress = 0;
	if (op->type == CACHE_OP_CHECK)
		health_complete_check(store, op, status);
	else
		cache_op_complete(op, status);
}

/* Completes the ops from..to of a committed transaction; unfinished ones are queued again. */
static void finish_ops(struct group *group, size_t from, size_t to)
{
	struct sqlite_store *store = group->tx->store;

	for (size_t i = from; i < to; i++) {
		if (group->again[i])
			inbox_submit(&store->to_writer, group->ops[i]);
		else
			complete(store, group->ops[i], group->ops[i]->status);
	}
}

static void count_group(struct sqlite_store *store, const struct group *group, int64_t busy_us)
{
	if (group->count == 0) /* housekeeping alone */
		return;
	counters_add(&store->written.groups, 1);
	counters_add(&store->written.ops, group->count);
	counters_add(&store->written.busy_us, (uint64_t)busy_us);
}

/* Runs the ops one by one, after the group failed with `failure`; the housekeeping last, so that it
 * fails no operation. */
static void run_singly(struct group *group, enum cache_status failure)
{
	struct sqlite_store *store = group->tx->store;
	bool tick = group->tick && failure == CACHE_NO_SPACE;

	group->tick = false;
	for (size_t i = 0; i < group->count; i++) {
		if (try_alone(group, i, &failure)) {
			finish_ops(group, i, i + 1);
			continue;
		}
		if (failure == CACHE_NO_SPACE && atomic_load(&store->file.space.low))
			group->ops[i]->detail = "the volume is full: free space on it, delete or "
						"clear entries, or lower a limit";
		else if (failure == CACHE_UNAVAILABLE)
			group->ops[i]->detail = database_failure_text(group->tx->db);
		complete(store, group->ops[i], failure);
	}
	if (tick)
		(void)sweep_alone(group);
}

void group_run(struct group *group)
{
	struct sqlite_store *store = group->tx->store;
	struct space_tries tries = {.scope = SPACE_GROUP};
	enum cache_status failure;
	int64_t began_us = monotonic_now_us();

	if (try_for_room(group, 0, group->count, &tries, &failure)) {
		health_note_success(group->health);
		count_group(store, group, monotonic_now_us() - began_us);
		if (group->sync)
			space_copy_log(&store->file);
		finish_ops(group, 0, group->count);
		return;
	}
	counters_add(&store->written.failed, 1);
	if (failure != CACHE_NO_SPACE) /* space.c reports that */
		health_note_failure(group->health);
	run_singly(group, failure);
}

bool group_refuse_if_lost(struct group *group)
{
	struct transaction *tx = group->tx;
	enum file_state state = health_look(group->health);

	if (state == FILES_IN_PLACE)
		return false;
	transaction_roll_back(tx);
	for (size_t i = 0; i < group->count; i++) {
		group->ops[i]->detail = file_watch_text(state);
		complete(tx->store, group->ops[i], CACHE_UNAVAILABLE);
	}
	tx->sweep.goes_on = false; /* until the next tick */
	health_save_log(group->health, state);
	return true;
}

void group_take(struct group *group)
{
	struct sqlite_store *store = group->tx->store;
	const struct sweep *sweep = &group->tx->sweep;
	struct inbox *inbox = &store->to_writer;
	const struct cache_op *op;
	int64_t bytes = 0;

	(void)pthread_mutex_lock(&inbox->lock);
	group->count = 0;
	group->sync = false;
	group->fold = inbox->is_due;
	group->tick = group->fold || (sweep->goes_on && monotonic_now_us() >= sweep->next_step_us);
	inbox->is_due = false;
	while (group->count < group->max && (op = inbox->queue.first)) {
		bytes += space_tries_bytes_of(op);
		if (group->count > 0 && bytes > store->file.space.group_bytes)
			break;
		group->sync |= op->type == CACHE_OP_SYNC;
		group->ops[group->count++] = op_queue_pop(&inbox->queue);
	}
	(void)pthread_mutex_unlock(&inbox->lock);
}
