/* HTTP requests to one server, many at once, by libcurl's multi interface: kept-alive connections,
 * HTTP/2 where a TLS server offers it.
 *
 * One thread owns a transport and calls everything; only remote_transport_wake may come from
 * others. */
#ifndef STEADYCACHE_REMOTE_TRANSPORT_H
#define STEADYCACHE_REMOTE_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/remote/settings.h"
#include "backends/remote/tally.h"
#include "base/buffer.h"

/* The largest answer that is read. A Worker has 128 MiB of memory in all. */
#define ANSWER_MAX_BYTES (160U << 20)

struct remote_answer {
	enum remote_failure failure; /* FAILURE_NONE: an HTTP answer came whole */
	bool reached;                /* the request may have reached the server */
	long status;                 /* HTTP */
	int64_t retry_after_s;       /* -1: no such header */
	struct buffer body;          /* the receiver may take it */
};

/* A request: lives from the start until it is done or cancelled. */
struct remote_transfer;

struct remote_request {
	const char *path;   /* behind the base URL; copied */
	struct buffer body; /* taken over */
	bool is_repeatable; /* may be sent again on a new connection if the old one proves dead */
	int64_t timeout_us;
	const struct cache_trace *trace; /* read by the start alone; NULL: none */
	/* Called once from remote_transport_run, which owns `answer`. The transfer is gone then. */
	void (*done)(void *user, struct remote_answer *answer);
	void *user;
};

struct remote_transport;

/* NULL: out of memory or descriptors. `settings` must outlive it. */
struct remote_transport *remote_transport_open(const struct remote_settings *settings);
/* Cancels what is under way. NULL is fine. */
void remote_transport_close(struct remote_transport *transport);

/* NULL: out of memory; `done` will not be called. The body is freed in any case. */
struct remote_transfer *remote_transport_start(struct remote_transport *transport,
					       struct remote_request *request);
/* Forgets a transfer; its `done` is not called. */
void remote_transport_cancel(struct remote_transport *transport, struct remote_transfer *transfer);

/* Sends and receives what can be, and calls `done` for all that ended: how many. */
unsigned remote_transport_run(struct remote_transport *transport);
/* Waits for something to happen, at most `timeout_us`. */
void remote_transport_wait(struct remote_transport *transport, int64_t timeout_us);
/* Ends a wait that is under way, or the next one. Any thread. */
void remote_transport_wake(struct remote_transport *transport);

#endif
