/* The life of a call: its requests, their answers, its retries, its end. Part of the engine. */
#ifndef STEADYCACHE_D1_CALLS_H
#define STEADYCACHE_D1_CALLS_H

#include "backends/remote/engine.h"

/* Sends the call's next request; a call of work has been formed by the plan, is linked in
 * engine->calls and counted. It may end at once. */
void d1_call_send(struct d1_engine *engine, struct d1_call *call);

/* Fails what is left of a call's ops, and ends it. */
void d1_call_fail(struct d1_engine *engine, struct d1_call *call, enum cache_status status,
		  const char *sentence, unsigned retry_after_s);

/* Fails all that waits for its first or next try. */
void d1_fail_waiting(struct d1_engine *engine);

/* Completes the ops of calls whose time is over; when to look again. */
int64_t d1_calls_expire(struct d1_engine *engine, int64_t now_us);

/* Sends the calls whose wait for a retry is over; when the next one's is. */
int64_t d1_calls_resume(struct d1_engine *engine, int64_t now_us);

#endif
