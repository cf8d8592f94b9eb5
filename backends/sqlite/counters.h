/* Counters of namespaces since this process started, for statistics. */
#ifndef STEADYCACHE_SQLITE_COUNTERS_H
#define STEADYCACHE_SQLITE_COUNTERS_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/backend.h"

#define COUNTERS_BUCKETS 256

/* The counters of one namespace. Created on first use; they live as long as the table. */
struct counters {
	struct counters *next;
	char name[NAMESPACE_MAX_LEN + 1];
	atomic_ullong hits, misses, sets, deletes, evictions, expirations, stale_hits;
};

struct counters_table {
	pthread_mutex_t lock; /* guards the lists */
	struct counters *buckets[COUNTERS_BUCKETS];
};

void counters_init(struct counters_table *table);
void counters_deinit(struct counters_table *table);

/* The counters of a namespace; NULL: out of memory. Any thread. */
struct counters *counters_of(struct counters_table *table, struct slice name);

/* The namespace is gone, and another of its name counts from 0. */
void counters_reset(struct counters *counters);

static inline void counters_add(atomic_ullong *counter, uint64_t number)
{
	(void)atomic_fetch_add_explicit(counter, number, memory_order_relaxed);
}

#endif
