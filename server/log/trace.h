/* What identifies this request beyond this server: its X-Request-Id, and the trace that it belongs
 * to (W3C Trace Context: traceparent, tracestate).
 *
 * Well-formed headers of a client are used; others count as not sent. This server records no spans,
 * so a trace goes on to a remote backend unchanged. */
#ifndef STEADYCACHE_SERVER_TRACE_H
#define STEADYCACHE_SERVER_TRACE_H

#include "store/backend.h"

#define TRACEPARENT_LEN 55
#define TRACE_ID_LEN    32
#define MADE_ID_LEN     24

/* Of one request. Zeroed: nothing was sent. */
struct trace {
	/* The last header of each name, unchecked; tracestate NULL. After trace_check the accepted
	 * ones; request_id may then be one that was made here. */
	struct cache_trace sent;
	char *rewritten; /* texts of the trace whose form in the request differs */
	unsigned char request_ids, parents, states; /* how many headers of each arrived; 255: or
						     * more */
};

struct head;

/* Whether a client sent anything to check. */
static inline bool trace_has_come(const struct trace *trace)
{
	return trace->request_ids + trace->parents > 0;
}
/* Keeps what is well-formed in head->trace. It borrows from the head. */
void trace_check(struct head *head);
void trace_deinit(struct trace *trace);

/* The request id. If there is none yet, makes one in `room`, which the trace then borrows: unique,
 * and not a secret. Never NULL. Any thread; without a system call except for a thread's first. */
const char *trace_request_id(struct trace *trace, char room[static MADE_ID_LEN + 1]);

/* The trace id in hex, in `room`; NULL if there is no trace. */
const char *trace_id_of(const struct trace *trace, char room[static TRACE_ID_LEN + 1]);

#endif
