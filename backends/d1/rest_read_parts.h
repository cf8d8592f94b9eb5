/* What the files that read the rows of REST mode's statements share:
 *
 *   rest_read.c         the rows and the end of a group; get, exists, delete, check
 *   rest_read_rounds.c  what may take several rounds: set, clear, configure
 *   rest_read_lists.c   scan and stats
 *
 * Private to these files. `results` is what D1 answered to the whole request, `rows` what it
 * answered to one statement; both are borrowed and may be NULL. All run on the engine's thread. */
#ifndef STEADYCACHE_D1_REST_READ_PARTS_H
#define STEADYCACHE_D1_REST_READ_PARTS_H

#include "backends/d1/rest.h"

/* ---- rest_read.c ---- */

/* The rows of the group's statement number `at`, a list; NULL where there are none. */
const json_t *d1_rest_rows_of(const json_t *results, const struct rest_group *group, size_t at);
const json_t *d1_rest_first_row(const json_t *rows);
/* The row about item `i`, or NULL, for each of `item_count`: to be freed; the rows are borrowed.
 * NULL: out of memory. */
const json_t **d1_rest_index_rows(const json_t *rows, size_t item_count);
/* How many have `value` as their `member`. */
uint64_t d1_rest_count_rows(const json_t *rows, const char *member, int64_t value);

/* `before`: what there was of the one item, or NULL. */
bool d1_rest_condition_holds(const struct cache_condition *condition, const json_t *before);

/* Counts the items of a job and of its twins; what the group evicted, expired and deleted. */
void d1_rest_tally_job(const struct d1_context *context, const struct d1_job *job);
void d1_rest_tally_gone(const struct d1_context *context, const struct rest_group *group);

/* Completes the ops of a group that did not fail. */
void d1_rest_finish_group(struct rest_group *group);

/* ---- rest_read_rounds.c, rest_read_lists.c: the group's next round, or its end ---- */

void d1_rest_read_set(const struct d1_context *context, struct rest_group *group,
		      const json_t *results);
void d1_rest_read_clear(const struct d1_context *context, struct rest_group *group,
			const json_t *results);
void d1_rest_read_configure(const struct d1_context *context, struct rest_group *group,
			    const json_t *results);
void d1_rest_read_scan(struct rest_group *group, const json_t *rows);
void d1_rest_read_stats(const struct d1_context *context, struct rest_group *group,
			const json_t *rows);

#endif
