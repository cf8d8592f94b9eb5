/* One request in progress, and what all requests of a server share: for the files that work on
 * them. */
#ifndef STEADYCACHE_SERVER_EXCHANGE_STATE_H
#define STEADYCACHE_SERVER_EXCHANGE_STATE_H

#include <microhttpd.h>
#include <stdatomic.h>

#include "server/auth/auth.h"
#include "server/http/connections.h"
#include "server/http/head.h"
#include "server/http/linger.h"
#include "server/http/offload.h"
#include "server/http/router.h"
#include "server/life/flight_timer.h"
#include "server/log/metrics.h"
#include "server/log/trace.h"

/* Who may read /metrics. */
enum metrics_access {
	METRICS_WITH_TOKEN,  /* like any other path */
	METRICS_ON_LOOPBACK, /* without a token, like a server that has none: no web pages */
	METRICS_FOR_ALL,
};

/* Shared by all requests of a server. */
struct exchange_shared {
	struct handler_context context;
	struct auth *auth;
	const char *listen_hosts; /* of --listen, with blanks between them */
	struct connections connections;
	struct flight_timer_thread flight_timer;
	struct lingering linger;
	struct offload offload;
	struct metrics *metrics;
	size_t max_body_bytes;
	uint64_t stream_from_bytes; /* bodies that long go to handler->streamed */
	unsigned idle_timeout_s;
	size_t max_head_bytes; /* of a request, as its guard counts them */
	bool access_log;
	/* Where the backend has branches: the ops of requests under way in each, and how many may
	 * be. One that does not answer keeps no more connections than its share. */
	atomic_uint branch_ops[BACKEND_BRANCHES_MAX];
	unsigned branch_share;
	int64_t slow_ns; /* slower requests are logged; INT64_MAX: none */
	bool is_tls;
	enum metrics_access metrics_access;
	atomic_bool leaves;   /* the server is about to stop: answers close their connections */
	atomic_bool draining; /* ... and accepts no more connections */
	atomic_bool hurries;  /* ... for a while: streamed bodies are given up */
	atomic_uint running;  /* requests between headers and the end of their answer */
	atomic_size_t answer_bytes; /* of large answers that are made but not sent yet */
	atomic_uint parked; /* of these, suspended until their op is done or their wait is over */
};

/* Decoded keys up to this length need no allocation. */
#define INLINE_KEY_BYTES 512

/* An unwanted body up to this size is read and dropped, so that the connection can stay. */
#define DISCARD_MAX_BYTES 65536

/* A body up to this size takes no time besides the backend's. */
#define PLAIN_BODY_BYTES 65536

/* How a pending op (or wait) and the connection that waits for it meet: whichever comes second
 * resumes the connection. */
enum park_state { PARK_RUNNING, PARK_SUSPENDED, PARK_DONE };

/* Only the members before `head` are cleared for a new request. */
struct exchange {
	struct exchange_shared *shared;
	struct MHD_Connection *connection;
	struct connection *record; /* NULL: out of memory; then no request begins */
	const struct route *route;
	const struct handler *handler; /* the route's, or its `streamed`; NULL: no route */
	_Atomic enum park_state park;
	bool begun;     /* the headers have arrived */
	bool answered;  /* the response is complete; the rest of the body is dropped */
	bool submitted; /* the op is with the backend or done, `finish` has not been called yet */
	bool waiting;   /* ... or the request waits for a value or a lease, or did */
	bool counted;   /* an answer was queued */
	bool has_ended_lease; /* ... or is, once the lease of a refused write has ended */
	bool started;         /* handler->start was called, so cleanup is due */
	bool returns_id;      /* the answer has the request id */
	bool is_all_backend;  /* the backend's time is not known, and is nearly all of it */
	bool is_made;         /* the answer was made aside; the loop must queue it */
	bool has_step;        /* of a streamed body: `step` is the result of the handler, which ran
			       * aside */
	bool proceeds;        /* ... or is about to run */
	bool is_end;          /* ... at the end of the body */
	enum handler_step step;
	struct offload_job job;        /* the job that runs aside */
	struct answer_body *sent_body; /* of an answer whose bytes are a body; else NULL */
	size_t received_bytes;
	size_t answer_bytes; /* the part of shared->answer_bytes */
	size_t marked_bytes; /* of a streamed body: received when its time-out was last restarted */
	int64_t began_ns;    /* monotonic: the headers have arrived */
	/* How the time since then is divided (request_log.h). */
	int64_t complete_ns; /* monotonic: the request is complete */
	int64_t since_ns;    /* monotonic: the op is with the backend, or `waiting`; 0: not known */
	int64_t backend_ns, waited_ns;
	unsigned branch; /* of the backend, from 1: the op is under way there; 0: not counted */
	struct access access; /* what the client may do */
	char *long_key;       /* malloc'ed if the decoded key does not fit below */
	struct request request;

	struct head head;
	const char *query, *query_end; /* parameters as received, each terminated by a NUL */
	struct response response;      /* response_init */
	char ns[NAMESPACE_MAX_LEN * 3];
	char key[INLINE_KEY_BYTES];
	char made_id[MADE_ID_LEN + 1];
};

/* Of the backend that has the op's namespace. */
static inline struct backend_traits exchange_traits(const struct exchange *exchange)
{
	const struct request *request = &exchange->request;

	return backend_traits_of(request->context->backend, request->op.ns);
}

static inline const char *exchange_request_id(struct exchange *exchange)
{
	return trace_request_id(&exchange->head.trace, exchange->made_id);
}
#endif
