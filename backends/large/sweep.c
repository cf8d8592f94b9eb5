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

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/large/candidates.h"
#include "backends/large/waiting.h"
#include "base/clock.h"
#include "base/thread.h"
#include "store/notice.h"

#define PAGE_OBJECTS   1000
#define PAGE_ENTRIES   1000
#define PAGE_KEY_BYTES (256 << 10)
#define REMOVALS_MAX   8

/* After a sweep that failed, until the next. */
#define FAILED_PAUSE_US (60 * US_PER_S)
/* A sweep that freed nothing is not repeated for the sake of room for so long. */
#define VAIN_PAUSE_US (5 * US_PER_S)
#define PAUSE_MAX_US  US_PER_S

struct removal {
	struct sweep *sweep;
	struct object_request request;
	struct pin pin;
	uint64_t len_bytes;
	bool is_busy; /* sweep->lock */
};

struct sweep {
	struct sweep_config config;
	pthread_t thread;
	pthread_mutex_t lock;  /* guards the members up to the counts */
	pthread_cond_t wake;   /* the thread: stop, wanted; the end of a removal or request */
	pthread_cond_t turned; /* who waits for a sweep: one has ended */
	bool stop, is_wanted;
	uint64_t begun, ended;
	uint64_t freed_at_end; /* removed, as of the last end */
	int64_t vain_until_us; /* monotonic */
	bool is_answered;      /* the request of the thread */
	struct sweep_counts counts;

	/* Of the thread. */
	bool is_urgent, is_told, has_hidden;
	int64_t opened_at_us; /* by the store's clock */
	int64_t stale_us;     /* the longest stale time */
	struct waiting waiting;
	struct object_info page[PAGE_OBJECTS];
	struct removal removals[REMOVALS_MAX];
};

static bool is_stopped(struct sweep *sweep)
{
	(void)pthread_mutex_lock(&sweep->lock);
	bool stop = sweep->stop;
	(void)pthread_mutex_unlock(&sweep->lock);
	return stop;
}

/* After work that began at `began_us`: three times as long, unless room is needed. False: the sweep
 * has to stop. */
static bool rest(struct sweep *sweep, int64_t began_us)
{
	int64_t now_us = monotonic_now_us();
	int64_t until_us = now_us + earlier_us(3 * (now_us - began_us), PAUSE_MAX_US);

	(void)pthread_mutex_lock(&sweep->lock);
	while (!sweep->stop && !sweep->is_urgent && !sweep->is_wanted &&
	       thread_wait_until(&sweep->wake, &sweep->lock, until_us))
		;
	bool go_on = !sweep->stop;
	(void)pthread_mutex_unlock(&sweep->lock);
	return go_on;
}

/* ---- Requests to the store ---- */

static void answered(struct object_request *request)
{
	struct sweep *sweep = request->user;

	(void)pthread_mutex_lock(&sweep->lock);
	sweep->is_answered = true;
	(void)pthread_cond_broadcast(&sweep->wake);
	(void)pthread_mutex_unlock(&sweep->lock);
}

/* Lists the next page into sweep->page. False: it failed. */
static bool list_page(struct sweep *sweep, struct object_request *request)
{
	struct object_store *store = sweep->config.store;

	request->objects = sweep->page;
	request->max = PAGE_OBJECTS;
	request->done = answered;
	request->user = sweep;
	sweep->is_answered = false;
	store->ops->list(store, request);
	(void)pthread_mutex_lock(&sweep->lock);
	while (!sweep->is_answered)
		(void)pthread_cond_wait(&sweep->wake, &sweep->lock);
	(void)pthread_mutex_unlock(&sweep->lock);
	return request->status == CACHE_OK;
}

/* ---- Candidates ---- */

struct round {
	struct object_request list;
	bool has_listed_all;
	uint64_t objects, bytes, unnamed;
	struct candidates candidates;
	int64_t before_us; /* what was put later stays */
};

/* When an object must have been put to be one: before that. */
static int64_t limit_of(const struct sweep *sweep, int64_t now_us)
{
	int64_t limit_us = now_us - sweep->config.grace_us;

	if (sweep->config.is_alone && sweep->opened_at_us > limit_us)
		return sweep->opened_at_us;
	return limit_us;
}

