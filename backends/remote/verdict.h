/* What an answer that is not one of the protocol means: for the client, for the retry, for the
 * breaker. Pure. */
#ifndef STEADYCACHE_REMOTE_VERDICT_H
#define STEADYCACHE_REMOTE_VERDICT_H

#include "backends/remote/tally.h"
#include "base/status.h"

struct remote_verdict {
	enum remote_failure failure; /* for the counters */
	enum cache_status status;
	const char *sentence; /* static; names the option to change where one can help */
	bool may_retry;       /* another try may succeed */
	bool is_outage;       /* counts for the breaker */
};

/* Of a request that ended with `failure`, or where that is FAILURE_NONE of HTTP status `status`.
 * FAILURE_BAD_ANSWER is also for a 200 that could not be read. */
struct remote_verdict remote_verdict_of(enum remote_failure failure, long status);

#endif
