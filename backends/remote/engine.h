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
#ifndef STEADYCACHE_D1_ENGINE_H
#define STEADYCACHE_D1_ENGINE_H

#include <pthread.h>

#include "backends/remote/breaker.h"
#include "backends/remote/plan.h"
#include "backends/remote/protocol.h"
#include "backends/remote/transport.h"

struct d1_engine {
	struct d1_context context;
	const struct d1_settings *settings;
	struct d1_tally *tally;
	struct d1_transport *transport;
	pthread_t thread;

	pthread_mutex_t inbox_lock;
	struct d1_job_list inbox; /* inbox_lock */
	bool stopping;            /* inbox_lock */

	/* From here the I/O thread's. */
	struct d1_plan plan;
	struct d1_call *calls; /* under way, or waiting for a retry */
	unsigned in_flight;    /* of kind CALL_WORK */
	struct breaker breaker;
	const char *last_failure; /* static sentence */
	enum d1_failure reported; /* what the log was told last */
	int64_t hold_until_us;    /* the upstream asked for a pause (429) */
	uint64_t random;
	/* Whether the Worker speaks /ops: unknown, and asked again after a while where it does
	 * not. */
	const struct d1_dialect *dialect;
	int64_t ask_again_us;
};

/* Starts the thread. False: with nothing to stop. */
bool d1_engine_start(struct d1_engine *engine, const struct d1_context *context);
/* No job may be under way. */
void d1_engine_stop(struct d1_engine *engine);
/* Takes a job. Any thread. */
void d1_engine_submit(struct d1_engine *engine, struct d1_job *job);

#endif
