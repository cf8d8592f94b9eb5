/* A sweep lists the objects; those that are old enough and not pinned are candidates. Then it lists
 * all entries, of all namespaces, and marks the candidates whose names begin with an entry's ETag.
 * The rest is removed. If there are more candidates than fit, it does so for one part of them after
 * the other. Whatever fails, nothing is removed that was not looked up completely.
 *
 * Why no entry ever names a removed object. Let T be the time of the listing of the objects, before
 * that of the entries; an entry names an object because a SET put the object, at P, and then was
 * done by the backend, at S.
 *
 *  1. An object is removed only if it was put before T - grace, looked at again at the removal; a
 *     put of one that is there makes it young. So P < T - grace.
 *  2. A SET of this process holds a pin from before P until after S. If it took less than half the
 *     grace, S < T: the entry is in the listing. If it took longer, the pin is there when the
 * object would be removed, or lingers until the end of the sweep (pins.h).
 *  3. A SET of another server takes less than the grace, which is an hour unless it is set: S < T.
 *     Of a process that was killed, what it sent may still reach a backend that is another server:
 *     this, too, takes less than the grace. With a backend of this process alone nothing can come
 *     any more, so objects from before its start need no grace.
 *  4. An entry that stays is in a listing (store/op.h), and one that is replaced meanwhile by one
 *     with the same bytes is a SET with a put of its own. A listing or the list of namespaces that
 *     fails ends the sweep.
 *  5. A listing has only live entries. So an object has to be unnamed in sweep after sweep for the
 *     longest stale time of any namespace; and where other servers are, which may have references
 *     in their near caches, or lose their last second in a crash, for the grace.
 *     What this process would lose in a crash, after which an entry named again what it had
 *     replaced, is made durable between the listing of the entries and the first removal.
 *  6. While an object is being removed no SET here puts it (pins.h); between the look at its age
 * and its removal a directory is locked, also for other servers. Of S3 see s3.
 *
 * A reader that opened an object before its removal goes on (object_store.h); one that comes later
 * with an old reference asks the backend again (layer_read.c).
 *
 * Work is a quarter of the time, but if room is needed. */
#include "backends/large/sweep.h"

#include <stdio.h>
#include <stdlib.h>

#include "backends/large/sweep_round.h"
#include "base/thread.h"
#include "store/notice.h"

/* After a sweep that failed, until the next. */
#define FAILED_PAUSE_US (60 * US_PER_S)
/* A sweep that freed nothing is not repeated for the sake of room for so long. */
#define VAIN_PAUSE_US (5 * US_PER_S)

static void tell(struct sweep *sweep, bool is_good, uint64_t removed_now)
{
	if (!is_good && sweep->has_hidden && !sweep->is_told)
		notice_send(sweep->config.owner, NOTICE_WARN,
			    "there are entries in namespaces to which no --route leads, so large "
			    "values that no entry names stay");
	else if (!is_good && !sweep->is_told && !sweep_round_is_stopped(sweep))
		notice_send(sweep->config.owner, NOTICE_WARN,
			    "large values that no entry names cannot be looked for, so they stay: "
			    "the backend or --large-values does not answer; this is tried again");
	if (removed_now > 0)
		notice_send(sweep->config.owner, NOTICE_DEBUG,
			    "%llu large values that no entry names any more were removed",
			    (unsigned long long)removed_now);
	sweep->is_told = !is_good;
}

static bool run(struct sweep *sweep)
{
	struct sweep_round *round = calloc(1, sizeof(*round));
	uint64_t removed_before = sweep_counts(sweep).removed;

	if (!round)
		return false;
	pins_begin_sweep(sweep->config.pins);
	bool is_good = sweep_round_run(sweep, round);
	pins_end_sweep(sweep->config.pins);
	waiting_turn(&sweep->waiting, !is_good);
	(void)pthread_mutex_lock(&sweep->lock);
	sweep->counts.sweeps++;
	sweep->counts.failures += !is_good && !sweep->stop;
	if (is_good) {
		sweep->counts.objects = round->objects;
		sweep->counts.bytes = round->bytes;
		sweep->counts.unnamed = round->unnamed;
	}
	uint64_t removed_now = sweep->counts.removed - removed_before;
	(void)pthread_mutex_unlock(&sweep->lock);
	tell(sweep, is_good, removed_now);
	candidates_deinit(&round->candidates);
	free(round);
	return is_good;
}

/* Waits until a sweep is due or wanted. False: stop. */
static bool await_turn(struct sweep *sweep, int64_t due_us)
{
	(void)pthread_mutex_lock(&sweep->lock);
	while (!sweep->stop && !sweep->is_wanted && monotonic_now_us() < due_us)
		(void)thread_wait_until(&sweep->wake, &sweep->lock, due_us);
	sweep->is_urgent = sweep->is_wanted;
	sweep->is_wanted = false;
	sweep->begun++;
	bool go_on = !sweep->stop;
	(void)pthread_mutex_unlock(&sweep->lock);
	return go_on;
}

