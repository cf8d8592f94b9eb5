/* The thread for what takes longer: listings (scan.c) and statistics, on a read connection of its
 * own, and four times a second, while there is something to do, the housekeeping: waiting uses and
 * expired entries (handed to the writer), idle readers' transactions, and checkpoints.
 *
 * A checkpoint here runs beside the writer and copies the log into the file, so that a commit never
 * stalls for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/sqlite/store.h"
#include "base/array.h"

#define TICK_US INT64_C(250000)

/* ---- Statistics ---- */

#define STATS_COLUMNS                                                                              \
	"name, max_size, capacity, default_ttl, policy, stale_ttl, entry_count, size_sum, "        \
	"frequency_sum, id, used_bytes,"                                                           \
	" (SELECT frequency FROM uses WHERE ns = namespaces.id ORDER BY ns DESC, frequency DESC "  \
	"LIMIT 1)"

/* Adds the uses that wait in memory to what the tables say. */
static int add_waiting_uses(sqlite3 *db, const struct use *waiting, size_t count,
			    struct namespace_stats *stats, int64_t *frequency_sum)
{
	sqlite3_stmt *find = database_prepare_statement(
		db, "SELECT frequency FROM uses WHERE id = ?1 AND ns = ?2");
	int code = find ? SQLITE_DONE : database_error(db);

	for (size_t i = 0; i < count && (code == SQLITE_DONE || code == SQLITE_ROW); i++) {
		(void)sqlite3_bind_int64(find, 1, waiting[i].id);
		(void)sqlite3_bind_int64(find, 2, waiting[i].namespace_id);
		code = sqlite3_step(find);
		if (code == SQLITE_ROW) {
			uint64_t frequency =
				(uint64_t)sqlite3_column_int64(find, 0) + waiting[i].count;

			*frequency_sum += (int64_t)waiting[i].count;
			if (stats->max_frequency < frequency)
				stats->max_frequency = frequency;
		}
		(void)sqlite3_reset(find);
	}
	(void)sqlite3_finalize(find);
	return code == SQLITE_ROW ? SQLITE_DONE : code;
}

static void read_counters(struct sqlite_store *store, struct namespace_stats *stats)
{
	struct counters *counters = store_counters(store, slice_of(stats->name));

	if (!counters)
		return;
	stats->hits = atomic_load(&counters->hits);
	stats->misses = atomic_load(&counters->misses);
	stats->sets = atomic_load(&counters->sets);
	stats->deletes = atomic_load(&counters->deletes);
	stats->evictions = atomic_load(&counters->evictions);
	stats->expirations = atomic_load(&counters->expirations);
	stats->stale_hits = atomic_load(&counters->stale_hits);
}

/* All uses that wait, ordered by namespace, for the rows of a statistics query. */
struct waiting_uses {
	struct use *uses;
	size_t count;
};

/* Those of one namespace; *ret_count 0 where none. */
static const struct use *find_waiting(const struct waiting_uses *waiting, int64_t namespace_id,
				      size_t *ret_count)
{
	size_t low = 0;
	size_t high = waiting->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (waiting->uses[middle].namespace_id < namespace_id)
			low = middle + 1;
		else
			high = middle;
	}
	size_t end = low;
	while (end < waiting->count && waiting->uses[end].namespace_id == namespace_id)
		end++;
	*ret_count = end - low;
	return waiting->uses ? waiting->uses + low : NULL;
}

/* One row of a statistics query. The read transaction is open and the writer stands still, so the
 * tables and the waiting uses belong together. */
