/* The end of calls. */
#ifndef STEADYCACHE_REMOTE_SETTLE_H
#define STEADYCACHE_REMOTE_SETTLE_H

#include "backends/remote/state.h"

/* Releases slots that the call no longer needs, and ends it if its fate is decided and none of its
 * requests is in flight: then the call is freed. Call it after each change of a call. */
void remote_settle_call(struct remote_engine *engine, struct remote_call *call);

/* Fails the remaining ops of a call and decides its fate; remote_settle_call ends it. */
void remote_settle_fail(struct remote_call *call, enum cache_status status, const char *sentence,
			unsigned retry_after_s);

/* Fails everything that waits for its first or next try, because the breaker has opened. Ends
 * calls. */
void remote_settle_waiting(struct remote_engine *engine);

#endif
