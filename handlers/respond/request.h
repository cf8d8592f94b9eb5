/* A request and its answer as the handlers see them: no socket, no HTTP library.
 *
 * A handler is two functions. `start` looks at the request and either answers at once or fills
 * `request->op` for the store; `finish` turns the completed op into the answer. Their caller
 * (server/http/exchange.c, or a unit test) submits the op in between, and parks the connection if
 * the backend takes its time. So handlers hold no thread and know nothing of threads. */
#ifndef STEADYCACHE_HANDLERS_REQUEST_H
#define STEADYCACHE_HANDLERS_REQUEST_H

#include <stdatomic.h>
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
	HTTP_PATCH = 1 << 5,
	HTTP_OPTIONS = 1 << 6,
	HTTP_PROPFIND = 1 << 7, /* WebDAV (RFC 4918), as the next */
	HTTP_MKCOL = 1 << 8,
	HTTP_OTHER = 1 << 9,
};
/* How many they are. */
#define HTTP_METHODS 10

/* The form of an error for the client. */
enum error_style {
	ERROR_PROBLEM,   /* application/problem+json (RFC 9457) with an additional `error` member */
	ERROR_D1,        /* {"error":"..."}, as in the D1 proxy API */
	ERROR_TURBOREPO, /* {"error":{"code":"not_found","message":"..."}} */
};

struct request;
struct flights;
struct flight_owner;
struct flight_visit;

/* Sees a header line; both are not NULL. */
typedef void request_visit(void *user, struct slice name, const char *value);

/* The source of headers and query parameters. */
struct request_source {
	/* The value of a header (names ignore case), or NULL. */
	const char *(*header)(const struct request *request, const char *name);
	/* The value of the `index`-th header of that name, from 0, or NULL. */
	const char *(*header_line)(const struct request *request, const char *name, size_t index);
	/* Visits all header lines, in their order. */
	void (*each)(const struct request *request, request_visit *visit, void *user);
	/* The raw (still percent-encoded) value of a query parameter, NULL if it is missing and ""
	 * if it has no value. */
	const char *(*query)(const struct request *request, const char *name);
	/* Whether the client has ended its side of the connection. May be NULL: unknown. */
	bool (*has_left)(const struct request *request);
};

/* The server's log. Level names are "debug", "info", "warn" and "error". Any thread. */
struct log_control {
	const char *(*level)(void);
	const char *(*configured_level)(void); /* the level at the start */
	/* NULL: back to that level. False: no level has that name. */
	bool (*change_level)(const char *name);
};

struct namespace_labels;
struct watch_hub;

/* What the handlers need to know of the server; one for all requests. */
struct handler_context {
	struct backend *backend;
	struct flights *flights; /* NULL: without single flight */
	struct watch_hub *watches;
	const struct cache_clock *clock;
	size_t max_key_bytes;
	size_t max_body_bytes;
	size_t max_batch_items;
	struct backend_intake intake; /* of the backend; zeros: it takes no bodies */
	const char *version;
	int64_t started_at_us; /* of `clock` */
	struct figures_source figures;
	struct log_control log;
	struct namespace_labels *labels; /* of /metrics */
	/* The server is about to stop: it is not ready any more. */
	const atomic_bool *leaves;
};

enum handler_step {
	STEP_RESPOND, /* the response is complete */
	STEP_SUBMIT,  /* request->op is filled: submit it, then call finish */
	STEP_WAIT,    /* only for a visit (single_flight.h): continue after request->wake */
	STEP_READ,    /* only for a handler with `take`: it needs more of the body */
};

/* A lease that a write names; borrowed from the request. */
struct named_lease {
	struct slice ns, key;
	struct slice token; /* whatever came */
};

struct handler {
	enum handler_step (*start)(struct request *request, struct response *response);
	void (*finish)(struct request *request,
		       struct response *response); /* NULL: start always responds */
	/* Frees request->state. Called after finish, or instead of it if the request is dropped.
	 * May be NULL. */
	void (*cleanup)(struct request *request);

	/* Whether `start` may take some milliseconds even if the body is short. */
	bool is_heavy;

	/* For a write: the lease that the request names, as far as it has been read. False: none.
	 * May be NULL. The caller ends the lease if its answer refuses the write for good. */
	bool (*lease)(const struct request *request, struct named_lease *ret);

	/* For a body of any length that is processed as it arrives, instead of request->body; else
	 * NULL. `start` is then called with the headers (STEP_READ or STEP_RESPOND), and `take`
	 * with each piece, of which it keeps what it needs, even while an op is in progress.
	 * `proceed` is called whenever no op is in progress: after a piece, after an op, and at the
	 * end of the body (is_end), when it must return STEP_RESPOND. After that response the rest
	 * of the body is dropped, or, if the response closes the connection, not even read. */
	void (*take)(struct request *request, struct slice piece);
	enum handler_step (*proceed)(struct request *request, struct response *response,
				     bool is_end);
	/* Whether the next `proceed` would take long, because its input is large. */
	bool (*is_long)(const struct request *request, bool is_end);

	/* The handler, one with `take`, of bodies that are too large to be in memory as a whole,
	 * where the backend takes such (context->intake). It may get what has arrived of a body in
	 * pieces once it has become too large. NULL: there are none. */
	const struct handler *streamed;
};

struct request {
	const struct handler_context *context;
	const struct request_source *source;
	void *source_user;

	enum http_method method;
	enum error_style error_style; /* of the route */
	struct slice ns;              /* {ns} of the path, decoded and valid; else empty */
	struct slice key;             /* {key} of the path, decoded; else empty */

	/* The whole body, unsealed, of a request with a key with the head that its headers make;
	 * NULL if there is none. A handler that keeps it takes it and leaves NULL. */
	struct cache_value *body;
	/* That head has all headers that are to be kept, so nobody need look at them again. */
	bool has_whole_head;

	uint64_t declared_bytes; /* of the body; UINT64_MAX: unknown */

	/* Set by a handler that passes a PUT on to one of entries: it stores only if there is no
	 * entry, whatever the headers say. */
	bool only_creates;

	/* Whether the client may use a namespace; NULL: all. The caller checks {ns}, and op.ns
	 * before the op is submitted; handlers check only other namespaces. */
	bool (*may_use)(const struct request *request, struct slice ns);

	/* Set by the caller before `proceed`: the server stops, and does not wait for the rest of
	 * the body. */
	bool is_given_up;

	struct cache_op op; /* initialized by the handler; deinitialized by the caller */
	void *state;        /* the handler's own, between start and finish */

	/* A read that waits or wants a lease; opened by the handler, closed by the caller, which
	 * goes through its steps before finish. NULL: an ordinary read. */
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

static inline void request_each_header(const struct request *request, request_visit *visit,
				       void *user)
{
	request->source->each(request, visit, user);
}

static inline const char *request_query(const struct request *request, const char *name)
{
	return request->source->query(request, name);
}

static inline bool request_may_use(const struct request *request, struct slice ns)
{
	return !request->may_use || request->may_use(request, ns);
}

/* The body as a slice; empty if there is none. */
static inline struct slice request_body(const struct request *request)
{
	return request->body ? cache_value_bytes(request->body) : (struct slice){0};
}

#endif
