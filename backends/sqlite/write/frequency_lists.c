#include "backends/sqlite/write/frequency_lists.h"

static double seconds_since(const struct transaction *tx, int64_t then_us)
{
	return tx->order_us > then_us ? (double)(tx->order_us - then_us) / (double)US_PER_S : 0;
}

double frequency_lists_score(const struct transaction *tx, const struct ns_row *row,
			     int64_t frequency, int64_t last_access_us)
{
	if (row->settings.policy == EVICT_LRU)
		return (double)last_access_us;
	return (double)frequency / (1.0 + seconds_since(tx, last_access_us));
}

/* Steps `statement` and reads its row (id, frequency, last access); false if there is none or on an
 * error (*ret_code). */
static bool read_candidate(struct transaction *tx, const struct ns_row *row,
			   sqlite3_stmt *statement, struct candidate *ret, int *ret_code)
{
	int code = sqlite3_step(statement);

	if (code == SQLITE_ROW)
		*ret = (struct candidate){
			.id = sqlite3_column_int64(statement, 0),
			.frequency = sqlite3_column_int64(statement, 1),
			.last_access_us = sqlite3_column_int64(statement, 2),
			.heads_list = true,
		};
	int reset = sqlite3_reset(statement);
	*ret_code = code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : reset;
	if (code == SQLITE_ROW)
		ret->score = frequency_lists_score(tx, row, ret->frequency, ret->last_access_us);
	return code == SQLITE_ROW;
}

/* The head of the lowest frequency above `frequency`. */
static bool next_head(struct transaction *tx, const struct ns_row *row, int64_t frequency,
		      struct candidate *ret, int *ret_code)
{
	(void)sqlite3_bind_int64(tx->statements.next_frequency, 1, row->id);
	(void)sqlite3_bind_int64(tx->statements.next_frequency, 2, frequency);
	return read_candidate(tx, row, tx->statements.next_frequency, ret, ret_code);
}

/* The entry after `candidate` in the list of its frequency. */
static bool next_in_list(struct transaction *tx, const struct ns_row *row,
			 const struct candidate *candidate, struct candidate *ret, int *ret_code)
{
	sqlite3_stmt *next = tx->statements.next_in_frequency;

	(void)sqlite3_bind_int64(next, 1, row->id);
	(void)sqlite3_bind_int64(next, 2, candidate->frequency);
	(void)sqlite3_bind_int64(next, 3, candidate->last_access_us);
	(void)sqlite3_bind_int64(next, 4, candidate->id);
	return read_candidate(tx, row, next, ret, ret_code);
}

/* Whether an entry of at least `frequency` that was not used before `last_access_us` may go before
 * all candidates. Called for every known head: without a division, and so with some tolerance. */
static bool may_win(const struct frequency_lists *lists, int64_t frequency, int64_t last_access_us)
{
	if (lists->heap.count == 0)
		return true;

	double score = lists->heap.items[0].score;
	double age_us = (double)(lists->tx->order_us - last_access_us);
	if (lists->row->settings.policy == EVICT_LRU)
		return (double)last_access_us <= score;
	return (double)frequency <= score * (1 + (age_us > 0 ? age_us * 1e-6 : 0)) * (1 + 1e-12);
}

/* The highest known frequency. */
static int64_t last_known(const struct heads *heads)
{
	return heads->count > 0 ? heads->items[heads->count - 1].frequency : 1;
}

int frequency_lists_begin(struct frequency_lists *lists)
{
	struct candidate first;
	int code = SQLITE_OK;

	lists->heap.count = 0;
	for (size_t i = 0; i < lists->heads->count; i++)
		lists->heads->items[i].is_open = false;
	lists->frequency = last_known(lists->heads);
	lists->is_last = lists->heads->is_complete;
	if (next_head(lists->tx, lists->row, 0, &first, &code) && first.frequency == 1 &&
	    !candidates_push(&lists->heap, &first))
		code = SQLITE_NOMEM;
	return code;
}

/* Reads the list of a known head, which may have another one by now, or be empty. */
static int open_known(struct frequency_lists *lists, struct head *head)
{
	struct candidate first;
	int code = SQLITE_OK;
	bool found = next_head(lists->tx, lists->row, head->frequency - 1, &first, &code);

	if (code != SQLITE_OK)
		return code;
	if (!found || first.frequency != head->frequency) {
		heads_remove(lists->heads, (size_t)(head - lists->heads->items));
		return SQLITE_OK;
	}
	head->last_access_us = first.last_access_us;
	head->is_open = true;
	return candidates_push(&lists->heap, &first) ? SQLITE_OK : SQLITE_NOMEM;
}

static int open_known_lists(struct frequency_lists *lists)
{
	int code = SQLITE_OK;

	for (size_t i = 0; i < lists->heads->count && code == SQLITE_OK;) {
		struct head *head = &lists->heads->items[i];

		if (head->is_open || !may_win(lists, head->frequency, head->last_access_us))
			i++;
		else
			code = open_known(lists, head); /* or removes it */
	}
	return code;
}

/* Reads the list after those that are known. */
static int open_next(struct frequency_lists *lists)
{
	struct candidate first;
	int code = SQLITE_OK;
	bool is_behind_known = last_known(lists->heads) == lists->frequency;

	lists->is_last = !next_head(lists->tx, lists->row, lists->frequency, &first, &code);
	if (code != SQLITE_OK)
		return code;
	if (lists->is_last) {
		lists->heads->is_complete = is_behind_known;
		return SQLITE_OK;
	}
	lists->frequency = first.frequency;
	if (is_behind_known)
		(void)heads_add(lists->heads, first.frequency, first.last_access_us);
	return candidates_push(&lists->heap, &first) ? SQLITE_OK : SQLITE_NOMEM;
}

int frequency_lists_open(struct frequency_lists *lists)
{
	int code = SQLITE_OK;

	do {
		code = open_known_lists(lists);
		while (code == SQLITE_OK && !lists->is_last &&
		       may_win(lists, lists->frequency + 1, lists->row->created_us))
			code = open_next(lists);
		if (lists->heads->arrived_us == INT64_MAX ||
		    !may_win(lists, 2, lists->heads->arrived_us))
			return code;
		heads_clear(lists->heads);
		if (code == SQLITE_OK)
			code = frequency_lists_begin(lists);
	} while (code == SQLITE_OK);
	return code;
}

int frequency_lists_take(struct frequency_lists *lists, struct candidate *ret)
{
	struct candidate behind;
	int code = SQLITE_OK;

	*ret = candidates_pop(&lists->heap);
	if (ret->heads_list && next_in_list(lists->tx, lists->row, ret, &behind, &code) &&
	    !candidates_push(&lists->heap, &behind))
		code = SQLITE_NOMEM;
	return code;
}
