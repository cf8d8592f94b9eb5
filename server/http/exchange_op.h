/* The op of a request: its way to the backend, and the connection that waits for it. */
#ifndef STEADYCACHE_SERVER_EXCHANGE_OP_H
#define STEADYCACHE_SERVER_EXCHANGE_OP_H

#include "server/http/exchange_state.h"

/* Hands request->op to the backend from the calling thread. */
void exchange_op_submit(struct exchange *exchange);
/* True: the submitted op is done. False: the connection is suspended until it is.
 * exchange->submitted is true from now on. */
bool exchange_op_await(struct exchange *exchange);
/* Suspends the connection until exchange_op_go_on. */
void exchange_op_park(struct exchange *exchange);
/* The op or the wait is over: the second of this call and the parking resumes the connection. Any
 * thread. */
void exchange_op_go_on(struct exchange *exchange);
/* The op or the wait is over: adds its time if that is known. */
void exchange_op_end_phase(struct exchange *exchange);
/* The trace that ops of this request carry; NULL if the backend does not use it. */
const struct cache_trace *exchange_op_trace(struct exchange *exchange);

#endif
