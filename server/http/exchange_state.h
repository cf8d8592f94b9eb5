/* One request under way, as the files of the exchange share it:
 *
 *   exchange.c    from the library's calls to the handler's steps and back
 *   exchange_life.c  opening and closing, and what the handler may ask
 *   admission.c   whether it may go on: load, framing, token, route, path
 *   upload.c      its body
 *   aside.c       what of it runs beside the event loops
 *   answer.c      handing its answer over to the library
 *   answer_stream.c  an answer that is made while it is sent
 *   request_log.c    what the log says of it
 *
 * Private to these files. */
#ifndef STEADYCACHE_SERVER_EXCHANGE_STATE_H
#define STEADYCACHE_SERVER_EXCHANGE_STATE_H

#include "server/http/exchange.h"
#include "server/http/head.h"
#include "server/http/router.h"
#include "server/log/trace.h"

/* Decoded keys up to this length need no allocation. */
#define INLINE_KEY_BYTES 512

/* A body up to this size that is not wanted is read and dropped, so that the connection can stay.
 */
#define DISCARD_MAX_BYTES 65536

/* A body up to this size takes no time beside that of the backend. */
#define PLAIN_BODY_BYTES 65536

/* How an op (or a wait) that was not over at once, and the connection that waits for it, find each
 * other: the one that comes second resumes the connection. */
enum park_state { PARK_RUNNING, PARK_SUSPENDED, PARK_DONE };

/* Only what stands before `head` is cleared for a new request. */
struct exchange {
	struct exchange_shared *shared;
	struct MHD_Connection *connection;
	struct connection *record; /* NULL: there was no memory for one; nothing is begun then */
	const struct route *route;
	_Atomic enum park_state park;
	bool begun;      /* the headers have come */
	bool answered;   /* the response is complete; what still comes of the body is dropped */
	bool submitted;  /* the op is with the backend or done, `finish` is still to be called */
	bool waiting;    /* ... or the request waits for a value or a lease, or did */
	bool counted;    /* an answer was queued */
	bool started;    /* handler->start was called: cleanup is due */
	bool returns_id; /* the answer has the request id */
	bool is_all_backend; /* the time of the backend is not known, and next to all of it */
	bool is_made;        /* the answer was made aside; the loop is to queue it */
	bool has_step;       /* of a streamed body: `step` is what the handler said aside */
	bool proceeds;       /* ... or is about to */
	bool is_end;         /* ... at the end of the body */
	enum handler_step step;
	struct offload_job job; /* the one under way aside */
	size_t received_bytes;
	size_t answer_bytes; /* of these in shared->answer_bytes */
	size_t marked_bytes; /* of a streamed body: received when its time-out began anew */
	int64_t began_ns;    /* monotonic: the headers have come */
	/* What of the time since then is whose (request_log.h). */
	int64_t complete_ns; /* monotonic: the request has come whole */
	int64_t since_ns;    /* monotonic: the op is with the backend, or `waiting`; 0: not known */
	int64_t backend_ns, waited_ns;
	struct access access; /* what the client may do */
	char *long_key;       /* malloc'ed where the decoded key does not fit below */
	struct request request;

	struct head head;
	const char *query, *query_end; /* parameters as they came, each ended by a NUL */
	struct response response;      /* response_init */
	char ns[NAMESPACE_MAX_LEN * 3];
	char key[INLINE_KEY_BYTES];
	char made_id[MADE_ID_LEN + 1];
};

/* The value of a query parameter, "" where it has none, NULL where there is no such parameter. */
const char *exchange_query(const struct exchange *exchange, const char *name);

/* The next parameter of a request. `*at` is NULL at first, and where to go on from then on. Names
 * and values are as they came, but for '+', which is a blank. False: there is none. */
bool exchange_next_parameter(const struct exchange *exchange, const char **at,
			     struct slice *ret_name, const char **ret_value);

/* Hands request->op to the backend, aside where that is better. */
void exchange_submit(struct exchange *exchange);
/* True: what was submitted is done. False: the connection is suspended until it is.
 * exchange->submitted is true from now on. */
