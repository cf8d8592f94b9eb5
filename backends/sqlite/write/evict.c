#include "backends/sqlite/write/evict.h"

#include <stdlib.h>

#include "backends/sqlite/write/entries.h"
#include "backends/sqlite/write/frequency_lists.h"

static int compare_ids(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a;
	int64_t right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

static bool is_spared(const struct eviction_goal *goal, int64_t id)
{
	return goal->spared_count > 0 &&
	       bsearch(&id, goal->spared, goal->spared_count, sizeof(id), compare_ids);
}

static bool is_reached(const struct ns_row *row, const struct eviction_goal *goal)
{
	return row->used_bytes <= goal->max_used_bytes && row->entry_count <= goal->max_entry_count;
}

static bool is_step_over(const struct transaction *tx, const struct eviction_goal *goal,
			 size_t removed)
{
	return removed >= tx->store->file.space.removals_max ||
	       (goal->until_us > 0 && removed > 0 && monotonic_now_us() >= goal->until_us);
}

/* Removes the victim. */
static int remove_victim(struct transaction *tx, struct ns_row *row, int64_t id, size_t *removed)
{
	bool gone = false;
	int code = told_note_entry(tx, row, CHANGE_EVICT, id);

	if (code == SQLITE_OK)
		code = entries_remove(tx, row, id, &gone);
	if (code == SQLITE_OK && gone) {
		(*removed)++;
		row->counted.evictions++;
	}
	return code;
}

/* Writes the uses that wait for `candidate`, if any, and puts it back with its true score. */
static int settle_uses(struct transaction *tx, struct ns_row *row, struct candidates *heap,
		       const struct candidate *candidate, bool *ret_settled)
{
	struct use use;

	fold_take(tx);
	*ret_settled = uses_take(&tx->store->uses, candidate->id, &use);
	if (!*ret_settled)
		return SQLITE_OK;
	if (!fold_keep_taken(tx, &use))
		return SQLITE_NOMEM;
	int code = fold_use(tx, &use);
	struct candidate risen = *candidate;

	risen.frequency += (int64_t)use.count;
	if (risen.last_access_us < use.last_access_us)
		risen.last_access_us = use.last_access_us;
	risen.score = frequency_lists_score(tx, row, risen.frequency, risen.last_access_us);
	/* Another candidate may reach its new list too; a second removal finds nothing. */
	risen.heads_list = false;
	if (code == SQLITE_OK && !candidates_push(heap, &risen))
		code = SQLITE_NOMEM;
	return code;
}

/* Of the writer's connection: changes once another process has written. */
static int64_t data_version(struct transaction *tx)
{
	int64_t version = sqlite3_step(tx->statements.data_version) == SQLITE_ROW
				  ? sqlite3_column_int64(tx->statements.data_version, 0)
				  : 0;

	(void)sqlite3_reset(tx->statements.data_version);
	return version;
}

static int evict_by_score(struct transaction *tx, struct ns_row *row,
			  const struct eviction_goal *goal, size_t *removed)
{
	struct frequency_lists lists = {
		.tx = tx,
		.row = row,
		.heads = heads_of(&tx->heads, data_version(tx), row->id),
	};
	int code = frequency_lists_begin(&lists);

	while (code == SQLITE_OK && !is_reached(row, goal) && !is_step_over(tx, goal, *removed)) {
		struct candidate best;
		bool settled = false;

		code = frequency_lists_open(&lists);
		if (code != SQLITE_OK || lists.heap.count == 0)
			break;
		code = frequency_lists_take(&lists, &best);
		if (code != SQLITE_OK || is_spared(goal, best.id))
			continue;
		code = settle_uses(tx, row, &lists.heap, &best, &settled);
		if (code == SQLITE_OK && !settled)
			code = remove_victim(tx, row, best.id, removed);
	}
	free(lists.heap.items);
	return code;
}

static int evict_first_in(struct transaction *tx, struct ns_row *row,
			  const struct eviction_goal *goal, size_t *removed)
{
	int64_t after_us = INT64_MIN;
	int64_t after_id = INT64_MIN;

	while (!is_reached(row, goal) && !is_step_over(tx, goal, *removed)) {
		sqlite3_stmt *next = tx->statements.next_fifo;

		(void)sqlite3_bind_int64(next, 1, row->id);
		(void)sqlite3_bind_int64(next, 2, after_us);
		(void)sqlite3_bind_int64(next, 3, after_id);
		int code = sqlite3_step(next);
		after_id = sqlite3_column_int64(next, 0);
		after_us = sqlite3_column_int64(next, 1);
		int reset = sqlite3_reset(next);

		if (code != SQLITE_ROW)
			return code == SQLITE_DONE ? SQLITE_OK : reset;
		if (is_spared(goal, after_id))
			continue;
		code = remove_victim(tx, row, after_id, removed);
		if (code != SQLITE_OK)
			return code;
	}
	return SQLITE_OK;
}

int evict_to_goal(struct transaction *tx, struct ns_row *row, const struct eviction_goal *goal,
		  bool *ret_reached, bool *ret_more)
{
	size_t removed = 0;
	int code = SQLITE_OK;

	if (goal->spared_count > 1)
		qsort(goal->spared, goal->spared_count, sizeof(*goal->spared), compare_ids);
	if (row->settings.policy == EVICT_FIFO)
		code = evict_first_in(tx, row, goal, &removed);
	else if (row->settings.policy != EVICT_NONE)
		code = evict_by_score(tx, row, goal, &removed);
	*ret_reached = is_reached(row, goal);
	*ret_more = !*ret_reached && is_step_over(tx, goal, removed);
	return code;
}
