/* The state of an engine, shared by its parts (engine.c, send.c, receive.c, settle.c). */
#ifndef STEADYCACHE_REMOTE_STATE_H
#define STEADYCACHE_REMOTE_STATE_H

#include <pthread.h>

#include "backends/remote/breaker.h"
#include "backends/remote/plan.h"
#include "backends/remote/protocol.h"
#include "backends/remote/transport.h"
#include "base/clock.h"

struct remote_engine {
	struct remote_context context;
	struct remote_transport *transport;
	const struct cache_clock *clock; /* one that never goes back */
	pthread_t thread;
	bool has_thread;

	pthread_mutex_t inbox_lock;
	struct remote_job_list inbox; /* inbox_lock */
	bool stopping;                /* inbox_lock */
	int64_t hurry_until_us;       /* guarded by inbox_lock; when all ops must be done; 0: no
				       * hurry */

	/* The members from here on belong to the I/O thread. */
	struct remote_plan plan;
	struct remote_call *calls, **last_call; /* formed and not ended, oldest first */
	unsigned in_flight; /* slots of calls of work: requests in flight, or kept for one */
	struct remote_breaker breaker;
	const char *last_failure;     /* static sentence */
	enum remote_failure reported; /* what the log was last told */
	int64_t hold_until_us;        /* until then the upstream asked for a pause (429) */
	uint64_t random;
	const struct remote_dialect *const *dialect; /* in use, of the protocol's list */
	int64_t ask_again_us; /* when the first is tried again, if another is in use */
};

#endif