/* Lists objects until there are as many candidates as fit. */
static bool collect(struct sweep *sweep, struct round *round)
{
	bool is_first = true;

	round->candidates.count = 0;
	while (!round->has_listed_all && round->candidates.count + PAGE_OBJECTS <= CANDIDATES_MAX) {
		int64_t began_us = monotonic_now_us();

		if (!list_page(sweep, &round->list))
			return false;
		if (is_first)
			round->before_us = limit_of(sweep, round->list.now_us);
		is_first = false;
		for (size_t i = 0; i < round->list.object_count; i++) {
			const struct object_info *info = &sweep->page[i];

			round->objects++;
			round->bytes += info->len_bytes;
			if (info->put_at_us < round->before_us &&
			    !candidates_add(&round->candidates, info))
				return false;
		}
		round->has_listed_all = round->list.complete;
		if (!rest(sweep, began_us))
			return false;
	}
	candidates_sort(&round->candidates);
	return true;
}

/* ---- Entries ---- */

static void prepare_scan(const struct sweep *sweep, struct cache_op *op, struct slice ns)
{
	unsigned bits = sweep->config.backend->ops->bits;

	cache_op_init(op, CACHE_OP_SCAN);
	op->ns = ns;
	op->limit = PAGE_ENTRIES;
	op->max_key_bytes = PAGE_KEY_BYTES;
	/* The own order of a backend that is another server may change while it is listed. */
	op->any_order = !(bits & BACKEND_REMOTE) || !(bits & BACKEND_ORDERED_SCAN);
}

/* Keeps the last key of a page for the next. */
static bool copy_last_key(const struct cache_op *op, char **room, struct slice *ret)
{
	struct slice last = op->entries[op->entry_count - 1].key;
	char *copy = realloc(*room, last.len + 1);

	if (!copy)
		return false;
	*room = copy;
	if (last.len > 0)
		memcpy(copy, last.data, last.len);
	*ret = (struct slice){.data = copy, .len = last.len};
	return true;
}

/* Marks what the entries of a namespace name. */
static bool name_by_entries(struct sweep *sweep, struct round *round, struct slice ns)
{
	struct slice after = {0};
	bool has_after = false, is_complete = false, is_good = true;
	char *room = NULL;

	while (is_good && !is_complete) {
		int64_t began_us = monotonic_now_us();
		struct cache_op op;

		prepare_scan(sweep, &op, ns);
		op.after = after;
		op.has_after = has_after;
		is_good = backend_call(sweep->config.backend, &op) == CACHE_OK;
		for (size_t i = 0; i < op.entry_count; i++)
			candidates_name(&round->candidates, &op.entries[i].etag);
		is_complete = op.complete;
		has_after = true;
		if (is_good && !is_complete)
			is_good = op.entry_count > 0 && copy_last_key(&op, &room, &after);
		cache_op_deinit(&op);
		is_good = is_good && rest(sweep, began_us);
	}
	free(room);
	return is_good;
}

static bool name_by_backend(struct sweep *sweep, struct round *round)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_STATS);
	bool is_good = backend_call(sweep->config.backend, &op) == CACHE_OK && !op.has_hidden;
	sweep->has_hidden = op.has_hidden;
	for (size_t i = 0; is_good && i < op.stats_count; i++) {
		int64_t stale_us = op.stats[i].settings.stale_ttl_s * US_PER_S;

		sweep->stale_us = stale_us > sweep->stale_us ? stale_us : sweep->stale_us;
		is_good = name_by_entries(sweep, round, slice_of(op.stats[i].name));
	}
	cache_op_deinit(&op);
	return is_good;
}

/* ---- Removal ---- */

static void removed(struct object_request *request)
{
	struct removal *removal = request->user;
	struct sweep *sweep = removal->sweep;

	pins_end_removal(sweep->config.pins, &removal->pin);
	(void)pthread_mutex_lock(&sweep->lock);
	if (request->status == CACHE_OK) {
		sweep->counts.removed++;
		sweep->counts.removed_bytes += removal->len_bytes;
	} else if (request->status != CACHE_PRECONDITION_FAILED) {
		sweep->counts.removal_failures++;
	}
	removal->is_busy = false;
	(void)pthread_cond_broadcast(&sweep->wake);
	(void)pthread_mutex_unlock(&sweep->lock);
}

