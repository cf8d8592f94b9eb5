/* The one thread that writes.
 *
 * Group commit: the writer takes all operations that have queued up while it committed the last
 * group, applies them in one transaction, commits, and answers them. It never waits for more to
 * come: under load groups grow by themselves, and a lone write goes at once. If SQLite refuses one
 * operation (disk full), the group is rolled back and its operations are tried one by one, so that
 * each gets its own answer; space.c says what makes another try worth it.
 *
 * Operations that have to remove much do so a thousand entries at a time and queue again, so that
 * nobody waits behind the clearing of a million. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/sqlite/write/writer.h"

/* Operations in one transaction at most. */
#define GROUP_MAX 512
/* How long the last uses may take at the end: a stop must not. */
#define FINAL_FOLD_US (3 * US_PER_S)
#define FINAL_LOCK_MS 1000

struct group {
	struct cache_op *ops[GROUP_MAX];
	bool again[GROUP_MAX];        /* the op is not finished: queue it once more */
	uint64_t progress[GROUP_MAX]; /* of the op, before the transaction under way */
	size_t count;
	bool tick; /* the housekeeping is due */
	bool fold; /* with it: write some waiting uses too */
	bool sync;
};

static int keep_house(struct writer *writer, bool fold)
{
	bool more;
	int code = fold ? order_follow(writer) : SQLITE_OK;

	if (fold && code == SQLITE_OK)
		code = writer_fold_some(writer, &more);
	return code == SQLITE_OK ? sweep_run_step(writer) : code;
}

/* One attempt at the ops from..to, and at the housekeeping where it is due: true where the
 * transaction was committed (or has not begun: then all go back into the queue). Else it was rolled
 * back, and *ret_failure holds why. */
static bool try_group_ordered(struct writer *writer, struct group *group, size_t from, size_t to,
			      enum cache_status *ret_failure)
{
	int code = writer_begin(writer);

	*ret_failure = CACHE_OK;
	for (size_t i = from; i < to; i++) {
		group->progress[i] = group->ops[i]->progress;
		group->again[i] = code == SQLITE_BUSY;
	}
	if (code == SQLITE_BUSY)
		return true; /* they wait for the lock once more, in the queue */
	for (size_t i = from; i < to && code == SQLITE_OK; i++) {
		enum applied applied = apply_op(writer, group->ops[i]);

		group->again[i] = applied == CONTINUE;
		if (applied == FAILED) {
			*ret_failure = group->ops[i]->status;
			break;
		}
	}
	if (code == SQLITE_OK && *ret_failure == CACHE_OK && group->tick)
		code = keep_house(writer, group->fold);
	if (code == SQLITE_OK && *ret_failure == CACHE_OK)
		code = writer_commit(writer);
	if (code != SQLITE_OK)
		*ret_failure = database_status(writer->db, code);
	if (*ret_failure == CACHE_OK) {
		/* One that goes on has all its time for the next lock. */
		for (size_t i = from; i < to; i++)
			if (group->again[i])
				group->ops[i]->since_us = monotonic_now_us();
		return true;
	}
	writer->failure = code != SQLITE_OK ? code : database_error(writer->db);
	/* It may have taken a page that could not be read for a damaged one. */
	if (!mapping_is_intact(&writer->store->mapping, writer->faults))
		*ret_failure = CACHE_UNAVAILABLE;
	writer_roll_back(writer);
	/* The next attempt must not leave out what was rolled back. */
	for (size_t i = from; i < to; i++)
		group->ops[i]->progress = group->progress[i];
	return false;
}

static bool try_group(struct writer *writer, struct group *group, size_t from, size_t to,
		      enum cache_status *ret_failure)
{
	(void)pthread_mutex_lock(&writer->store->uses_order);
	bool committed = try_group_ordered(writer, group, from, to, ret_failure);
	(void)pthread_mutex_unlock(&writer->store->uses_order);
	return committed;
}

/* The one op at `from`, or with to == from the housekeeping alone, as often as room may be found
 * for it. */
