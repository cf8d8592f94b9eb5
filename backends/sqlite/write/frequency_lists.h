/* The lists of a namespace's entries by frequency, as an eviction by score reads them (evict.h):
 * only as far as the next victim may be in them. */
#ifndef STEADYCACHE_SQLITE_FREQUENCY_LISTS_H
#define STEADYCACHE_SQLITE_FREQUENCY_LISTS_H

#include "backends/sqlite/write/candidates.h"
#include "backends/sqlite/write/transaction.h"

/* The lists that an eviction reads. */
struct frequency_lists {
	struct transaction *tx;
	const struct ns_row *row;
	struct heads *heads;
	struct candidates heap;
	int64_t frequency; /* no higher one has been looked for yet */
	bool is_last;      /* there is no higher one */
};

/* Reads the list of frequency 1. tx, row and heads must be set. SQLITE_OK or an error, as for
 * all. */
int frequency_lists_begin(struct frequency_lists *lists);
/* Reads lists until the next victim is the first of the candidates. */
int frequency_lists_open(struct frequency_lists *lists);
/* Takes the first candidate; there must be one. The next of its list follows it into the heap. */
int frequency_lists_take(struct frequency_lists *lists, struct candidate *ret);

/* The lower, the sooner it goes. */
double frequency_lists_score(const struct transaction *tx, const struct ns_row *row,
			     int64_t frequency, int64_t last_access_us);

#endif
