#include "backends/sqlite/read/stats.h"

#include <stdlib.h>
#include <string.h>

#include "backends/sqlite/file/database.h"
#include "backends/sqlite/file/row_settings.h"
#include "base/array.h"
#include "store/rules.h"

#define STATS_COLUMNS                                                                              \
	"name, " ROW_SETTINGS_COLUMNS ", entry_count, size_sum, frequency_sum, id, used_bytes,"    \
	" (SELECT frequency FROM uses WHERE ns = namespaces.id ORDER BY ns DESC, frequency DESC "  \
	"LIMIT 1)"

/* Adds the uses that wait in memory to the figures of the tables. */
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
	struct counters *counters = counters_of(&store->counters, slice_of(stats->name));

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

/* All waiting uses, ordered by namespace, for the rows of a statistics query. */
struct waiting_uses {
	struct use *uses;
	size_t count;
};

/* Those of one namespace; *ret_count 0 if there are none. */
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
static int read_stats(struct sqlite_store *store, sqlite3 *db, sqlite3_stmt *row,
		      const struct waiting_uses *waiting, struct namespace_stats *stats)
{
	const char *name = (const char *)sqlite3_column_text(row, 0);
	int64_t frequency_sum = sqlite3_column_int64(row, ROW_SETTINGS + 3);
	size_t waiting_count = 0;
	const struct use *uses =
		find_waiting(waiting, sqlite3_column_int64(row, ROW_SETTINGS + 4), &waiting_count);

	if (!name)
		return SQLITE_NOMEM;
	*stats = (struct namespace_stats){0};
	memcpy(stats->name, name, strnlen(name, NAMESPACE_MAX_LEN));
	row_settings_read(&store->config, slice_of(stats->name), row, 1, &stats->settings);
	stats->entry_count = (uint64_t)sqlite3_column_int64(row, ROW_SETTINGS + 1);
	stats->total_size_bytes = (uint64_t)sqlite3_column_int64(row, ROW_SETTINGS + 2);
	stats->used_bytes = (uint64_t)sqlite3_column_int64(row, ROW_SETTINGS + 5);
	stats->max_frequency = (uint64_t)sqlite3_column_int64(row, ROW_SETTINGS + 6);
	int code = waiting_count == 0
			   ? SQLITE_DONE
			   : add_waiting_uses(db, uses, waiting_count, stats, &frequency_sum);
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

void stats_run(struct sqlite_store *store, sqlite3 *db, struct cache_op *op)
{
	sqlite3_stmt *query = database_prepare_statement(
		db, op->ns.len > 0 ? "SELECT " STATS_COLUMNS " FROM namespaces WHERE name = ?1"
				   : "SELECT " STATS_COLUMNS " FROM namespaces ORDER BY name");
	struct waiting_uses waiting = {0};
	unsigned faults = mapping_faults(&store->file.mapping);
	size_t capacity = 0;
	int code = query ? SQLITE_ROW : database_error(db);

	(void)pthread_mutex_lock(&store->uses_order);
	waiting.uses = uses_copy(&store->uses, &waiting.count);
	if (query && op->ns.len > 0)
		(void)sqlite3_bind_text(query, 1, op->ns.data, (int)op->ns.len, SQLITE_STATIC);
	while (code == SQLITE_ROW && (code = sqlite3_step(query)) == SQLITE_ROW) {
		if (!grow_stats(op, &capacity))
			code = SQLITE_NOMEM;
		else if ((code = read_stats(store, db, query, &waiting,
					    &op->stats[op->stats_count])) == SQLITE_DONE) {
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
			rules_default_settings(&store->config, SQLITE_DEFAULT_POLICY, op->ns,
					       &op->stats[0].settings);
			op->stats_count = 1;
		} else {
			code = SQLITE_NOMEM;
		}
	}
	if (!mapping_is_intact(&store->file.mapping, faults))
		code = SQLITE_IOERR_MMAP;
	cache_op_complete(op, code == SQLITE_DONE ? CACHE_OK
						  : database_refuse(&store->file, db, code, op));
}
