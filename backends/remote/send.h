/* The requests of calls on their way out. */
#ifndef STEADYCACHE_REMOTE_SEND_H
#define STEADYCACHE_REMOTE_SEND_H

#include "backends/remote/state.h"

/* Takes a call into the engine's list and makes the parts of its first step. It is sent by the
 * next remote_send_due. May end the call. */
void remote_send_begin(struct remote_engine *engine, struct remote_call *call);

/* Sends the first request of each step that has begun and the retries whose wait is over; ends
 * calls whose ops are all completed. The result is when the next retry is due. */
int64_t remote_send_due(struct remote_engine *engine, int64_t now_us);

/* Sends further requests of steps that have several, as far as there are free slots. The result is
 * when the pause is over that the upstream asked for, if that is in the way. */
int64_t remote_send_further(struct remote_engine *engine, int64_t now_us);

#endif
