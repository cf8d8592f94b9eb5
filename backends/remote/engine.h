/* The engine: takes operations from any thread, plans calls, sends their requests on its I/O
 * thread, and decides what an answer or the lack of one means.
 *
 *     submit -> inbox -> plan (waits, merges) -> call -> requests -> answers -> ops are done
 *                                                 ^                    |
 *                                                 +--- retry, step ----+
 *
 * What it promises:
 *   - An operation is done by its deadline, whatever the upstream does.
 *   - Only what is idempotent is repeated after the request may have reached the upstream, and only
 *     if the verdict allows another try; a connection that was never made is tried again for all.
 *     Waits have full jitter; a Retry-After is honoured, and if it reaches beyond an operation's
 *     deadline that fails at once and tells its client when to come back.
 *   - A failure is never a miss: ops are completed with OK or NOT_FOUND only from an answer of the
 *     protocol.
 *   - After several failures in a row operations fail at once (breaker.h). */
#ifndef STEADYCACHE_REMOTE_ENGINE_H
#define STEADYCACHE_REMOTE_ENGINE_H

#include "backends/remote/state.h"

/* Prepares an engine without a thread. What `context` points to must outlive it; the transport is
 * taken over. `clock` never goes back; it may be called from any thread. */
void remote_engine_init(struct remote_engine *engine, const struct remote_context *context,
			struct remote_transport *transport, const struct cache_clock *clock);

/* Starts the I/O thread. False: there is none. */
bool remote_engine_start(struct remote_engine *engine);

/* One turn of the I/O thread, which ends with a wait of the transport; for tests that have no
 * thread. False: the engine is to stop. */
bool remote_engine_turn(struct remote_engine *engine);

/* Takes an op; it is done by its deadline, settings.timeout_us from now. Any thread. */
void remote_engine_submit(struct remote_engine *engine, struct cache_op *op);

/* The process is about to end: what is under way, waits or comes from now on has two seconds at
 * most. Any thread. */
void remote_engine_hurry(struct remote_engine *engine);

/* Ends the thread, if there is one, forgets the requests under way and frees what the engine has.
 * No op may be under way. */
void remote_engine_stop(struct remote_engine *engine);

#endif
