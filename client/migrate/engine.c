#include "client/migrate/engine.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/thread.h"
#include "client/migrate/again.h"
#include "client/migrate/meter.h"
#include "client/migrate/report.h"

#define LANES_MAX 16
#define RING_MAX  UINT64_C(32) /* two for each lane */
/* No more is read while that much waits. */
#define HELD_BYTES (UINT64_C(64) << 20)

#define SAVE_EVERY_US INT64_C(2000000)
#define LOOK_EVERY_US INT64_C(100000)

enum slot_state { SLOT_EMPTY, SLOT_WAITS, SLOT_TAKEN, SLOT_DONE };

struct engine {
	struct migrate_job *job;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct {
		struct migrate_batch *batch;
		enum slot_state state;
	} ring[RING_MAX];
	/* Running numbers of batches: accounted, taken by a lane, read. */
	uint64_t head, taken, tail;
	uint64_t held_bytes; /* of the batches between head and tail */
	bool is_read; /* the source has ended, perhaps by a failure; what was read is stored */
	bool has_to_stop;
	struct migrate_failure failure; /* the first */
	struct meter meter;
	bool has_moved; /* since the state was saved */
};

/* ---- Stopping and waiting; with the lock held ---- */

static void stop(struct engine *engine, const struct migrate_failure *failure)
{
	if (!engine->has_to_stop && failure)
		engine->failure = *failure;
	engine->has_to_stop = true;
	(void)pthread_cond_broadcast(&engine->changed);
}

/* Waits before another attempt. False: it is no use. */
static bool await_retry(struct engine *engine, const struct migrate_failure *failure,
			int64_t since_us, unsigned attempt)
{
	int64_t pause_us = migrate_pause_us(failure, since_us, attempt);
	int64_t until_us = monotonic_now_us() + pause_us;

	if (pause_us < 0)
		return false;
	(void)pthread_mutex_lock(&engine->lock);
	while (!engine->has_to_stop && monotonic_now_us() < until_us)
		(void)thread_wait_until(&engine->changed, &engine->lock, until_us);
	bool goes_on = !engine->has_to_stop;
	(void)pthread_mutex_unlock(&engine->lock);
	return goes_on;
}

/* ---- Reading ---- */

/* The next batch; NULL: the end, or a failure. */
static struct migrate_batch *read_batch(struct engine *engine, struct migrate_failure *failure)
{
	struct migrate_source *source = engine->job->source;
	int64_t since_us = monotonic_now_us();

	for (unsigned attempt = 0;; attempt++) {
		struct migrate_batch *batch = calloc(1, sizeof(*batch));

		if (!batch) {
			(void)migrate_fail(failure, CLIENT_LOCAL, "out of memory");
			return NULL;
		}
		enum migrate_step step = source->ops->next(source, batch, failure);
		if (step == MIGRATE_BATCH)
			return batch;
		migrate_batch_free(batch);
		if (step == MIGRATE_END || !await_retry(engine, failure, since_us, attempt))
			return NULL;
		*failure = (struct migrate_failure){0};
	}
}

static void *reader_main(void *arg)
{
	struct engine *engine = arg;
	uint64_t room = 2 * (uint64_t)engine->job->sink->lanes;
	struct migrate_failure failure = {0};

	(void)pthread_mutex_lock(&engine->lock);
	for (;;) {
		while (!engine->has_to_stop &&
		       (engine->tail - engine->head >= room ||
			(engine->held_bytes >= HELD_BYTES && engine->head < engine->tail)))
			(void)pthread_cond_wait(&engine->changed, &engine->lock);
		if (engine->has_to_stop)
			break;
		(void)pthread_mutex_unlock(&engine->lock);
		struct migrate_batch *batch = read_batch(engine, &failure);
		(void)pthread_mutex_lock(&engine->lock);
		if (!batch)
			break;
		engine->held_bytes += batch->bytes;
		engine->ring[engine->tail % RING_MAX].batch = batch;
		engine->ring[engine->tail++ % RING_MAX].state = SLOT_WAITS;
		(void)pthread_cond_broadcast(&engine->changed);
	}
	if (!engine->has_to_stop)
		engine->failure = failure;
	engine->is_read = true;
	(void)pthread_cond_broadcast(&engine->changed);
	(void)pthread_mutex_unlock(&engine->lock);
	return NULL;
}

