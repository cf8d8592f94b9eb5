/* The end of calls. */
#ifndef STEADYCACHE_REMOTE_SETTLE_H
#define STEADYCACHE_REMOTE_SETTLE_H

#include "backends/remote/state.h"

/* Gives back slots that the call no longer needs, and ends it if its fate is decided and no request
 * of it is under way: then the call is freed. To be called after each change of a call. */
void remote_settle_call(struct remote_engine *engine, struct remote_call *call);

/* Fails what is left of a call's ops and decides its fate; it ends with remote_settle_call. */
void remote_settle_fail(struct remote_call *call, enum cache_status status, const char *sentence,
			unsigned retry_after_s);

/* Fails all that waits for its first or next try: the breaker has opened. Ends calls. */
void remote_settle_waiting(struct remote_engine *engine);

#endif
