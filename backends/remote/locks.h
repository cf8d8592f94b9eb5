/* Which keys and namespaces have writes under way.
 *
 * Two writes of one key that a front was given one after the other must reach the upstream in that
 * order, but requests overtake each other. So a write takes its key for as long as the request that
 * carries it is under way, and a later write of that key waits. A write of a whole namespace
 * (clear, configure) excludes all writes in it: single writes hold their namespace shared, it takes
 * it alone. Reads ignore all that: what they see of a write that is not yet done is nobody's
 * business. But a get of one key waits while an equal one is under way, so that a key that
 * everybody wants costs one get a round trip (in a table of their own: the rules are the same, less
 * the namespace).
 *
 * Keys are their 64-bit hashes. Should two keys have one hash, one of them waits in vain. */
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

/* Open addressing, linear probing, at most half full. Zeroed is empty. */
struct remote_locks {
	struct remote_lock *places;
	size_t capacity; /* 0 or a power of two */
	size_t used;     /* places with a hash, taken or not */
};

void remote_locks_deinit(struct remote_locks *locks);
/* Forgets all, keeps the memory. */
void remote_locks_clear(struct remote_locks *locks);

/* Whether the locks of `job` could be taken: of a write, or of a read of one key. */
bool remote_locks_allow(const struct remote_locks *locks, const struct remote_job *job);
/* Takes them, whether allowed or not (a table may hold wishes too). False: out of memory, and then
 * none are taken. */
bool remote_locks_take(struct remote_locks *locks, const struct remote_job *job);
void remote_locks_release(struct remote_locks *locks, const struct remote_job *job);

#endif
