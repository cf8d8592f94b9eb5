/* When to look at entries again that have no node in a heap: a binary heap of times and hashes of
 * keys. It does not know the entries, so these cost nothing where it is not used, and leave it
 * without a word: an alarm that finds no entry, or one whose time has moved on, is dropped or set
 * anew. So an entry has an alarm that rings at its time or earlier, and perhaps others.
 *
 * Threads: under the lock of the shard. */
#ifndef STEADYCACHE_MEMORY_ALARMS_H
#define STEADYCACHE_MEMORY_ALARMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct alarm_slot {
	int64_t due_us;
	uint64_t hash; /* of a key */
};

/* A zeroed one is empty and valid. */
struct alarms {
	struct alarm_slot *slots;
	size_t count, capacity;
};

void alarms_deinit(struct alarms *alarms);

/* Makes room for `extra` more. False: out of memory. */
bool alarms_reserve(struct alarms *alarms, size_t extra);
/* There must be room for it. */
void alarms_add(struct alarms *alarms, int64_t due_us, uint64_t hash);
/* Takes the one that is due first out, if it is due by `now_us`. */
bool alarms_take_due(struct alarms *alarms, int64_t now_us, struct alarm_slot *ret);

/* Whether most of them must be left over by entries that are gone, if there are `entries` that may
 * have one. */
static inline bool alarms_are_stale(const struct alarms *alarms, size_t entries)
{
	return alarms->count > 2 * entries + 256;
}

#endif