static int read_stats(struct sqlite_store *store, sqlite3_stmt *row,
		      const struct waiting_uses *waiting, struct namespace_stats *stats)
{
	const char *name = (const char *)sqlite3_column_text(row, 0);
	int64_t frequency_sum = sqlite3_column_int64(row, 8);
	size_t waiting_count = 0;
	const struct use *uses =
		find_waiting(waiting, sqlite3_column_int64(row, 9), &waiting_count);

	if (!name)
		return SQLITE_NOMEM;
	*stats = (struct namespace_stats){0};
	memcpy(stats->name, name, strnlen(name, NAMESPACE_MAX_LEN));
	database_read_settings(store, slice_of(stats->name), row, 1, &stats->settings);
	stats->entry_count = (uint64_t)sqlite3_column_int64(row, 6);
	stats->total_size_bytes = (uint64_t)sqlite3_column_int64(row, 7);
	stats->used_bytes = (uint64_t)sqlite3_column_int64(row, 10);
	stats->max_frequency = (uint64_t)sqlite3_column_int64(row, 11);
	int code = waiting_count == 0 ? SQLITE_DONE
				      : add_waiting_uses(store->background_db, uses, waiting_count,
							 stats, &frequency_sum);
	if (stats->entry_count > 0)
		stats->avg_frequency = (double)frequency_sum / (double)stats->entry_count;
	read_counters(store, stats);
	return code;
}

static bool grow_stats(struct cache_op *op, size_t *capacity)
{
	struct namespace_stats *stats =
		array_with_room(op->stats, op->stats_count, capacity, sizeof(*stats));

	if (stats)
		op->stats = stats;
	return stats != NULL;
}

static void run_stats(struct sqlite_store *store, struct cache_op *op)
{
	sqlite3 *db = store->background_db;
	sqlite3_stmt *query = database_prepare_statement(
		db, op->ns.len > 0 ? "SELECT " STATS_COLUMNS " FROM namespaces WHERE name = ?1"
				   : "SELECT " STATS_COLUMNS " FROM namespaces ORDER BY name");
	struct waiting_uses waiting = {0};
	unsigned faults = mapping_faults(&store->mapping);
	size_t capacity = 0;
	int code = query ? SQLITE_ROW : database_error(db);

	(void)pthread_mutex_lock(&store->uses_order);
	waiting.uses = uses_copy(&store->uses, &waiting.count);
	if (query && op->ns.len > 0)
		(void)sqlite3_bind_text(query, 1, op->ns.data, (int)op->ns.len, SQLITE_STATIC);
	while (code == SQLITE_ROW && (code = sqlite3_step(query)) == SQLITE_ROW) {
		if (!grow_stats(op, &capacity))
			code = SQLITE_NOMEM;
		else if ((code = read_stats(store, query, &waiting, &op->stats[op->stats_count])) ==
			 SQLITE_DONE) {
			op->stats_count++;
			code = SQLITE_ROW;
		}
	}
	(void)pthread_mutex_unlock(&store->uses_order);
	(void)sqlite3_finalize(query);
	free(waiting.uses);
	if (code == SQLITE_DONE && op->ns.len > 0 && op->stats_count == 0) {
		if (grow_stats(op, &capacity)) {
			op->stats[0] = (struct namespace_stats){0};
			memcpy(op->stats[0].name, op->ns.data, op->ns.len);
			store_default_settings(store, op->ns, &op->stats[0].settings);
			op->stats_count = 1;
		} else {
			code = SQLITE_NOMEM;
		}
	}
	if (!mapping_is_intact(&store->mapping, faults))
		code = SQLITE_IOERR_MMAP;
	cache_op_complete(op,
			  code == SQLITE_DONE ? CACHE_OK : database_refuse(store, db, code, op));
}

/* ---- The thread ---- */

/* Copies the log once it has grown by enough since the last time: each copy costs a sync. */
static void run_checkpoint(struct sqlite_store *store, int *copied_pages)
{
	int pages = (int)atomic_load(&store->wal_pages);
	int log_pages = 0;

	if (pages < *copied_pages)
		*copied_pages = 0; /* the log has begun anew */
	if (pages < *copied_pages + atomic_load(&store->space.soft_pages) ||
	    file_watch_state(&store->watch) != FILES_IN_PLACE) /* the writer's: save_log */
		return;
	if (pthread_mutex_trylock(&store->space.copy_lock) != 0)
		return;
	readers_release(store);
	int code = sqlite3_wal_checkpoint_v2(store->background_db, NULL, SQLITE_CHECKPOINT_PASSIVE,
					     &log_pages, copied_pages);
	(void)pthread_mutex_unlock(&store->space.copy_lock);
	if (code == SQLITE_OK)
		space_signal(store, SPACE_COPIED);
	else if (database_status(store->background_db, code) == CACHE_NO_SPACE)
		space_signal(store, SPACE_NOT_COPIED);
}