static bool try_for_room(struct writer *writer, struct group *group, size_t from, size_t to,
			 enum cache_status *ret_failure)
{
	const struct cache_op *op = from < to ? group->ops[from] : NULL;
	struct space_tries tries = {0};
	bool committed = try_group(writer, group, from, to, ret_failure);

	while (!committed && *ret_failure == CACHE_NO_SPACE &&
	       space_try_again(writer, op, SPACE_ALONE, &tries))
		committed = try_group(writer, group, from, to, ret_failure);
	space_settle(writer, &tries);
	return committed;
}

/* The housekeeping without the uses, which may need room. False where nothing was removed and
 * nothing is left that could be. */
static bool sweep_alone(struct writer *writer, struct group *group)
{
	enum cache_status failure;

	group->tick = true;
	group->fold = false;
	bool swept = try_for_room(writer, group, 0, 0, &failure);
	group->tick = false;
	return swept && (writer->removed > 0 || writer->sweep.goes_on);
}

/* On a full volume a set waits for what has expired or was cleared to be removed. */
static bool try_alone(struct writer *writer, struct group *group, size_t i,
		      enum cache_status *ret_failure)
{
	bool committed = try_for_room(writer, group, i, i + 1, ret_failure);

	while (!committed && *ret_failure == CACHE_NO_SPACE &&
	       group->ops[i]->type == CACHE_OP_SET && atomic_load(&writer->store->space.low) &&
	       sweep_alone(writer, group))
		committed = try_for_room(writer, group, i, i + 1, ret_failure);
	return committed;
}

static void complete(struct sqlite_store *store, struct cache_op *op, enum cache_status status)
{
	op->progress = 0;
	if (op->type == CACHE_OP_CHECK)
		health_complete_check(store, op, status);
	else
		cache_op_complete(op, status);
}

/* Completes the ops from..to of a committed transaction; those not finished queue again. */
static void finish_ops(struct writer *writer, struct group *group, size_t from, size_t to)
{
	struct sqlite_store *store = writer->store;

	for (size_t i = from; i < to; i++) {
		if (group->again[i]) {
			(void)pthread_mutex_lock(&store->write_lock);
			queue_push(&store->write_queue, group->ops[i]);
			(void)pthread_mutex_unlock(&store->write_lock);
		} else {
			complete(store, group->ops[i], group->ops[i]->status);
		}
	}
}

static void count_group(struct sqlite_store *store, const struct group *group, int64_t busy_us)
{
	if (group->count == 0) /* housekeeping alone */
		return;
	count_up(&store->written.groups, 1);
	count_up(&store->written.ops, group->count);
	count_up(&store->written.busy_us, (uint64_t)busy_us);
}

/* The ops one by one, after the group failed with `failure`; the housekeeping at last, so that it
 * fails no operation. */
static void run_singly(struct writer *writer, struct group *group, enum cache_status failure)
{
	struct sqlite_store *store = writer->store;
	bool tick = group->tick && failure == CACHE_NO_SPACE;

	group->tick = false;
	for (size_t i = 0; i < group->count; i++) {
		if (try_alone(writer, group, i, &failure)) {
			finish_ops(writer, group, i, i + 1);
			continue;
		}
		if (failure == CACHE_NO_SPACE && atomic_load(&store->space.low))
			group->ops[i]->detail = "the volume is full: free space on it, delete or "
						"clear entries, or lower a limit";
		else if (failure == CACHE_UNAVAILABLE)
			group->ops[i]->detail = database_failure_text(writer->db);
		complete(store, group->ops[i], failure);
	}
	if (tick)
		(void)sweep_alone(writer, group);
}

static void run_group(struct writer *writer, struct group *group)
{
	struct sqlite_store *store = writer->store;
	struct space_tries tries = {0};
	enum cache_status failure;
	int64_t began_us = monotonic_now_us();
	bool committed = try_group(writer, group, 0, group->count, &failure);

	while (!committed && failure == CACHE_NO_SPACE &&
	       space_try_again(writer, NULL, SPACE_GROUP, &tries))
		committed = try_group(writer, group, 0, group->count, &failure);
	if (committed) {
		health_note_success(writer);
		count_group(store, group, monotonic_now_us() - began_us);
		if (group->sync)
			space_copy_log(writer);
		finish_ops(writer, group, 0, group->count);
		return;
	}
	count_up(&store->written.failed, 1);
	if (failure != CACHE_NO_SPACE) /* space.c tells of that */
		health_note_failure(writer);
	run_singly(writer, group, failure);
}

