/* What of a request runs beside the event loops, and when: whatever could take longer than some
 * milliseconds, which others on the same loop would wait for. A handler is a function of request
 * and response, so it does not matter where it runs, as long as one thread at a time runs it; and
 * the library does nothing with a connection that is suspended.
 *
 * Each of the jobs ends with exchange_op_go_on, and the connection is to be parked. */
#ifndef STEADYCACHE_SERVER_ASIDE_H
#define STEADYCACHE_SERVER_ASIDE_H

#include "server/http/exchange_state.h"

/* From so many bytes on, to be read, hashed or written in an answer, it is worth the way. */
#define HEAVY_BYTES 65536

/* Whether that would hold the event loop up. */
static inline bool aside_wants_start(const struct exchange *exchange)
{
	return exchange->received_bytes > HEAVY_BYTES;
}
bool aside_answer_is_heavy(const struct exchange *exchange);
static inline bool aside_wants_finish(const struct exchange *exchange)
{
	const struct cache_op *op = &exchange->request.op;

	/* Neither the value of /cache/{ns}/{key}, which is sent as it is, nor a mere status. */
	if (op->items == &op->one &&
	    (op->type == CACHE_OP_GET ? exchange->request.ns.len > 0 : op->type <= CACHE_OP_EXISTS))
		return false;
	return aside_answer_is_heavy(exchange);
}
/* The handler's start, and its op. */
void aside_start(struct exchange *exchange);
/* The op alone; on the thread that calls where it would not hold that up. */
void aside_submit(struct exchange *exchange);
/* The answer of an op that is done. */
void aside_finish(struct exchange *exchange);
/* A step of a handler whose body is streamed, and its op. */
void aside_proceed(struct exchange *exchange, bool is_end);

#endif