/* Waits for one that is not busy. */
static struct removal *free_removal(struct sweep *sweep)
{
	struct removal *found = NULL;

	(void)pthread_mutex_lock(&sweep->lock);
	while (!found) {
		for (size_t i = 0; i < REMOVALS_MAX && !found; i++)
			if (!sweep->removals[i].is_busy)
				found = &sweep->removals[i];
		if (!found)
			(void)pthread_cond_wait(&sweep->wake, &sweep->lock);
	}
	(void)pthread_mutex_unlock(&sweep->lock);
	return found;
}

static void await_removals(struct sweep *sweep)
{
	(void)pthread_mutex_lock(&sweep->lock);
	for (size_t i = 0; i < REMOVALS_MAX; i++)
		while (sweep->removals[i].is_busy)
			(void)pthread_cond_wait(&sweep->wake, &sweep->lock);
	(void)pthread_mutex_unlock(&sweep->lock);
}

static void begin_removal(struct sweep *sweep, const struct round *round,
			  const struct candidate *candidate)
{
	struct object_store *store = sweep->config.store;
	struct removal *removal = free_removal(sweep);

	*removal = (struct removal){.sweep = sweep, .len_bytes = candidate->len_bytes};
	memcpy(removal->pin.sha256, candidate->sha256, SHA256_BYTES);
	if (!pins_begin_removal(sweep->config.pins, &removal->pin))
		return;
	removal->is_busy = true;
	removal->request = (struct object_request){
		.put_before_us = round->before_us,
		.len_bytes = candidate->len_bytes,
		.done = removed,
		.user = removal,
	};
	memcpy(removal->request.sha256, candidate->sha256, SHA256_BYTES);
	store->ops->remove(store, &removal->request);
}

/* Removes the candidates that nobody named, for long enough. */
static void remove_unnamed(struct sweep *sweep, struct round *round)
{
	int64_t wait_us = sweep->config.is_alone ? 0 : sweep->config.grace_us;
	int64_t now_us = monotonic_now_us();

	wait_us = sweep->stale_us > wait_us ? sweep->stale_us : wait_us;
	for (size_t i = 0; i < round->candidates.count && !is_stopped(sweep); i++) {
		const struct candidate *candidate = &round->candidates.all[i];

		if (candidate->is_named)
			continue;
		if (wait_us == 0 ||
		    waiting_is_over(&sweep->waiting, candidate->sha256, now_us, now_us - wait_us))
			begin_removal(sweep, round, candidate);
		else
			round->unnamed++;
	}
	await_removals(sweep);
}

/* ---- The whole ---- */

/* What has not been made durable yet could be undone by a crash, and name again what it had
 * replaced: it is, before anything is removed. */
static bool sync_backend(struct sweep *sweep, const struct round *round)
{
	struct cache_op op;
	size_t i = 0;

	while (i < round->candidates.count && round->candidates.all[i].is_named)
		i++;
	if (i == round->candidates.count)
		return true;
	cache_op_init(&op, CACHE_OP_SYNC);
	enum cache_status status = backend_call(sweep->config.backend, &op);
	cache_op_deinit(&op);
	return status == CACHE_OK || status == CACHE_UNSUPPORTED;
}

static bool sweep_all(struct sweep *sweep, struct round *round)
{
	sweep->stale_us = 0;
	while (!round->has_listed_all) {
		if (!collect(sweep, round))
			return false;
		if (round->candidates.count == 0)
			continue;
		if (!name_by_backend(sweep, round) || !sync_backend(sweep, round))
			return false;
		remove_unnamed(sweep, round);
	}
	return true;
}

static void tell(struct sweep *sweep, bool is_good, uint64_t removed_now)
{
	if (!is_good && sweep->has_hidden && !sweep->is_told)
		notice_send(sweep->config.owner, NOTICE_WARN,
			    "there are entries in namespaces to which no --route leads, so large "
			    "values that no entry names stay");
	else if (!is_good && !sweep->is_told && !is_stopped(sweep))
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
	struct round *round = calloc(1, sizeof(*round));
	uint64_t removed_before = sweep_counts(sweep).removed;

	if (!round)
		return false;
	pins_begin_sweep(sweep->config.pins);
	bool is_good = sweep_all(sweep, round);
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
		is_good = list_page(sweep, request);
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
