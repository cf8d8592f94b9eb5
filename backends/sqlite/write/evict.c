/* Exact frecency without sorting.
 *
 * The victim is the entry with the smallest frequency / (1 + seconds since its last access). Within
 * one frequency that is always the one that was not used for the longest time, so only the heads of
 * these lists, one per distinct frequency, can be victims, and the index uses_order hands them out:
 * the next head is the first row behind a frequency. The candidates wait in a heap.
 *
 * Three things keep this short. The heads that an eviction has seen are kept (heads.h): as a list
 * loses its oldest entries and gets others that were used later, a head seen once is a bound for
 * those that follow, and only the lists whose bound is not above the victim's score are read again.
 * What came to a frequency since then was used after some moment, so all of it has one bound, and
 * all is read anew when that is reached. Frequency 1, to which sets add, is read each time.
 *
 * Heads are fetched by rising frequency and only while they could win: no entry was used before its
 * namespace existed (an import that knows of such uses makes it older), so frequency f scores at
 * least f / (1 + age of the namespace). And uses that wait in memory are not written first: they
 * only raise a score, so what the index says is a lower bound; a candidate that comes out on top
 * with uses waiting gets them written, goes back with its true score, and the next one is looked
 * at. The order is exactly that of a sort over all entries.
 *
 * LRU is the same with the last access as the score. FIFO has an index of its own. */
#include <stdlib.h>

#include "backends/sqlite/write/writer.h"
#include "base/array.h"

struct candidate {
	double score;
	int64_t id, frequency, last_access_us;
	bool heads_list; /* the next of its frequency follows it into the heap */
};

struct heap {
	struct candidate *items;
	size_t count, capacity;
};

static bool goes_before(const struct candidate *a, const struct candidate *b)
{
	if (a->score != b->score)
		return a->score < b->score;
	return a->last_access_us < b->last_access_us;
}

static bool heap_push(struct heap *heap, const struct candidate *candidate)
{
	struct candidate *items =
		array_with_room(heap->items, heap->count, &heap->capacity, sizeof(*items));

	if (!items)
		return false;
	heap->items = items;
	size_t at = heap->count++;
	for (; at > 0 && goes_before(candidate, &heap->items[(at - 1) / 2]); at = (at - 1) / 2)
		heap->items[at] = heap->items[(at - 1) / 2];
	heap->items[at] = *candidate;
	return true;
}

static struct candidate heap_pop(struct heap *heap)
{
	struct candidate top = heap->items[0];
	struct candidate last = heap->items[--heap->count];
	size_t at = 0;

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= heap->count)
			break;
		if (child + 1 < heap->count &&
		    goes_before(&heap->items[child + 1], &heap->items[child]))
			child++;
		if (!goes_before(&heap->items[child], &last))
			break;
		heap->items[at] = heap->items[child];
		at = child;
	}
	heap->items[at] = last;
	return top;
}

static double seconds_since(const struct writer *writer, int64_t then_us)
{
	return writer->order_us > then_us ? (double)(writer->order_us - then_us) / (double)US_PER_S
					  : 0;
}

static double score_of(const struct writer *writer, const struct ns_row *row, int64_t frequency,
		       int64_t last_access_us)
{
	if (row->settings.policy == EVICT_LRU)
		return (double)last_access_us;
	return (double)frequency / (1.0 + seconds_since(writer, last_access_us));
}

/* Steps `statement` and reads its row (id, frequency, last access); false where there is none
 * or on an error (*ret_code). */
static bool read_candidate(struct writer *writer, const struct ns_row *row, sqlite3_stmt *statement,
			   struct candidate *ret, int *ret_code)
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
		ret->score = score_of(writer, row, ret->frequency, ret->last_access_us);
	return code == SQLITE_ROW;
}

/* The head of the lowest frequency above `frequency`. */
static bool next_head(struct writer *writer, const struct ns_row *row, int64_t frequency,
		      struct candidate *ret, int *ret_code)
{
	(void)sqlite3_bind_int64(writer->next_frequency, 1, row->id);
	(void)sqlite3_bind_int64(writer->next_frequency, 2, frequency);
	return read_candidate(writer, row, writer->next_frequency, ret, ret_code);
}

