/* Running the handler of a request. */
#ifndef STEADYCACHE_SERVER_EXCHANGE_HANDLER_H
#define STEADYCACHE_SERVER_EXCHANGE_HANDLER_H

#include "server/http/exchange_state.h"

/* Has the handler start. True: request->op is to be submitted. */
bool exchange_handler_start(struct exchange *exchange);
/* ... and make the answer of an op that is done, ?pretty included. */
void exchange_handler_answer(struct exchange *exchange);
/* Writes a JSON answer again for people to read, where the request asks for that. */
void exchange_handler_pretty(struct exchange *exchange);

#endif
