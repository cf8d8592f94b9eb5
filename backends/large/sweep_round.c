#include "backends/large/sweep_round.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/thread.h"

#define PAGE_ENTRIES   1000
#define PAGE_KEY_BYTES (256 << 10)
#define PAUSE_MAX_US   US_PER_S

bool sweep_round_is_stopped(struct sweep *sweep)
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

bool sweep_round_list(struct sweep *sweep, struct object_request *request)
{
	struct object_store *store = sweep->config.store;

	request->objects = sweep->page;
	request->max = SWEEP_PAGE_OBJECTS;
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

/* When an object must have been put to be one: before that. */
static int64_t limit_of(const struct sweep *sweep, int64_t now_us)
{
	int64_t limit_us = now_us - sweep->config.grace_us;

	if (sweep->config.is_alone && sweep->opened_at_us > limit_us)
		return sweep->opened_at_us;
	return limit_us;
}

/* Lists objects until there are as many candidates as fit. */
static bool collect(struct sweep *sweep, struct sweep_round *round)
{
	bool is_first = true;

	round->candidates.count = 0;
	while (!round->has_listed_all &&
	       round->candidates.count + SWEEP_PAGE_OBJECTS <= CANDIDATES_MAX) {
		int64_t began_us = monotonic_now_us();

		if (!sweep_round_list(sweep, &round->list))
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
static bool name_by_entries(struct sweep *sweep, struct sweep_round *round, struct slice ns)
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

static bool name_by_backend(struct sweep *sweep, struct sweep_round *round)
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
	struct sweep_removal *removal = request->user;
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
static struct sweep_removal *free_removal(struct sweep *sweep)
{
	struct sweep_removal *found = NULL;

	(void)pthread_mutex_lock(&sweep->lock);
	while (!found) {
		for (size_t i = 0; i < SWEEP_REMOVALS_MAX && !found; i++)
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
	for (size_t i = 0; i < SWEEP_REMOVALS_MAX; i++)
		while (sweep->removals[i].is_busy)
			(void)pthread_cond_wait(&sweep->wake, &sweep->lock);
	(void)pthread_mutex_unlock(&sweep->lock);
}

static void begin_removal(struct sweep *sweep, const struct sweep_round *round,
			  const struct candidate *candidate)
{
	struct object_store *store = sweep->config.store;
	struct sweep_removal *removal = free_removal(sweep);

	*removal = (struct sweep_removal){.sweep = sweep, .len_bytes = candidate->len_bytes};
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
static void remove_unnamed(struct sweep *sweep, struct sweep_round *round)
{
	int64_t wait_us = sweep->config.is_alone ? 0 : sweep->config.grace_us;
	int64_t now_us = monotonic_now_us();

	wait_us = sweep->stale_us > wait_us ? sweep->stale_us : wait_us;
	for (size_t i = 0; i < round->candidates.count && !sweep_round_is_stopped(sweep); i++) {
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
static bool sync_backend(struct sweep *sweep, const struct sweep_round *round)
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

bool sweep_round_run(struct sweep *sweep, struct sweep_round *round)
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
