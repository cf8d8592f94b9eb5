/* The life of a call: its requests, their answers, its retries, its end. Part of the engine. */
#ifndef STEADYCACHE_REMOTE_CALLS_H
#define STEADYCACHE_REMOTE_CALLS_H

#include "backends/remote/engine.h"

/* Sends the call's next request; a call of work has been formed by the plan, is linked in
 * engine->calls and counted. It may end at once. */
void remote_call_send(struct remote_engine *engine, struct remote_call *call);

/* Fails what is left of a call's ops, and ends it. */
void remote_call_fail(struct remote_engine *engine, struct remote_call *call,
		      enum cache_status status, const char *sentence, unsigned retry_after_s);

/* Fails all that waits for its first or next try. */
void remote_calls_fail_waiting(struct remote_engine *engine);

/* Completes the ops of calls whose time is over; when to look again. */
int64_t remote_calls_expire(struct remote_engine *engine, int64_t now_us);

/* Sends the calls whose wait for a retry is over; when the next one's is. */
int64_t remote_calls_resume(struct remote_engine *engine, int64_t now_us);

#endif
