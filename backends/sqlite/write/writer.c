#include "backends/sqlite/write/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "backends/sqlite/file/database.h"
#include "backends/sqlite/write/group.h"
#include "backends/sqlite/write/write_lock.h"
#include "base/thread.h"

/* How long the last uses may take at the end: a stop must not take long. */
#define FINAL_FOLD_US (3 * US_PER_S)
#define FINAL_LOCK_MS 1000

/* Of this thread, in the file of a store that decides everything (settings.h: follows): some eighth
 * of a processor for which two others compete. */
#define FOLLOWER_NICE 4

struct writer {
	struct sqlite_store *store;
	struct transaction tx;
	struct health health;
	struct write_lock lock;
	struct group group; /* the operations in progress */
	pthread_t thread;
	bool has_thread;
};

/* False when it is time to stop and nothing is left. */
static bool await_work(struct writer *writer)
{
	struct inbox *inbox = &writer->store->to_writer;
	const struct sweep *sweep = &writer->tx.sweep;
	bool sweeps = false;

	(void)pthread_mutex_lock(&inbox->lock);
	for (;;) {
		sweeps = sweep->goes_on && monotonic_now_us() >= sweep->next_step_us;
		if (inbox->queue.first || inbox->is_due || sweeps || inbox->stop)
			break;
		(void)thread_wait_until(&inbox->wake, &inbox->lock,
					sweep->goes_on ? sweep->next_step_us : INT64_MAX);
	}
	bool work = inbox->queue.first || inbox->is_due || !inbox->stop;
	(void)pthread_mutex_unlock(&inbox->lock);
	return work;
}

/* Writes what still waits too, as far as the time allows. */
static void fold_at_the_end(struct writer *writer)
{
	struct sqlite_store *store = writer->store;
	struct transaction *tx = &writer->tx;
	int64_t until_us = monotonic_now_us() + FINAL_FOLD_US;
	bool more = true;

	if (file_watch_look(&store->file) != FILES_IN_PLACE)
		return;
	(void)sqlite3_busy_timeout(tx->db, FINAL_LOCK_MS);
	(void)pthread_mutex_lock(&store->uses_order);
	int code = transaction_begin(tx);
	while (code == SQLITE_OK && more && monotonic_now_us() < until_us)
		code = fold_some(tx, &more);
	if (code == SQLITE_OK)
		code = order_save(tx, true);
	if (code != SQLITE_OK || transaction_commit(tx) != SQLITE_OK)
		transaction_roll_back(tx);
	(void)pthread_mutex_unlock(&store->uses_order);
}

static void *writer_main(void *arg)
{
	struct writer *writer = arg;
	struct sqlite_file *file = &writer->store->file;
	struct group *group = &writer->group;
	bool others_write = false; /* since the last step of the sweep */

	/* Where all processors are busy, answers of the store that the file follows go first. */
	if (writer->store->settings.follows)
		(void)setpriority(PRIO_PROCESS, 0, FOLLOWER_NICE);
	while (await_work(writer) && write_lock_take(&writer->lock)) {
		group_take(group);
		bool swept = group->tick;
		others_write |= group->count > 0;
		if (group_refuse_if_lost(group))
			continue;
		group_run(group);
		if (swept) {
			sweep_pace(&writer->tx.sweep, others_write);
			others_write = false;
		}
		space_attend(file);
		/* The background thread has copied nearly all of it; with the rest copied and no
		 * reader left in it, the next commit resets the log. */
		if ((int)atomic_load(&file->space.wal_pages) > atomic_load(&file->space.hard_pages))
			space_copy_log(file);
	}
	fold_at_the_end(writer);
	return NULL;
}

/* SQLite's hook for a commit; the background thread copies a log that has grown. */
static int note_commit(void *user, sqlite3 *db, const char *name, int pages)
{
	struct writer *writer = user;
	struct space *space = &writer->store->file.space;

	(void)db;
	(void)name;
	space_note_commit(&writer->store->file, pages);
	writer->tx.changes.commit_frames = (uint32_t)pages;
	if (pages >= atomic_load(&space->soft_pages))
		inbox_nudge(&writer->store->to_background);
	return SQLITE_OK;
}

/* ---- Open, submit, close ---- */

/* Gives the parts what they need, once there is a connection. SQLITE_OK or an error. */
static int prepare(struct writer *writer)
{
	struct sqlite_store *store = writer->store;
	struct transaction *tx = &writer->tx;
	const volatile uint64_t *log_index = wal_index_map(tx->db);
	int code = statements_prepare(&tx->statements, tx->db);

	(void)sqlite3_busy_timeout(tx->db, 0); /* write_lock.c */
	/* The pages of one of its large transactions are written once, at the commit. */
	if (code == SQLITE_OK && store->settings.follows)
		code = database_execute(tx->db, "PRAGMA cache_size=-65536");
	if (values_are_on(&store->values))
		tx->changes.wal_index = log_index;
	writer->health = (struct health){.store = store, .db = tx->db, .log_index = log_index};
	writer->lock = (struct write_lock){.store = store, .begin = tx->statements.begin};
	(void)sqlite3_wal_hook(tx->db, note_commit, writer);
	if (code == SQLITE_OK)
		code = order_open(tx);
	return code == SQLITE_OK ? space_open(&store->file, tx->db) : code;
}

bool writer_open(struct sqlite_store *store, char *error, size_t error_size)
{
	struct writer *writer = calloc(1, sizeof(*writer));
	unsigned group_max = store->settings.group_max;

	if (!writer) {
		(void)snprintf(error, error_size, "cannot open %s: out of memory",
			       store->file.path);
		return false;
	}
	store->writer = writer;
	writer->store = store;
	writer->tx.store = store;
	writer->group.tx = &writer->tx;
	writer->group.health = &writer->health;
	writer->group.max = group_max == 0 || group_max > GROUP_MAX ? GROUP_MAX : group_max;
	writer->tx.db = database_connect(&store->file, error, error_size);
	if (!writer->tx.db)
		return false;
	int code = prepare(writer);
	if (code != SQLITE_OK) {
		database_explain(&store->file, writer->tx.db, code, "cannot read", error,
				 error_size);
		return false;
	}
	int failure = thread_start(&writer->thread, NULL, writer_main, writer);
	writer->has_thread = failure == 0;
	if (failure != 0)
		(void)snprintf(error, error_size, "cannot start a thread: %s", strerror(failure));
	return failure == 0;
}

void writer_submit(struct backend *backend, struct cache_op *op)
{
	op->progress = 0;
	op->since_us = monotonic_now_us();
	inbox_submit(&((struct sqlite_store *)backend)->to_writer, op);
}

void writer_hurry(struct backend *backend)
{
	inbox_hurry(&((struct sqlite_store *)backend)->to_writer);
}

void writer_close(struct sqlite_store *store)
{
	struct writer *writer = store->writer;

	if (!writer)
		return;
	if (writer->has_thread) {
		inbox_stop(&store->to_writer);
		(void)pthread_join(writer->thread, NULL);
	}
	transaction_deinit(&writer->tx);
	database_disconnect(&store->file, writer->tx.db);
	free(writer);
	store->writer = NULL;
}
