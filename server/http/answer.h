/* Passing a response on to libmicrohttpd. */
#ifndef STEADYCACHE_SERVER_ANSWER_H
#define STEADYCACHE_SERVER_ANSWER_H

#include <microhttpd.h>

#include "handlers/respond/response.h"

struct exchange;

/* Queues the exchange's response as its answer, and gives the body to the library; `close` ends the
 * connection afterwards. MHD_NO: out of memory, drop the connection. */
enum MHD_Result answer_queue(struct exchange *exchange, bool close);

#endif
