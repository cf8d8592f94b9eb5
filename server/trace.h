/* Which request this is, beyond this server: its X-Request-Id, and the trace that it belongs to
 * (W3C Trace Context: traceparent, tracestate).
 *
 * What a client sends of these is taken where it is well-formed, and is as if it had not been sent
 * where it is not. This server records no spans, so a trace goes on to a remote backend as it came.
 */
#ifndef STEADYCACHE_SERVER_TRACE_H
#define STEADYCACHE_SERVER_TRACE_H

#include "backends/backend.h"
#include "server/head.h"

#define TRACEPARENT_LEN 55
#define TRACE_ID_LEN    32
#define MADE_ID_LEN     24

/* Where the texts of a trace stand that cannot stay where they came from. Not to be initialised. */
struct trace_room {
	char request_id[MADE_ID_LEN + 1];
	char traceparent[TRACEPARENT_LEN + 1];
	char tracestate[CACHE_TRACESTATE_MAX_LEN + 1];
	char trace_id[TRACE_ID_LEN + 1];
};

/* What `head` says; it and `room` are borrowed for as long as the trace is used. */
void trace_read(struct cache_trace *ret, const struct head *head, struct trace_room *room);

/* The request id, made where there is none yet: unique, and no secret. Never NULL. Thread: any, and
 * without a system call but for a thread's first. */
const char *trace_request_id(struct cache_trace *trace, struct trace_room *room);

/* The trace id in hex; NULL where there is no trace. */
const char *trace_id_of(const struct cache_trace *trace, struct trace_room *room);

#endif
