/* Those that wait for the next change of a namespace, and the thread that wakes them. */
#ifndef STEADYCACHE_HANDLERS_WAITING_H
#define STEADYCACHE_HANDLERS_WAITING_H

#include "handlers/watch/hub_state.h"
#include "handlers/watch/watcher.h"

/* Puts one into a list, such as channel->waiting; with the channel's waiting_lock. */
void waiting_link(struct watcher **list, struct watcher *watcher);
/* Takes it out of the list that it is in, and counts it out. With the lock. */
void waiting_remove(struct watcher *watcher);

/* The hub's thread, until its must_end; `user`: the hub. */
void *waiting_main(void *user);

#endif
