#include "backends/sqlite/background.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/sqlite/file/database.h"
#include "backends/sqlite/read/readers.h"
#include "backends/sqlite/read/scan.h"
#include "backends/sqlite/read/stats.h"
#include "base/thread.h"
#include "store/notice.h"

#define TICK_US INT64_C(250000)

struct background {
	struct sqlite_store *store;
	sqlite3 *db;
	pthread_t thread;
	bool has_thread;
	bool mapping_told;  /* reported that the mapping is off */
	int copied_pages;   /* of the log, when it was last copied */
	int64_t told_pages; /* length of the log at the last report; 0: it is not too long */
};

/* Copies the log once it has grown enough since the last copy, because each copy costs a sync. */
static void run_checkpoint(struct background *background)
{
	struct sqlite_store *store = background->store;
	int pages = (int)atomic_load(&store->file.space.wal_pages);
	int log_pages = 0;

	if (pages < background->copied_pages)
		background->copied_pages = 0; /* the log was reset */
	if (pages < background->copied_pages + atomic_load(&store->file.space.soft_pages) ||
	    file_watch_state(&store->file.watch) != FILES_IN_PLACE) /* left to the writer:
								     * health.c */
		return;
	if (pthread_mutex_trylock(&store->file.space.copy_lock) != 0)
		return;
	readers_release(store->readers);
	int code = sqlite3_wal_checkpoint_v2(background->db, NULL, SQLITE_CHECKPOINT_PASSIVE,
					     &log_pages, &background->copied_pages);
	(void)pthread_mutex_unlock(&store->file.space.copy_lock);
	if (code == SQLITE_OK)
		space_signal(&store->file, SPACE_COPIED);
	else if (database_status(background->db, code) == CACHE_NO_SPACE)
		space_signal(&store->file, SPACE_NOT_COPIED);
}

/* While another program reads in one long transaction the log cannot be reset. The growing log is
 * reported, and again each time that it has doubled. */
static void watch_log(struct background *background)
{
	struct sqlite_store *store = background->store;
	int64_t pages = atomic_load(&store->file.space.wal_pages);
	int64_t usual = atomic_load(&store->file.space.hard_pages);

	if (pages <= usual)
		background->told_pages = 0;
	if (pages <= 2 * (background->told_pages > 0 ? background->told_pages : usual))
		return;
	background->told_pages = pages;
	notice_send(&store->config, NOTICE_WARN,
		    "%s-wal has grown to %lld MB, as another program has been reading the "
		    "database in one transaction all the time: end that",
		    store->file.path, (long long)(pages * store->file.space.page_bytes >> 20));
}

static void watch_files(struct background *background)
{
	struct sqlite_store *store = background->store;
	enum file_state state = file_watch_look(&store->file);

	(void)readers_check(store->readers);
	if (!atomic_load(&store->file.mapping.is_off) || background->mapping_told ||
	    state == FILES_CUT)
		return;
	background->mapping_told = true;
	notice_send(&store->config, NOTICE_ERROR,
		    "a page of %s could not be read: look at its disk; reads of what is not "
		    "cached are slower until the server is started again",
		    store->file.path);
}

/* Runs four times a second. */
static void keep_house(struct background *background)
{
	struct sqlite_store *store = background->store;

	readers_release(store->readers);
	large_tidy(&store->large);
	if (store->file.is_read_only)
		return;
	watch_files(background);
	space_watch(&store->file);
	watch_log(background);
	inbox_nudge(&store->to_writer);
}

static void *background_main(void *arg)
{
	struct background *background = arg;
	struct sqlite_store *store = background->store;
	struct inbox *inbox = &store->to_background;
	int64_t next_tick_us = monotonic_now_us() + TICK_US;

	(void)pthread_mutex_lock(&inbox->lock);
	while (!inbox->stop || inbox->queue.first) {
		struct cache_op *op = op_queue_pop(&inbox->queue);

		if (!op && !inbox->is_due)
			(void)thread_wait_until(&inbox->wake, &inbox->lock, next_tick_us);
		inbox->is_due = false;
		(void)pthread_mutex_unlock(&inbox->lock);
		if (op && op->type == CACHE_OP_SCAN)
			scan_run(store, background->db, op);
		else if (op)
			stats_run(store, background->db, op);
		if (!store->file.is_read_only)
			run_checkpoint(background);
		if (monotonic_now_us() >= next_tick_us) {
			keep_house(background);
			next_tick_us = monotonic_now_us() + TICK_US;
		}
		(void)pthread_mutex_lock(&inbox->lock);
	}
	(void)pthread_mutex_unlock(&inbox->lock);
	return NULL;
}

bool background_open(struct sqlite_store *store, char *error, size_t error_size)
{
	struct background *background = calloc(1, sizeof(*background));

	if (!background) {
		(void)snprintf(error, error_size, "cannot open %s: out of memory",
			       store->file.path);
		return false;
	}
	store->background = background;
	background->store = store;
	background->db = database_connect(&store->file, error, error_size);
	if (!background->db)
		return false;
	int failure = thread_start(&background->thread, NULL, background_main, background);
	background->has_thread = failure == 0;
	if (failure != 0)
		(void)snprintf(error, error_size, "cannot start a thread: %s", strerror(failure));
	return failure == 0;
}

void background_submit(struct backend *backend, struct cache_op *op)
{
	inbox_submit(&((struct sqlite_store *)backend)->to_background, op);
}

void background_close(struct sqlite_store *store)
{
	struct background *background = store->background;

	if (!background)
		return;
	if (background->has_thread) {
		inbox_stop(&store->to_background);
		(void)pthread_join(background->thread, NULL);
	}
	database_disconnect(&store->file, background->db);
	free(background);
	store->background = NULL;
}
