/* Hits of the near cache by namespace: the backend behind it does not see them, but statistics must
 * include them. Any thread. */
#ifndef STEADYCACHE_TIERED_NEAR_HITS_H
#define STEADYCACHE_TIERED_NEAR_HITS_H

#include <pthread.h>
#include <stdint.h>

#include "store/backend.h"

#define NEAR_HITS_BUCKETS 256
/* Hits in further namespaces are not counted. */
#define NEAR_HITS_NAMESPACES_MAX 10000

struct near_hits_entry;

struct near_hits {
	pthread_mutex_t lock; /* for adding one; a look-up takes none */
	struct near_hits_entry *_Atomic buckets[NEAR_HITS_BUCKETS];
	size_t count; /* lock */
};

void near_hits_init(struct near_hits *hits);
void near_hits_deinit(struct near_hits *hits);

void near_hits_add(struct near_hits *hits, struct slice ns, uint64_t how_many);
uint64_t near_hits_of(struct near_hits *hits, struct slice ns);
/* The namespace is gone: its hits are counted from 0 on. */
void near_hits_forget(struct near_hits *hits, struct slice ns);

#endif
