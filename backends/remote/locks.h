/* Which keys and namespaces have writes in flight.
 *
 * Two writes of one key that a front receives one after the other must reach the upstream in that
 * order, but requests overtake each other. So a write locks its key while its request is in flight,
 * and a later write of that key waits. A write of a whole namespace (clear, configure) excludes all
 * writes in it: single writes hold their namespace shared, it holds it alone. Reads ignore this: it
 * does not matter whether they see a write that is not done yet. But a get of one key waits while
 * an equal one is in flight, so that a key that everybody wants costs one get per round trip (these
 * have their own table, with the same rules but without the namespace).
 *
 * Keys are their 64-bit hashes. If two keys have the same hash, one of them waits unnecessarily. */
#ifndef STEADYCACHE_REMOTE_LOCKS_H
#define STEADYCACHE_REMOTE_LOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/remote/job.h"

struct remote_lock {
	uint64_t hash; /* 0: a free place */
	uint32_t shared;
	uint32_t exclusive;
};

/* Open addressing, linear probing, at most half full. A zeroed one is empty. */
struct remote_locks {
	struct remote_lock *places;
	size_t capacity; /* 0 or a power of two */
	size_t used;     /* places with a hash, held or not */
};

void remote_locks_deinit(struct remote_locks *locks);
/* Forgets all, but keeps the memory. */
void remote_locks_clear(struct remote_locks *locks);

/* Whether the locks of `job`, a write or a read of one key, could be taken. */
bool remote_locks_allow(const struct remote_locks *locks, const struct remote_job *job);
/* Takes them, whether allowed or not (a table may hold wishes too). False: out of memory, and none
 * are taken. */
bool remote_locks_take(struct remote_locks *locks, const struct remote_job *job);
void remote_locks_release(struct remote_locks *locks, const struct remote_job *job);

#endif