bool exchange_await(struct exchange *exchange);
/* Hands request->op to the backend from the thread that calls. */
void exchange_submit_op(struct exchange *exchange);
/* Has the handler start. True: request->op is to be submitted. */
bool exchange_start_handler(struct exchange *exchange);
/* ... and make the answer of an op that is done, ?pretty included. */
void exchange_make_answer(struct exchange *exchange);
/* Suspends the connection until exchange_go_on. */
void exchange_park(struct exchange *exchange);

/* The op, or the wait, is over: counts its time where that is known. */
void exchange_end_phase(struct exchange *exchange);
static inline const char *exchange_request_id(struct exchange *exchange)
{
	return trace_request_id(&exchange->head.trace, exchange->made_id);
}
/* What ops of this request are to carry; NULL where the backend does not care. */
const struct cache_trace *exchange_trace(struct exchange *exchange);

/* The op is done, or the wait over: the second of this and the parking resumes the connection. Any
 * thread. */
void exchange_go_on(struct exchange *exchange);

/* ---- admission.c ---- */

/* Whether the connection can carry a request at all: load and framing. False: the response is
 * complete, and the connection is of no further use. */
bool admit_connection(struct exchange *exchange, const char *url);

/* Whether the body, which has come to its end, was good. False: the response is complete. */
bool admit_body(struct exchange *exchange);

/* Whether the request may go on: token, route, path. Sets the route and the path's parts. False:
 * the response is complete. */
bool admit_request(struct exchange *exchange, const char *url);

/* Whether the client may touch the namespace of an op that the handler wants to submit, which on
 * /api only the body tells. False: the response is complete. */
bool admit_op(struct exchange *exchange);

/* ---- aside.c: each of the jobs ends with exchange_go_on, and the connection is to be parked ----
 */

/* From so many bytes on, to be read, hashed or written in an answer, it is worth the way. */
#define HEAVY_BYTES 65536
/* A set that counts for as much may have to evict very many entries. */
#define HEAVY_SIZE_BYTES (UINT64_C(1) << 20)

/* Whether that would hold the event loop up. */
static inline bool aside_wants_start(const struct exchange *exchange)
{
	return exchange->received_bytes > HEAVY_BYTES;
}
bool aside_op_is_heavy(const struct cache_op *op);
bool aside_answer_is_heavy(const struct exchange *exchange);
static inline bool aside_wants_op(const struct exchange *exchange)
{
	const struct cache_op *op = &exchange->request.op;

	/* Nearly all are of one item. */
	if (op->items == &op->one && op->type <= CACHE_OP_EXISTS)
		return op->type == CACHE_OP_SET && op->one.size_bytes > HEAVY_SIZE_BYTES;
	return aside_op_is_heavy(op);
}
static inline bool aside_wants_finish(const struct exchange *exchange)
{
	const struct cache_op *op = &exchange->request.op;

	/* Neither the value of /cache/{ns}/{key}, which is sent as it is, nor a mere status. */
	if (op->items == &op->one &&
	    (op->type == CACHE_OP_GET ? exchange->request.ns.len > 0 : op->type <= CACHE_OP_EXISTS))
		return false;
	return aside_answer_is_heavy(exchange);
}
/* The handler's start, and its op. */
void aside_start(struct exchange *exchange);
/* The op alone. */
void aside_submit(struct exchange *exchange);
/* The answer of an op that is done. */
void aside_finish(struct exchange *exchange);
/* A step of a handler whose body is streamed, and its op. */
void aside_proceed(struct exchange *exchange, bool is_end);

/* ---- upload.c ---- */

/* Takes a piece of the body; where it is too much, the response is complete. */
void upload_receive(struct exchange *exchange, const char *piece, size_t len);
/* Trims the body to what came. False: the response is complete. */
bool upload_end(struct exchange *exchange);

/* Whether the body goes to the handler as it comes. */
static inline bool upload_streams(const struct exchange *exchange)
{
	return exchange->route && exchange->route->handler->take;
}
/* Whether the handler is at work aside on what came, so that it can take no more. */
static inline bool upload_is_busy(const struct exchange *exchange)
{
	return exchange->proceeds && atomic_load(&exchange->park) != PARK_DONE;
}
/* Hands a piece of such a body on. */
void upload_pass(struct exchange *exchange, struct slice piece);
/* Lets the handler go on, at the end of the body or after an op behind it. */
void upload_end_stream(struct exchange *exchange);

#endif
