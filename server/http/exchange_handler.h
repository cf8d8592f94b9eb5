/* Running the handler of a request. */
#ifndef STEADYCACHE_SERVER_EXCHANGE_HANDLER_H
#define STEADYCACHE_SERVER_EXCHANGE_HANDLER_H

#include "server/http/exchange_state.h"

/* Runs the handler's start. True: submit request->op. */
bool exchange_handler_start(struct exchange *exchange);
/* ... and makes the answer of a completed op, including ?pretty. */
void exchange_handler_answer(struct exchange *exchange);
/* Rewrites a JSON answer for people to read, if the request asks for that. */
void exchange_handler_pretty(struct exchange *exchange);

#endif
