/* The I/O thread of the d1 backend: takes jobs from any thread, plans calls, sends them, and
 * decides what an answer or the lack of one means.
 *
 *     submit -> inbox -> plan (waits, merges) -> call -> request -> answer -> ops are done
 *                                                  ^                  |
 *                                                  +--- retry, next --+
 *
 * What it promises:
 *   - An operation is done by its deadline, whatever the upstream does.
 *   - Only what is idempotent is repeated after the request may have reached the upstream, and only
 *     on a broken connection, 429 and 500 to 504; a connection that was never made is tried again
 * for all. Waits have full jitter; a Retry-After is honoured, and where it reaches beyond an
 *     operation's deadline that fails at once and tells its client when to come back.
 *   - A failure is never a miss: ops are completed with OK or NOT_FOUND only from an answer of the
 *     protocol.
 *   - After several failures in a row operations fail at once (breaker.h). */
#ifndef STEADYCACHE_REMOTE_ENGINE_H
#define STEADYCACHE_REMOTE_ENGINE_H

#include <pthread.h>

#include "backends/remote/breaker.h"
#include "backends/remote/plan.h"
#include "backends/remote/protocol.h"
#include "backends/remote/transport.h"

struct remote_engine {
	struct remote_context context;
	const struct remote_settings *settings;
	struct remote_tally *tally;
	struct remote_transport *transport;
	pthread_t thread;

	pthread_mutex_t inbox_lock;
	struct remote_job_list inbox; /* inbox_lock */
	bool stopping;                /* inbox_lock */

	/* From here the I/O thread's. */
	struct remote_plan plan;
	struct remote_call *calls; /* under way, or waiting for a retry */
	unsigned in_flight;        /* of kind CALL_WORK */
	struct remote_breaker breaker;
	const char *last_failure;     /* static sentence */
	enum remote_failure reported; /* what the log was told last */
	int64_t hold_until_us;        /* the upstream asked for a pause (429) */
	uint64_t random;
	const struct remote_dialect *const *dialect; /* of context.dialects */
	int64_t ask_again_us; /* when the first is tried again, if it is another one */
};

/* Starts the thread. False: with nothing to stop. */
bool remote_engine_start(struct remote_engine *engine, const struct remote_context *context);
/* No job may be under way. */
void remote_engine_stop(struct remote_engine *engine);
/* Takes a job. Any thread. */
void remote_engine_submit(struct remote_engine *engine, struct remote_job *job);

#endif