/* Answers the group where a file was removed, replaced or cut. The transaction has begun already
 * (file_lock.c). */
static bool refuse_where_lost(struct writer *writer, struct group *group)
{
	enum file_state state = health_look(writer);

	if (state == FILES_IN_PLACE)
		return false;
	writer_roll_back(writer);
	for (size_t i = 0; i < group->count; i++) {
		group->ops[i]->detail = file_watch_text(state);
		complete(writer->store, group->ops[i], CACHE_UNAVAILABLE);
	}
	writer->sweep.goes_on = false; /* until the next tick */
	health_save_log(writer, state);
	return true;
}

/* False when it is time to stop and nothing is left. */
static bool await_work(struct writer *writer)
{
	struct sqlite_store *store = writer->store;
	const struct sweep *sweep = &writer->sweep;
	bool sweeps = false;

	(void)pthread_mutex_lock(&store->write_lock);
	for (;;) {
		sweeps = sweep->goes_on && monotonic_now_us() >= sweep->next_step_us;
		if (store->write_queue.first || store->tick_due || sweeps || store->write_stop)
			break;
		if (sweep->goes_on)
			wait_on_clock(&store->write_wake, &store->write_lock, sweep->next_step_us);
		else
			(void)pthread_cond_wait(&store->write_wake, &store->write_lock);
	}
	bool work = store->write_queue.first || store->tick_due || !store->write_stop;
	(void)pthread_mutex_unlock(&store->write_lock);
	return work;
}

static void take_group(struct writer *writer, struct group *group)
{
	struct sqlite_store *store = writer->store;
	struct cache_op *op;
	int64_t bytes = 0;

	(void)pthread_mutex_lock(&store->write_lock);
	group->count = 0;
	group->sync = false;
	group->fold = store->tick_due;
	group->tick = group->fold ||
		      (writer->sweep.goes_on && monotonic_now_us() >= writer->sweep.next_step_us);
	store->tick_due = false;
	while (group->count < store->group_max && (op = store->write_queue.first)) {
		bytes += space_bytes_of(op);
		if (group->count > 0 && bytes > store->space.group_bytes)
			break;
		group->sync |= op->type == CACHE_OP_SYNC;
		group->ops[group->count++] = queue_pop(&store->write_queue);
	}
	(void)pthread_mutex_unlock(&store->write_lock);
}

/* What still waits is written too, as far as the time goes. */
static void fold_at_the_end(struct writer *writer)
{
	int64_t until_us = monotonic_now_us() + FINAL_FOLD_US;
	bool more = true;

	if (file_watch_look(writer->store) != FILES_IN_PLACE)
		return;
	(void)sqlite3_busy_timeout(writer->db, FINAL_LOCK_MS);
	(void)pthread_mutex_lock(&writer->store->uses_order);
	int code = writer_begin(writer);
	while (code == SQLITE_OK && more && monotonic_now_us() < until_us)
		code = writer_fold_some(writer, &more);
	if (code == SQLITE_OK)
		code = order_save(writer, true);
	if (code != SQLITE_OK || writer_commit(writer) != SQLITE_OK)
		writer_roll_back(writer);
	(void)pthread_mutex_unlock(&writer->store->uses_order);
}

static void *writer_main(void *arg)
{
	struct writer *writer = arg;
	struct sqlite_store *store = writer->store;
	struct group *group = writer->group;
	bool others_write = false; /* since the last step of the sweep */

	while (await_work(writer) && file_lock_take(writer)) {
		take_group(writer, group);
		bool swept = group->tick;
		others_write |= group->count > 0;
		if (refuse_where_lost(writer, group))
			continue;
		run_group(writer, group);
		if (swept) {
			sweep_pace(writer, others_write);
			others_write = false;
		}
		space_attend(writer);
		/* The background thread has copied nearly all of it; with the rest copied and no
		 * reader left in it, the next commit begins the log anew. */
		if ((int)atomic_load(&store->wal_pages) > atomic_load(&store->space.hard_pages))
			space_copy_log(writer);
	}
	fold_at_the_end(writer);
	return NULL;
}

