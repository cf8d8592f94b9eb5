/* A transport carries requests to one upstream and returns their answers, many at once. The engine
 * uses only these four functions; transport_curl.h implements them for HTTP. A transport for
 * another protocol (a stream of bytes, replies in the order of the requests) has the same four, and
 * remote_request.replies tells it where an answer ends. Tests have one that runs in virtual time.
 *
 * One thread, the engine's, calls everything; `wake` may also be called by others. */
#ifndef STEADYCACHE_REMOTE_TRANSPORT_H
#define STEADYCACHE_REMOTE_TRANSPORT_H

#include "backends/remote/request.h"

struct remote_transport {
	const struct remote_transport_ops *ops;
};

struct remote_transport_ops {
	/* Takes over a request with its headers and its body; *request belongs to the caller again.
	 * The answer, or FAILURE_TIMEOUT when timeout_us are over, comes from a later `wait`.
	 * False: out of memory; then headers and body are freed and `done` is not called. */
	bool (*submit)(struct remote_transport *transport, struct remote_request *request);

	/* Sends and receives what it can and calls `done` for each request that ended; if none did,
	 * waits at most `timeout_us` for something to happen. May return early. */
	void (*wait)(struct remote_transport *transport, int64_t timeout_us);

	/* Ends the current wait, or the next one. Any thread. */
	void (*wake)(struct remote_transport *transport);

	/* Drops the requests in flight, without `done`, and frees the transport. */
	void (*close)(struct remote_transport *transport);
};

#endif
