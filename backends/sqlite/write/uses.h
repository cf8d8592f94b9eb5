/* Uses (gets) that wait in memory until the writer folds them into the database.
 *
 * One record per entry, however often it is read, so a hot key costs one write, not thousands. What
 * waits is lost if the process dies, which costs an entry some rank, and where its namespace has an
 * idle time some of its life.
 *
 * An entry that is used must not be taken for idle because the use is in neither of the two places
 * for a moment: so the writer marks the time from the moment when it takes uses out until what it
 * did with them is committed, or undone (`folds`). */
#ifndef STEADYCACHE_SQLITE_USES_H
#define STEADYCACHE_SQLITE_USES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USES_STRIPES 16
/* Most records of a stripe; beyond that, uses of further entries are not counted. */
#define USES_STRIPE_MAX 65536

struct use {
	int64_t id; /* rowid of the entry */
	int64_t namespace_id;
	int64_t last_access_us;
	uint64_t count; /* 0: an empty slot of the table */
};

struct uses_stripe {
	pthread_mutex_t lock;
	struct use *slots;
	size_t used, capacity; /* capacity: a power of two or 0 */
};

struct uses {
	struct uses_stripe stripes[USES_STRIPES];
	atomic_uint folds;       /* odd: the writer has some that are not committed */
	_Atomic int64_t lost_us; /* when a use of an entry with an idle time was last not counted,
				  * by the order clock; 0: never. Others may have been. */
};

void uses_init(struct uses *uses);
void uses_deinit(struct uses *uses);

/* Counts `use->count` uses of an entry. False: too many wait already. Any thread. */
bool uses_add(struct uses *uses, const struct use *use);
/* A use at that time was not counted, as too many wait. Any thread. */
void uses_lose(struct uses *uses, int64_t last_access_us);
/* Takes back what was added, as far as it still waits. Any thread. */
void uses_subtract(struct uses *uses, const struct use *use);
/* Removes the record of entry `id`; false if none waits. Any thread. */
bool uses_take(struct uses *uses, int64_t id, struct use *ret);
/* As uses_take, but leaves the record. */
bool uses_find(struct uses *uses, int64_t id, struct use *ret);
/* How many records wait. Any thread. */
size_t uses_count(struct uses *uses);
/* Removes up to `max` records, in no order. Returns how many. Any thread. */
size_t uses_take_some(struct uses *uses, struct use *ret, size_t max);
/* Copies of all records, ordered by namespace: malloc'ed, NULL if there are none (or out of
 * memory). Any thread. */
struct use *uses_copy(struct uses *uses, size_t *ret_count);

#endif
