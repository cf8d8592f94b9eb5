/* A request as a dialect writes it, and its answer as a dialect reads it. A transport uses the
 * parts that it needs: one over HTTP all but `replies`, one over a stream of bytes `body` and
 * `replies`. */
#ifndef STEADYCACHE_REMOTE_REQUEST_H
#define STEADYCACHE_REMOTE_REQUEST_H

#include <stdint.h>

#include "backends/remote/failure.h"
#include "base/buffer.h"

struct cache_trace;

struct remote_answer {
	enum remote_failure failure; /* FAILURE_NONE: the whole answer arrived */
	bool reached;                /* the request may have reached the upstream */
	/* Of a failure: one server of several failed, and others answer. So it tells nothing about
	 * the upstream as a whole. */
	bool is_partial;
	long status;           /* of HTTP; 0: the transport knows no status */
	int64_t retry_after_s; /* -1: the upstream did not say */
	struct buffer body;    /* the receiver may take it */
	/* The answer in a form of the transport's own, its until `done` returns: over a stream of
	 * replies an array of request.replies of them. NULL: it is in `body`. */
	const void *native;
	unsigned native_count; /* how many there are */
	size_t native_bytes;   /* that they took on their way */

	/* The value of a header, valid until the receiver returns; NULL: there is none. NULL if the
	 * transport has no headers. */
	const char *(*header)(const struct remote_answer *answer, const char *name);
	void *source; /* the transport's */
};

struct remote_request {
	const char *method;    /* of HTTP, static; "POST" before the dialect writes */
	const char *path;      /* after the base URL; read by submit only */
	struct buffer headers; /* besides the protocol's: lines, each terminated by a NUL */
	struct buffer body;
	unsigned replies; /* replies that `body` asks for, if the protocol counts them */
	/* Over a stream of bytes: requests of one lane reach the upstream in the order in which
	 * they are submitted. 0: in any. */
	unsigned lane;
	/* Over several servers: 0: any of them; else 1 more than the hash slot of Redis Cluster to
	 * whose server it goes. */
	unsigned route;
	/* Where news come (backend_config.news): goes only while they are heard, and till then
	 * waits for that. */
	bool hears;
	bool is_repeatable; /* may be sent again on a new connection if the old one proves dead */
	int64_t timeout_us; /* the transport ends the request by then */
	const struct cache_trace *trace; /* read by submit only; NULL: none */

	/* Called once, from the transport's wait, which owns `answer`. */
	void (*done)(void *user, struct remote_answer *answer);
	void *user;
};

/* Appends a header. Running out of memory shows in headers.failed. */
void remote_request_add_header(struct remote_request *request, const char *name,
			       struct slice value);
/* The header line after `line` (NULL: the first); NULL: no more. */
const char *remote_request_next_header(const struct remote_request *request, const char *line);

/* Frees headers and body. */
void remote_request_deinit(struct remote_request *request);

#endif