/* ---- Storing ---- */

static void report_failed(const struct migrate_batch *batch, const struct merge_entry *entry)
{
	migrate_report_entry(batch->ns, entry->item.key,
			     entry->detail ? entry->detail : cache_status_text(entry->status));
}

static void account(struct engine *engine, const struct migrate_batch *batch)
{
	struct migrate_totals *totals = &engine->job->totals;
	uint64_t entries = batch->count + batch->gone + batch->expired + batch->unreadable;

	for (size_t i = 0; i < batch->count; i++) {
		const struct merge_entry *entry = &batch->entries[i];

		totals->stored += entry->outcome == MERGE_STORED;
		totals->kept += entry->outcome == MERGE_KEPT;
		totals->failed += entry->outcome == MERGE_FAILED;
		if (entry->outcome == MERGE_STORED)
			totals->bytes += entry->item.value->len_bytes;
		if (entry->outcome == MERGE_FAILED)
			report_failed(batch, entry);
	}
	totals->failed += batch->unreadable;
	totals->gone += batch->gone;
	totals->expired += batch->expired;
	totals->history_lost += batch->history_lost;
	totals->changed += batch->changed;
	totals->seen_bytes += batch->bytes;
	totals->input_bytes += batch->input_bytes;
	meter_add(&engine->meter, entries,
		  engine->job->source->total_is_of_input ? batch->input_bytes : batch->bytes);
}

/* Moves the head over what is done; with the lock held. */
static void move_head(struct engine *engine)
{
	struct migrate_state *state = engine->job->state;

	while (engine->head < engine->tail &&
	       engine->ring[engine->head % RING_MAX].state == SLOT_DONE) {
		struct migrate_batch *batch = engine->ring[engine->head % RING_MAX].batch;

		account(engine, batch);
		engine->held_bytes -= batch->bytes;
		if (state && batch->place.len > 0) {
			state->place.len = 0;
			buffer_append(&state->place, buffer_bytes(&batch->place));
			buffer_append_char(&state->place, '\0');
			state->sink_mark = batch->sink_mark;
			state->totals = engine->job->totals;
			engine->has_moved = true;
		}
		migrate_batch_free(batch);
		engine->ring[engine->head % RING_MAX].state = SLOT_EMPTY;
		engine->ring[engine->head++ % RING_MAX].batch = NULL;
	}
}

/* False: `failure` says why. */
static bool work_on(struct engine *engine, struct migrate_batch *batch,
		    struct migrate_failure *failure)
{
	struct migrate_job *job = engine->job;
	int64_t since_us = monotonic_now_us();

	for (unsigned attempt = 0;; attempt++) {
		*failure = (struct migrate_failure){0};
		if (job->work(job->sink, batch, failure) &&
		    (!job->looks_again || migrate_again(job->source, job->sink, batch, failure)))
			return true;
		if (!await_retry(engine, failure, since_us, attempt))
			return false;
	}
}

static void *lane_main(void *arg)
{
	struct engine *engine = arg;

	(void)pthread_mutex_lock(&engine->lock);
	for (;;) {
		while (!engine->has_to_stop && engine->taken == engine->tail && !engine->is_read)
			(void)pthread_cond_wait(&engine->changed, &engine->lock);
		if (engine->has_to_stop || engine->taken == engine->tail)
			break;
		size_t at = engine->taken++ % RING_MAX;
		struct migrate_batch *batch = engine->ring[at].batch;
		struct migrate_failure failure;

		engine->ring[at].state = SLOT_TAKEN;
		(void)pthread_mutex_unlock(&engine->lock);
		bool good = work_on(engine, batch, &failure);
		(void)pthread_mutex_lock(&engine->lock);
		if (good) {
			engine->ring[at].state = SLOT_DONE;
			move_head(engine);
			(void)pthread_cond_broadcast(&engine->changed);
		} else {
			stop(engine, &failure);
		}
	}
	(void)pthread_mutex_unlock(&engine->lock);
	return NULL;
}

