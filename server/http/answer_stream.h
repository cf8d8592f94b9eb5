/* An answer that is produced while it is sent (handlers/respond/stream.h).
 *
 * The library asks for bytes whenever the socket accepts some, so a slow reader slows the stream
 * down and nothing piles up here. While an op is in progress the connection is suspended. */
#ifndef STEADYCACHE_SERVER_ANSWER_STREAM_H
#define STEADYCACHE_SERVER_ANSWER_STREAM_H

#include "server/http/exchange_state.h"

/* A body of unknown length; takes the response's stream. NULL: out of memory. */
struct MHD_Response *answer_stream_make(struct exchange *exchange);

#endif