static void note_end(struct sweep *sweep, uint64_t removed_before)
{
	(void)pthread_mutex_lock(&sweep->lock);
	sweep->ended = sweep->begun;
	sweep->freed_at_end = sweep->counts.removed - removed_before;
	if (sweep->is_urgent)
		sweep->vain_until_us =
			sweep->freed_at_end == 0 ? monotonic_now_us() + VAIN_PAUSE_US : 0;
	(void)pthread_cond_broadcast(&sweep->turned);
	(void)pthread_mutex_unlock(&sweep->lock);
}

static void *work(void *user)
{
	struct sweep *sweep = user;
	int64_t due_us = 0;

	while (await_turn(sweep, due_us)) {
		uint64_t removed_before = sweep_counts(sweep).removed;
		bool is_good = run(sweep);
		int64_t pause_us = sweep->config.every_us;

		note_end(sweep, removed_before);
		if (!is_good && (pause_us == 0 || pause_us > FAILED_PAUSE_US))
			pause_us = FAILED_PAUSE_US;
		due_us = pause_us > 0 ? monotonic_now_us() + pause_us : INT64_MAX;
	}
	(void)pthread_mutex_lock(&sweep->lock);
	sweep->ended = UINT64_MAX;
	(void)pthread_cond_broadcast(&sweep->turned);
	(void)pthread_mutex_unlock(&sweep->lock);
	return NULL;
}

bool sweep_now(struct sweep *sweep, int64_t patience_us)
{
	int64_t until_us = monotonic_now_us() + patience_us;

	(void)pthread_mutex_lock(&sweep->lock);
	bool is_vain = monotonic_now_us() < sweep->vain_until_us;
	uint64_t mine = sweep->begun + 1;
	if (!is_vain && !sweep->stop) {
		sweep->is_wanted = true;
		(void)pthread_cond_broadcast(&sweep->wake);
		while (sweep->ended < mine &&
		       thread_wait_until(&sweep->turned, &sweep->lock, until_us))
			;
	}
	bool has_freed =
		!is_vain && !sweep->stop && sweep->ended >= mine && sweep->freed_at_end > 0;
	(void)pthread_mutex_unlock(&sweep->lock);
	return has_freed;
}

struct sweep_counts sweep_counts(struct sweep *sweep)
{
	(void)pthread_mutex_lock(&sweep->lock);
	struct sweep_counts counts = sweep->counts;
	(void)pthread_mutex_unlock(&sweep->lock);
	return counts;
}

static void destroy(struct sweep *sweep)
{
	waiting_deinit(&sweep->waiting);
	(void)pthread_cond_destroy(&sweep->turned);
	(void)pthread_cond_destroy(&sweep->wake);
	(void)pthread_mutex_destroy(&sweep->lock);
	free(sweep);
}

/* What the store's clock says before this process puts anything. */
static bool note_opening(struct sweep *sweep, char *error, size_t error_size)
{
	struct object_request *request = calloc(1, sizeof(*request));
	bool is_good = true;

	if (request && sweep->config.is_alone) {
		is_good = sweep_round_list(sweep, request);
		sweep->opened_at_us = request->now_us;
	}
	if (!request || !is_good)
		(void)snprintf(error, error_size, "the store of --large-values cannot be used: %s",
			       request && request->detail ? request->detail
							  : cache_status_text(CACHE_NO_MEMORY));
	is_good = is_good && request;
	free(request);
	return is_good;
}

struct sweep *sweep_start(const struct sweep_config *config, char *error, size_t error_size)
{
	struct sweep *sweep = calloc(1, sizeof(*sweep));

	if (!sweep) {
		(void)snprintf(error, error_size, "out of memory for --large-values");
		return NULL;
	}
	sweep->config = *config;
	(void)pthread_mutex_init(&sweep->lock, NULL);
	thread_condition_init(&sweep->wake);
	thread_condition_init(&sweep->turned);
	if (note_opening(sweep, error, error_size)) {
		if (thread_start(&sweep->thread, "large-sweep", work, sweep) == 0)
			return sweep;
		(void)snprintf(error, error_size, "cannot start a thread for --large-values");
	}
	destroy(sweep);
	return NULL;
}

void sweep_stop(struct sweep *sweep)
{
	if (!sweep)
		return;
	(void)pthread_mutex_lock(&sweep->lock);
	sweep->stop = true;
	(void)pthread_cond_broadcast(&sweep->wake);
	(void)pthread_mutex_unlock(&sweep->lock);
	(void)pthread_join(sweep->thread, NULL);
	destroy(sweep);
}