/* What another program reads in one long transaction cannot be begun anew. The log that grows
 * meanwhile is told of, and once more each time that it has doubled. */
static void watch_log(struct sqlite_store *store, int64_t *told_pages)
{
	int64_t pages = atomic_load(&store->wal_pages);
	int64_t usual = atomic_load(&store->space.hard_pages);

	if (pages <= usual)
		*told_pages = 0;
	if (pages <= 2 * (*told_pages > 0 ? *told_pages : usual))
		return;
	*told_pages = pages;
	store_notice(store, NOTICE_WARN,
		     "%s-wal has grown to %lld MB, as another program has been reading the "
		     "database in one transaction all the time: end that",
		     store->path, (long long)(pages * store->space.page_bytes >> 20));
}

static void watch_files(struct sqlite_store *store)
{
	enum file_state state = file_watch_look(store);

	(void)readers_check(store);
	if (!atomic_load(&store->mapping.is_off) || store->mapping_told || state == FILES_CUT)
		return;
	store->mapping_told = true;
	store_notice(store, NOTICE_ERROR,
		     "a page of %s could not be read: look at its disk; reads of what is not "
		     "cached are slower until the server is started again",
		     store->path);
}

static void *background_main(void *arg)
{
	struct sqlite_store *store = arg;
	int64_t next_tick_us = monotonic_now_us() + TICK_US;
	int copied_pages = 0;
	int64_t told_pages = 0;
	struct cache_op *op;

	(void)pthread_mutex_lock(&store->background_lock);
	while (!store->background_stop || store->background_queue.first) {
		op = queue_pop(&store->background_queue);
		if (!op)
			wait_on_clock(&store->background_wake, &store->background_lock,
				      next_tick_us);
		(void)pthread_mutex_unlock(&store->background_lock);
		if (op && op->type == CACHE_OP_SCAN)
			scan_run(store, op);
		else if (op)
			run_stats(store, op);
		run_checkpoint(store, &copied_pages);
		if (monotonic_now_us() >= next_tick_us) {
			readers_release(store);
			watch_files(store);
			large_tidy(&store->large);
			space_watch(store);
			watch_log(store, &told_pages);
			writer_tick(store);
			next_tick_us = monotonic_now_us() + TICK_US;
		}
		(void)pthread_mutex_lock(&store->background_lock);
	}
	(void)pthread_mutex_unlock(&store->background_lock);
	return NULL;
}

bool background_open(struct sqlite_store *store, char *error, size_t error_size)
{
	(void)pthread_mutex_init(&store->background_lock, NULL);
	cond_init_monotonic(&store->background_wake);
	queue_init(&store->background_queue);
	store->background_db = database_connect(store, error, error_size);
	if (!store->background_db)
		return false;
	int failure = pthread_create(&store->background_thread, NULL, background_main, store);
	store->has_background_thread = failure == 0;
	if (failure != 0)
		(void)snprintf(error, error_size, "cannot start a thread: %s", strerror(failure));
	return failure == 0;
}

void background_submit(struct backend *backend, struct cache_op *op)
{
	struct sqlite_store *store = (struct sqlite_store *)backend;

	(void)pthread_mutex_lock(&store->background_lock);
	queue_push(&store->background_queue, op);
	(void)pthread_cond_signal(&store->background_wake);
	(void)pthread_mutex_unlock(&store->background_lock);
}

void background_wake(struct sqlite_store *store)
{
	if ((int)atomic_load(&store->wal_pages) < atomic_load(&store->space.soft_pages))
		return;
	(void)pthread_mutex_lock(&store->background_lock);
	(void)pthread_cond_signal(&store->background_wake);
	(void)pthread_mutex_unlock(&store->background_lock);
}

void background_close(struct sqlite_store *store)
{
	if (store->has_background_thread) {
		(void)pthread_mutex_lock(&store->background_lock);
		store->background_stop = true;
		(void)pthread_cond_signal(&store->background_wake);
		(void)pthread_mutex_unlock(&store->background_lock);
		(void)pthread_join(store->background_thread, NULL);
	}
	database_disconnect(store, store->background_db);
}
