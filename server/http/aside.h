/* Which parts of a request run beside the event loops, and when: everything that could take longer
 * than some milliseconds, for which others on the same loop would wait. A handler is a function of
 * request and response, so it may run anywhere, as long as one thread at a time runs it; and the
 * library does nothing with a suspended connection.
 *
 * Each of the jobs ends with exchange_op_go_on; the caller parks the connection. */
#ifndef STEADYCACHE_SERVER_ASIDE_H
#define STEADYCACHE_SERVER_ASIDE_H

#include "server/http/exchange_state.h"

/* From this many bytes to read, hash or write in an answer, moving the work aside pays. */
#define HEAVY_BYTES 65536

/* Whether the start would block the event loop. */
static inline bool aside_wants_start(const struct exchange *exchange)
{
	return exchange->received_bytes > HEAVY_BYTES || exchange->handler->is_heavy;
}
bool aside_answer_is_heavy(const struct exchange *exchange);
/* The same for a compressed value. */
bool aside_decoding_is_heavy(const struct cache_op *op);
static inline bool aside_wants_finish(const struct exchange *exchange)
{
	const struct cache_op *op = &exchange->request.op;

	/* Neither the value of /cache/{ns}/{key}, which is sent unchanged unless it is kept
	 * compressed, nor a mere status. */
	if (op->items == &op->one && (op->type == CACHE_OP_GET ? exchange->request.ns.len > 0
							       : cache_op_has_items(op->type)))
		return op->type == CACHE_OP_GET && op->one.value &&
		       (op->one.value->flags & CACHE_VALUE_ZSTD) && aside_decoding_is_heavy(op);
	return aside_answer_is_heavy(exchange);
}
/* Runs the handler's start, and its op. */
void aside_start(struct exchange *exchange);
/* Runs only the op; on the calling thread if that would not block it. */
void aside_submit(struct exchange *exchange);
/* Makes the answer of a completed op. */
void aside_finish(struct exchange *exchange);
/* Runs a step of a handler whose body is streamed, and its op. */
void aside_proceed(struct exchange *exchange, bool is_end);

#endif
