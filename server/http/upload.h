/* The body of a request. */
#ifndef STEADYCACHE_SERVER_UPLOAD_H
#define STEADYCACHE_SERVER_UPLOAD_H

#include "server/http/exchange_state.h"

/* Takes a piece of the body; if it is too much, the response is complete. */
void upload_receive(struct exchange *exchange, const char *piece, size_t len);
/* Trims the body to the received length. False: the response is complete. */
bool upload_end(struct exchange *exchange);

/* Whether the body goes to the handler as it arrives. */
static inline bool upload_streams(const struct exchange *exchange)
{
	return exchange->handler && exchange->handler->take;
}
/* Whether the handler is working aside on earlier pieces, so that it can take no more. */
static inline bool upload_is_busy(const struct exchange *exchange)
{
	return exchange->proceeds && atomic_load(&exchange->park) != PARK_DONE;
}
/* Passes a piece of such a body on. */
void upload_pass(struct exchange *exchange, struct slice piece);
/* Lets the handler continue, at the end of the body or after an op behind it. */
void upload_end_stream(struct exchange *exchange);

#endif
