/* Handing a response over to libmicrohttpd. */
#ifndef STEADYCACHE_SERVER_ANSWER_H
#define STEADYCACHE_SERVER_ANSWER_H

#include <microhttpd.h>

#include "handlers/respond/response.h"

struct exchange;

/* Queues the exchange's response, whose body goes over to the library, as its answer; `close` ends
 * the connection behind it. MHD_NO: out of memory, the connection is to be dropped. */
enum MHD_Result answer_queue(struct exchange *exchange, bool close);

#endif
