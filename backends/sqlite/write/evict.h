/* Exact frecency without sorting.
 *
 * The victim is the entry with the smallest frequency / (1 + seconds since its last access). Within
 * one frequency that is always the one that has been unused the longest, so only the heads of these
 * lists, one per distinct frequency, can be victims, and the index uses_order gives them: the next
 * head is the first row after a frequency. The candidates wait in a heap.
 *
 * Three things keep this short:
 * - The heads that an eviction has seen are kept (heads.h). A list only loses its oldest entries
 *   and gets entries that were used later, so a head seen once is a bound for the heads that
 *   follow, and only the lists whose bound is not above the victim's score are read again. What was
 *   added to a frequency since then was used after some moment, so all of it has one bound, and
 *   everything is read again when that is reached. Frequency 1, to which sets add, is read each
 *   time.
 * - Heads are fetched by rising frequency and only while they could win: no entry was used before
 *   its namespace existed (an import with earlier uses makes it older), so frequency f scores at
 *   least f / (1 + age of the namespace).
 * - Uses that wait in memory are not written first: they only raise a score, so what the index says
 *   is a lower bound. A candidate that comes out on top with waiting uses gets them written and
 *   goes back with its true score, and the next one is looked at.
 *
 * The order is exactly that of a sort over all entries.
 *
 * LRU is the same with the last access as the score. FIFO has an index of its own. */
#ifndef STEADYCACHE_SQLITE_EVICT_H
#define STEADYCACHE_SQLITE_EVICT_H

#include "backends/sqlite/write/transaction.h"

/* What an eviction has to reach. */
struct eviction_goal {
	int64_t max_used_bytes; /* of the row; INT64_MAX: any */
	int64_t max_entry_count;
	int64_t until_us; /* monotonic: then it continues in the next group; 0: once removals_max
			   * are removed */
	int64_t *spared;  /* ids that are never victims; evict_to_goal() sorts them */
	size_t spared_count;
};

/* Removes entries by the row's policy until the goal is reached (*ret_reached true), no victim is
 * left, or the step is over (then *ret_more is true). */
int evict_to_goal(struct transaction *tx, struct ns_row *row, const struct eviction_goal *goal,
		  bool *ret_reached, bool *ret_more);

#endif