/* The one behind `candidate` in the list of its frequency. */
static bool next_in_list(struct writer *writer, const struct ns_row *row,
			 const struct candidate *candidate, struct candidate *ret, int *ret_code)
{
	(void)sqlite3_bind_int64(writer->next_in_frequency, 1, row->id);
	(void)sqlite3_bind_int64(writer->next_in_frequency, 2, candidate->frequency);
	(void)sqlite3_bind_int64(writer->next_in_frequency, 3, candidate->last_access_us);
	(void)sqlite3_bind_int64(writer->next_in_frequency, 4, candidate->id);
	return read_candidate(writer, row, writer->next_in_frequency, ret, ret_code);
}

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

static bool is_step_over(const struct writer *writer, const struct eviction_goal *goal,
			 size_t removed)
{
	return removed >= writer->removals_max ||
	       (goal->until_us > 0 && removed > 0 && monotonic_now_us() >= goal->until_us);
}

/* Removes the victim. */
static int remove_victim(struct writer *writer, struct ns_row *row, int64_t id, size_t *removed)
{
	bool gone = false;
	int code = apply_remove(writer, row, id, &gone);

	if (code == SQLITE_OK && gone) {
		(*removed)++;
		row->counted.evictions++;
	}
	return code;
}

/* Writes the uses that wait for `candidate`, if any, and puts it back with its true score. */
static int settle_uses(struct writer *writer, struct ns_row *row, struct heap *heap,
		       const struct candidate *candidate, bool *ret_settled)
{
	struct use use;

	*ret_settled = uses_take(&writer->store->uses, candidate->id, &use);
	if (!*ret_settled)
		return SQLITE_OK;
	if (!writer_keep_taken(writer, &use))
		return SQLITE_NOMEM;
	int code = writer_fold_use(writer, &use);
	struct candidate risen = *candidate;

	risen.frequency += (int64_t)use.count;
	if (risen.last_access_us < use.last_access_us)
		risen.last_access_us = use.last_access_us;
	risen.score = score_of(writer, row, risen.frequency, risen.last_access_us);
	/* Its new list may be met by `next_in_list` too; a second removal finds nothing. */
	risen.heads_list = false;
	if (code == SQLITE_OK && !heap_push(heap, &risen))
		code = SQLITE_NOMEM;
	return code;
}

/* The lists that an eviction reads. */
struct lists {
	struct writer *writer;
	const struct ns_row *row;
	struct heads *heads;
	struct heap heap;
	int64_t frequency; /* no higher one was looked for yet */
	bool is_last;      /* there is none */
};

/* Whether an entry of at least `frequency` that was not used before `last_access_us` may go before
 * all candidates. Asked for every known head: without a division, and so with some tolerance. */
static bool may_win(const struct lists *lists, int64_t frequency, int64_t last_access_us)
{
	if (lists->heap.count == 0)
		return true;

	double score = lists->heap.items[0].score;
	double age_us = (double)(lists->writer->order_us - last_access_us);
	if (lists->row->settings.policy == EVICT_LRU)
		return (double)last_access_us <= score;
	return (double)frequency <= score * (1 + (age_us > 0 ? age_us * 1e-6 : 0)) * (1 + 1e-12);
}

/* The highest known frequency. */
static int64_t last_known(const struct heads *heads)
{
	return heads->count > 0 ? heads->items[heads->count - 1].frequency : 1;
}

/* Reads the list of frequency 1. */
static int begin_lists(struct lists *lists)
{
	struct candidate first;
	int code = SQLITE_OK;

	lists->heap.count = 0;
	for (size_t i = 0; i < lists->heads->count; i++)
		lists->heads->items[i].is_open = false;
	lists->frequency = last_known(lists->heads);
	lists->is_last = lists->heads->is_complete;
	if (next_head(lists->writer, lists->row, 0, &first, &code) && first.frequency == 1 &&
	    !heap_push(&lists->heap, &first))
		code = SQLITE_NOMEM;
	return code;
}

