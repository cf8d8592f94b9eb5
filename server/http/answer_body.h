/* An answer whose bytes are a body (base/body.h): those of a file are sent by the kernel, others as
 * their reader gives them. While that has none the connection is suspended, so a slow store costs
 * no thread, and a slow client no memory.
 *
 * A reader's first bytes are there before the head is sent, so that a failure until then has an
 * answer of its own. After a later one the connection is cut, and the log tells why. */
#ifndef STEADYCACHE_SERVER_ANSWER_BODY_H
#define STEADYCACHE_SERVER_ANSWER_BODY_H

#include "server/http/exchange_state.h"

/* Whether the bytes of the answer are a body. */
static inline bool answer_body_is_one(const struct exchange *exchange)
{
	return exchange->response.body == BODY_VALUE &&
	       (exchange->response.value->flags & CACHE_VALUE_BODY);
}

/* For such an answer: whether the first bytes have to be waited for: then exchange_op_go_on resumes
 * the request, and it is asked again. After a failure the response is an error. */
bool answer_body_waits(struct exchange *exchange);

/* The response for the library. NULL: out of memory. */
struct MHD_Response *answer_body_make(struct exchange *exchange);

/* The exchange, which has a sent_body, ends. */
void answer_body_close(struct exchange *exchange);

#endif
