/* The bytes of a guard that have been received and not passed on. From its event loop. */
#ifndef STEADYCACHE_SERVER_GUARD_HELD_H
#define STEADYCACHE_SERVER_GUARD_HELD_H

#include "server/http/guard.h"

void guard_held_drop(struct guard *guard);

/* Makes room for `needed` more bytes after those that are held. False: out of memory. */
bool guard_held_make_room(struct guard *guard, size_t needed);
/* Copies. False: out of memory. */
bool guard_held_add(struct guard *guard, const char *bytes, size_t len);

/* Drops the first `len`. */
void guard_held_forget(struct guard *guard, size_t len);
/* Moves at most `max` of the first to `room`; returns how many. */
size_t guard_held_pass(struct guard *guard, char *room, size_t max);

#endif