static int note_wal_size(void *user, sqlite3 *db, const char *name, int pages)
{
	struct sqlite_store *store = user;

	(void)db;
	(void)name;
	atomic_store(&store->wal_pages, (unsigned)pages);
	store->writer->commit_frames = (uint32_t)pages;
	store->writer->log_is_copied = false;
	background_wake(store);
	return SQLITE_OK;
}

/* ---- Open, submit, close ---- */

bool writer_open(struct sqlite_store *store, char *error, size_t error_size)
{
	struct writer *writer = calloc(1, sizeof(*writer));

	if (writer)
		writer->group = calloc(1, sizeof(*writer->group));
	if (!writer || !writer->group) {
		(void)snprintf(error, error_size, "cannot open %s: out of memory", store->path);
		free(writer);
		return false;
	}
	(void)pthread_mutex_init(&store->write_lock, NULL);
	cond_init_monotonic(&store->write_wake);
	queue_init(&store->write_queue);
	store->writer = writer;
	writer->store = store;
	store->group_max = store->config.sqlite_group_max;
	if (store->group_max == 0 || store->group_max > GROUP_MAX)
		store->group_max = GROUP_MAX;
	writer->db = database_connect(store, error, error_size);
	if (!writer->db)
		return false;
	int code = writer_prepare_statements(writer);
	(void)sqlite3_busy_timeout(writer->db, 0); /* file_lock.c */
	writer->log_index = wal_index_map(writer->db);
	if (values_are_on(&store->values))
		writer->wal_index = writer->log_index;
	(void)sqlite3_wal_hook(writer->db, note_wal_size, store);
	if (code == SQLITE_OK)
		code = order_open(writer);
	if (code == SQLITE_OK)
		code = space_open(writer);
	if (code != SQLITE_OK) {
		database_explain(store, writer->db, code, "cannot read", error, error_size);
		return false;
	}
	int failure = pthread_create(&store->write_thread, NULL, writer_main, writer);
	store->has_write_thread = failure == 0;
	if (failure != 0)
		(void)snprintf(error, error_size, "cannot start a thread: %s", strerror(failure));
	return failure == 0;
}

void writer_submit(struct backend *backend, struct cache_op *op)
{
	struct sqlite_store *store = (struct sqlite_store *)backend;

	op->progress = 0;
	op->since_us = monotonic_now_us();
	(void)pthread_mutex_lock(&store->write_lock);
	queue_push(&store->write_queue, op);
	(void)pthread_cond_signal(&store->write_wake);
	(void)pthread_mutex_unlock(&store->write_lock);
}

void writer_tick(struct sqlite_store *store)
{
	(void)pthread_mutex_lock(&store->write_lock);
	store->tick_due = true;
	(void)pthread_cond_signal(&store->write_wake);
	(void)pthread_mutex_unlock(&store->write_lock);
}

void writer_close(struct sqlite_store *store)
{
	struct writer *writer = store->writer;

	if (!writer)
		return;
	if (store->has_write_thread) {
		(void)pthread_mutex_lock(&store->write_lock);
		store->write_stop = true;
		(void)pthread_cond_signal(&store->write_wake);
		(void)pthread_mutex_unlock(&store->write_lock);
		(void)pthread_join(store->write_thread, NULL);
	}
	writer_finalize_statements(writer);
	database_disconnect(store, writer->db);
	free(writer->group);
	for (size_t i = 0; i < writer->rows_made; i++)
		free(writer->rows[i]);
	free(writer->rows);
	free(writer->taken);
	free(writer->given);
	free(writer->changes);
	sweep_deinit(writer);
	heads_deinit(&writer->heads);
	free(writer);
	(void)pthread_mutex_destroy(&store->write_lock);
	(void)pthread_cond_destroy(&store->write_wake);
}