/* ---- The caller's thread ---- */

static bool save(struct engine *engine, struct migrate_failure *failure)
{
	struct migrate_sink *sink = engine->job->sink;
	struct migrate_state copy = *engine->job->state;
	bool good;

	/* What is settled is at least what the copy says. */
	copy.place = (struct buffer){0};
	buffer_append(&copy.place, buffer_bytes(&engine->job->state->place));
	engine->has_moved = false;
	(void)pthread_mutex_unlock(&engine->lock);
	good = !copy.place.failed || migrate_fail(failure, CLIENT_LOCAL, "out of memory");
	good = good && sink->ops->settle(sink, failure) && migrate_state_save(&copy, failure);
	buffer_deinit(&copy.place);
	(void)pthread_mutex_lock(&engine->lock);
	return good;
}

static void watch(struct engine *engine)
{
	struct migrate_job *job = engine->job;
	int64_t save_us = monotonic_now_us(); /* the first place soon */

	while (!engine->has_to_stop && !(engine->is_read && engine->head == engine->tail)) {
		struct migrate_failure failure = {0};

		(void)thread_wait_until(&engine->changed, &engine->lock,
					monotonic_now_us() + LOOK_EVERY_US);
		if (*job->stop)
			stop(engine, NULL);
		meter_show(&engine->meter, &job->totals);
		if (!job->state || !engine->has_moved || monotonic_now_us() < save_us)
			continue;
		if (!save(engine, &failure) && !failure.is_passing)
			stop(engine, &failure);
		save_us = monotonic_now_us() + SAVE_EVERY_US;
	}
	if (engine->has_to_stop && job->source->ops->interrupt)
		job->source->ops->interrupt(job->source);
}

static unsigned start_lanes(struct engine *engine, pthread_t *lanes)
{
	unsigned count = 0;

	while (count < engine->job->sink->lanes && count < LANES_MAX &&
	       thread_start(&lanes[count], NULL, lane_main, engine) == 0)
		count++;
	return count;
}

static void run_threads(struct engine *engine)
{
	pthread_t reader, lanes[LANES_MAX];
	struct migrate_failure failure = {0};
	bool has_reader = thread_start(&reader, NULL, reader_main, engine) == 0;
	unsigned count = has_reader ? start_lanes(engine, lanes) : 0;

	(void)pthread_mutex_lock(&engine->lock);
	if (count == 0) {
		(void)migrate_fail(&failure, CLIENT_LOCAL, "cannot start a thread");
		stop(engine, &failure);
	}
	watch(engine);
	(void)pthread_mutex_unlock(&engine->lock);
	for (unsigned i = 0; i < count; i++)
		(void)pthread_join(lanes[i], NULL);
	if (has_reader)
		(void)pthread_join(reader, NULL);
}

bool migrate_engine_run(struct migrate_job *job, struct migrate_failure *failure)
{
	struct engine engine = {.job = job, .lock = PTHREAD_MUTEX_INITIALIZER};
	struct migrate_failure while_saving = {0};

	thread_condition_init(&engine.changed);
	meter_start(&engine.meter, job->verb, job->is_quiet, job->source, &job->totals);
	run_threads(&engine);
	meter_end(&engine.meter);
	for (; engine.head < engine.tail; engine.head++)
		migrate_batch_free(engine.ring[engine.head % RING_MAX].batch);
	*failure = engine.failure;
	(void)pthread_mutex_lock(&engine.lock);
	if ((engine.has_to_stop || failure->code != CLIENT_DONE) && job->state &&
	    engine.has_moved && !save(&engine, &while_saving) && failure->code == CLIENT_DONE)
		*failure = while_saving;
	(void)pthread_mutex_unlock(&engine.lock);
	(void)pthread_cond_destroy(&engine.changed);
	(void)pthread_mutex_destroy(&engine.lock);
	return !engine.has_to_stop && failure->code == CLIENT_DONE;
}
