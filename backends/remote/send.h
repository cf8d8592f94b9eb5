/* Sending the requests of calls. */
#ifndef STEADYCACHE_REMOTE_SEND_H
#define STEADYCACHE_REMOTE_SEND_H

#include "backends/remote/state.h"

/* Adds a call to the engine's list and makes the parts of its first step, which the next
 * remote_send_due sends. May end the call. */
void remote_send_begin(struct remote_engine *engine, struct remote_call *call);

/* Sends the first request of each step that has begun and the retries that are due; ends calls
 * whose ops are all completed. Returns when the next retry is due. */
int64_t remote_send_due(struct remote_engine *engine, int64_t now_us);

/* Sends further requests of steps that have several, as far as slots are free. Returns when the
 * pause that the upstream asked for ends, if that is in the way. */
int64_t remote_send_further(struct remote_engine *engine, int64_t now_us);

#endif
