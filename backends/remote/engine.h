/* The engine: takes operations from any thread, plans calls, sends their requests on its I/O
 * thread, and decides what an answer, or a missing one, means.
 *
 *     submit -> inbox -> plan (waits, merges) -> call -> requests -> answers -> ops are done
 *                                                 ^                    |
 *                                                 +--- retry, step ----+
 *
 * It promises:
 * - An operation is done by its deadline, whatever the upstream does.
 * - Only what is idempotent is repeated after the request may have reached the upstream, and only
 *   if the verdict allows another try; after a failure to connect everything may be retried. Waits
 *   have full jitter. A Retry-After is honoured; if it reaches beyond an operation's deadline, that
 *   operation fails at once and tells its client when to come back.
 * - A failure is never a miss: ops are completed with OK or NOT_FOUND only from an answer of the
 *   protocol.
 * - After several failures in a row operations fail at once (breaker.h). */
#ifndef STEADYCACHE_REMOTE_ENGINE_H
#define STEADYCACHE_REMOTE_ENGINE_H

#include "backends/remote/state.h"

/* Prepares an engine without a thread. What `context` points to must outlive it; it takes over the
 * transport. `clock` never goes back; it may be called from any thread. */
void remote_engine_init(struct remote_engine *engine, const struct remote_context *context,
			struct remote_transport *transport, const struct cache_clock *clock);

/* Starts the I/O thread. False: it could not be started. */
bool remote_engine_start(struct remote_engine *engine);

/* One turn of the I/O thread, which ends with a wait of the transport; for tests without a thread.
 * False: the engine must stop. */
bool remote_engine_turn(struct remote_engine *engine);

/* Takes an op; it is done by its deadline, settings.timeout_us from now. Any thread. */
void remote_engine_submit(struct remote_engine *engine, struct cache_op *op);

/* The process is about to end: whatever is in flight, waits or arrives from now on has at most six
 * seconds. Any thread. */
void remote_engine_hurry(struct remote_engine *engine);

/* Ends the thread, if there is one, drops the requests in flight and frees what the engine has. No
 * op may be in progress. */
void remote_engine_stop(struct remote_engine *engine);

#endif