/* Reads the list of a known head, which may have another one by now, or be empty. */
static int open_known(struct lists *lists, struct head *head)
{
	struct candidate first;
	int code = SQLITE_OK;
	bool found = next_head(lists->writer, lists->row, head->frequency - 1, &first, &code);

	if (code != SQLITE_OK)
		return code;
	if (!found || first.frequency != head->frequency) {
		heads_remove(lists->heads, (size_t)(head - lists->heads->items));
		return SQLITE_OK;
	}
	head->last_access_us = first.last_access_us;
	head->is_open = true;
	return heap_push(&lists->heap, &first) ? SQLITE_OK : SQLITE_NOMEM;
}

static int open_known_lists(struct lists *lists)
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

/* Reads the list behind those that are known. */
static int open_next(struct lists *lists)
{
	struct candidate first;
	int code = SQLITE_OK;
	bool is_behind_known = last_known(lists->heads) == lists->frequency;

	lists->is_last = !next_head(lists->writer, lists->row, lists->frequency, &first, &code);
	if (code != SQLITE_OK)
		return code;
	if (lists->is_last) {
		lists->heads->is_complete = is_behind_known;
		return SQLITE_OK;
	}
	lists->frequency = first.frequency;
	if (is_behind_known)
		(void)heads_add(lists->heads, first.frequency, first.last_access_us);
	return heap_push(&lists->heap, &first) ? SQLITE_OK : SQLITE_NOMEM;
}

/* Reads lists until the next victim is the first of the candidates. */
static int open_lists(struct lists *lists)
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
			code = begin_lists(lists);
	} while (code == SQLITE_OK);
	return code;
}

/* Of the writer's connection: another one once another process has written. */
static int64_t data_version(struct writer *writer)
{
	int64_t version = sqlite3_step(writer->data_version) == SQLITE_ROW
				  ? sqlite3_column_int64(writer->data_version, 0)
				  : 0;

	(void)sqlite3_reset(writer->data_version);
	return version;
}

static int evict_by_score(struct writer *writer, struct ns_row *row,
			  const struct eviction_goal *goal, size_t *removed)
{
	struct lists lists = {
		.writer = writer,
		.row = row,
		.heads = heads_of(&writer->heads, data_version(writer), row->id),
	};
	int code = begin_lists(&lists);

	while (code == SQLITE_OK && !is_reached(row, goal) &&
	       !is_step_over(writer, goal, *removed)) {
		code = open_lists(&lists);
		if (code != SQLITE_OK || lists.heap.count == 0)
			break;

		struct candidate best = heap_pop(&lists.heap);
		struct candidate behind;
		bool settled = false;

		if (best.heads_list && next_in_list(writer, row, &best, &behind, &code) &&
		    !heap_push(&lists.heap, &behind))
			code = SQLITE_NOMEM;
		if (code != SQLITE_OK || is_spared(goal, best.id))
			continue;
		code = settle_uses(writer, row, &lists.heap, &best, &settled);
		if (code == SQLITE_OK && !settled)
			code = remove_victim(writer, row, best.id, removed);
	}
	free(lists.heap.items);
	return code;
}

static int evict_first_in(struct writer *writer, struct ns_row *row,
			  const struct eviction_goal *goal, size_t *removed)
{
	int64_t after_us = INT64_MIN;
	int64_t after_id = INT64_MIN;

	while (!is_reached(row, goal) && !is_step_over(writer, goal, *removed)) {
		sqlite3_stmt *next = writer->next_fifo;

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
		code = remove_victim(writer, row, after_id, removed);
		if (code != SQLITE_OK)
			return code;
	}
	return SQLITE_OK;
}

int writer_evict(struct writer *writer, struct ns_row *row, const struct eviction_goal *goal,
		 bool *ret_reached, bool *ret_more)
{
	size_t removed = 0;
	int code = SQLITE_OK;

	if (goal->spared_count > 1)
		qsort(goal->spared, goal->spared_count, sizeof(*goal->spared), compare_ids);
	if (row->settings.policy == EVICT_FIFO)
		code = evict_first_in(writer, row, goal, &removed);
	else if (row->settings.policy != EVICT_NONE)
		code = evict_by_score(writer, row, goal, &removed);
	*ret_reached = is_reached(row, goal);
	*ret_more = !*ret_reached && is_step_over(writer, goal, removed);
	return code;
}
