/* A request and its answer as the handlers see them: no socket, no HTTP library.
 *
 * A handler is two functions. `start` looks at the request and either answers at once or fills
 * `request->op` for the store; `finish` turns the completed op into the answer. Whoever calls them
 * (server/http/exchange.c, or a unit test) submits the op in between, and parks the connection if
 * the backend takes its time. So handlers hold no thread and know nothing of threads. */
#ifndef STEADYCACHE_HANDLERS_REQUEST_H
#define STEADYCACHE_HANDLERS_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handlers/respond/figures.h"
#include "handlers/respond/response.h"
#include "store/backend.h"

enum http_method {
	HTTP_GET = 1 << 0,
	HTTP_HEAD = 1 << 1,
	HTTP_PUT = 1 << 2,
	HTTP_POST = 1 << 3,
	HTTP_DELETE = 1 << 4,
	HTTP_OTHER = 1 << 5,
};

/* How an error looks to the client. */
enum error_style {
	ERROR_PROBLEM, /* application/problem+json (RFC 9457) with an extra `error` member */
	ERROR_D1,      /* {"error":"..."}, as the D1 proxy API wants it */
};

struct request;
struct flights;
struct flight_owner;
struct flight_visit;

/* Where headers and query parameters come from. */
struct request_source {
	/* The value of a header (names are compared without regard to case), or NULL. */
	const char *(*header)(const struct request *request, const char *name);
	/* The value of the header of that name that has `index` such before it, or NULL. */
	const char *(*header_line)(const struct request *request, const char *name, size_t index);
	/* The raw (still percent-encoded) value of a query parameter, NULL where there is none and
	 * "" where it has no value. */
	const char *(*query)(const struct request *request, const char *name);
	/* Whether the client has ended its side of the connection. May be NULL: nobody knows. */
	bool (*has_left)(const struct request *request);
};

/* The server's log. Level names are "debug", "info", "warn" and "error". Thread: any. */
struct log_control {
	const char *(*level)(void);
	const char *(*configured_level)(void); /* that the server was started with */
	/* NULL: back to that. False: there is no level of that name. */
	bool (*change_level)(const char *name);
};

struct namespace_labels;

/* What the handlers need to know of the server; one for all requests. */
struct handler_context {
	struct backend *backend;
	struct flights *flights; /* NULL: without single flight */
	const struct cache_clock *clock;
	size_t max_key_bytes;
	size_t max_body_bytes;
	size_t max_batch_items;
	const char *version;
	int64_t started_at_us; /* of `clock` */
	struct figures_source figures;
	struct log_control log;
	struct namespace_labels *labels; /* of /metrics */
};

enum handler_step {
	STEP_RESPOND, /* the response is complete */
	STEP_SUBMIT,  /* request->op is filled: submit it, then call finish */
	STEP_WAIT,    /* of a visit only (single_flight.h): go on after request->wake */
	STEP_READ,    /* of a handler with `take`: more of the body is wanted */
};

/* A lease as a write names it; borrowed from the request. */
struct named_lease {
	struct slice ns, key;
	struct slice token; /* whatever came */
};

struct handler {
	enum handler_step (*start)(struct request *request, struct response *response);
	void (*finish)(struct request *request,
		       struct response *response); /* NULL: start always responds */
	/* Frees request->state; called after finish, or in its place if the request is dropped. May
	 * be NULL. */
	void (*cleanup)(struct request *request);

	/* Of a write: the lease that the request names, as far as it has been read. False: none.
	 * May be NULL. The caller ends it where it answers that the write is refused for good. */
	bool (*lease)(const struct request *request, struct named_lease *ret);

	/* For a body of any length that is taken as it comes, in place of request->body; else NULL.
	 * `start` is then called with the headers (STEP_READ or STEP_RESPOND), `take` with each
	 * piece, which it keeps as far as it needs it, also while an op is under way, and `proceed`
	 * whenever none is: after a piece, after an op, and at the end of the body (is_end), where
	 * it has to come to STEP_RESPOND. After that response what still comes is dropped. */
	void (*take)(struct request *request, struct slice piece);
	enum handler_step (*proceed)(struct request *request, struct response *response,
				     bool is_end);
	/* Whether the next `proceed` would take long, as what it works on is large. */
	bool (*is_long)(const struct request *request, bool is_end);
};

struct request {
	const struct handler_context *context;
	const struct request_source *source;
	void *source_user;

	enum http_method method;
	enum error_style error_style; /* of the route */
	struct slice ns;              /* {ns} of the path, decoded and valid; else empty */
	struct slice key;             /* {key} of the path, decoded; else empty */

	/* The whole body, unsealed, with the request's Content-Type; NULL where there was none. A
	 * handler that keeps it takes it and leaves NULL. */
	struct cache_value *body;

	/* Whether the client may touch a namespace; NULL: all. The caller asks it for {ns} and for
	 * op.ns before the op is submitted; handlers only for namespaces that come otherwise. */
	bool (*may_use)(const struct request *request, struct slice ns);

	/* Set by the caller before `proceed`: the server stops, and the rest of the body is not
	 * waited for. */
	bool is_given_up;

	struct cache_op op; /* initialised by the handler; deinitialised by the caller */
	void *state;        /* the handler's own, between start and finish */

	/* A read that waits or wants a lease; opened by the handler, closed by the caller, who goes
	 * through its steps before finish. NULL: a read as any other. */
	struct flight_visit *visit;
	struct flight_owner *owner;            /* of the connection, or NULL */
	void (*wake)(struct request *request); /* ends STEP_WAIT; called once, on any thread */
};

static inline const char *request_header(const struct request *request, const char *name)
{
	return request->source->header(request, name);
}

static inline const char *request_header_line(const struct request *request, const char *name,
					      size_t index)
{
	return request->source->header_line(request, name, index);
}

static inline const char *request_query(const struct request *request, const char *name)
{
	return request->source->query(request, name);
}

static inline bool request_may_use(const struct request *request, struct slice ns)
{
	return !request->may_use || request->may_use(request, ns);
}

/* The body as a slice; empty where there is none. */
static inline struct slice request_body(const struct request *request)
{
	return request->body ? cache_value_bytes(request->body) : (struct slice){0};
}

#endif
