/* Between the store, which tells of changes (store/change.h), and those who watch.
 *
 *     the store's threads ──▶ watch_hub_tell ──▶ ring ──▶ watcher_next ──▶ client
 *                                   └─ signals ─▶ hub's thread ─▶ wake ─┘
 *
 *  - A namespace that is watched, or was a minute ago, has a channel: a ring of its latest changes
 *    (ring.h). A watcher is a position in it, and so takes no memory for what it has not read.
 *  - The store's threads copy a change into the ring, whoever watches, and at most signal the hub's
 *    thread; without a watcher they read one counter.
 *  - The hub's thread wakes those that wait and whose prefix a change has, some hundred times a
 *    second at most, and all of them once in a while, for a sign of life.
 *  - Locks, in the order in which they are taken: `waiting_lock` of a channel, `lock` of a bucket,
 *    `lock` of the hub. The store's threads take only the last two, for a copy.
 *
 * Any thread, but where it says otherwise. */
#ifndef STEADYCACHE_HANDLERS_HUB_H
#define STEADYCACHE_HANDLERS_HUB_H

#include <stdatomic.h>
#include <stdint.h>

#include "store/change.h"

struct watch_hub;

struct watch_figures {
	unsigned watchers; /* now */
	uint64_t events;   /* sent */
	uint64_t resets;   /* of watchers that were too slow, or for whom changes were missed */
};

/* It may be told of changes at once, and be watched once it has started. NULL: out of memory. */
struct watch_hub *watch_hub_create(void);
/* backend_config.changed, with the hub as `user`. */
void watch_hub_tell(void *user, const struct cache_change *change);
/* backend_config.changes_wanted */
const atomic_uint *watch_hub_wanted(const struct watch_hub *hub);

/* Starts its thread. At most `max_watchers` may watch; each hears something every `beat_us`. False:
 * no thread could be started. */
bool watch_hub_start(struct watch_hub *hub, unsigned max_watchers, int64_t beat_us);
/* Ends all watches, and refuses new ones. May be called again. */
void watch_hub_stop(struct watch_hub *hub);
/* Ends the thread. Nobody may watch any more, but it may still be told. */
void watch_hub_end(struct watch_hub *hub);
/* Without a thread. Nobody may tell any more. NULL is allowed. */
void watch_hub_destroy(struct watch_hub *hub);

void watch_hub_read(const struct watch_hub *hub, struct watch_figures *ret);

/* Counts what was sent. */
void watch_hub_count(struct watch_hub *hub, uint64_t events, uint64_t resets);

#endif
