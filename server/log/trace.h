/* Which request this is, beyond this server: its X-Request-Id, and the trace that it belongs to
 * (W3C Trace Context: traceparent, tracestate).
 *
 * What a client sends of these is taken where it is well-formed, and is as if it had not been sent
 * where it is not. This server records no spans, so a trace goes on to a remote backend as it came.
 */
#ifndef STEADYCACHE_SERVER_TRACE_H
#define STEADYCACHE_SERVER_TRACE_H

#include "store/backend.h"

#define TRACEPARENT_LEN 55
#define TRACE_ID_LEN    32
#define MADE_ID_LEN     24

/* Of one request. Zeroed: nothing was sent. */
struct trace {
	/* The last header of each name, unchecked; tracestate NULL. After trace_check what is taken
	 * of them; and request_id may be one that was made here. */
	struct cache_trace sent;
	char *rewritten; /* texts of it that do not stand in the request as they go on */
	unsigned char request_ids, parents, states; /* how many of each came; 255: or more */
};

struct head;

/* Whether a client sent anything that is to be checked. */
static inline bool trace_has_come(const struct trace *trace)
{
	return trace->request_ids + trace->parents > 0;
}
/* Takes of head->trace what is well-formed. It borrows from the head. */
void trace_check(struct head *head);
void trace_deinit(struct trace *trace);

/* The request id, made in `room`, which the trace borrows then, where there is none yet: unique,
 * and no secret. Never NULL. Thread: any, and without a system call but for a thread's first. */
const char *trace_request_id(struct trace *trace, char room[static MADE_ID_LEN + 1]);

/* The trace id in hex, into `room`; NULL where there is no trace. */
const char *trace_id_of(const struct trace *trace, char room[static TRACE_ID_LEN + 1]);

#endif
