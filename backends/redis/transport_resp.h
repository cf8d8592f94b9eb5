/* Requests to a Redis server over a few connections of our own: TCP, a Unix socket, TLS. A
 * request's `body` is one command or several, as RESP arrays; `replies` says how many. All that is
 * submitted is written behind each other, and answered in order (remote_answer.native, reply.h).
 *
 * - A connection is ready after AUTH, CLIENT SETNAME, SELECT, a look at the server (hello.h) and
 * the loading of the script. If the server refuses one of these, each request that waits is
 * answered with that error in the place of each of its replies, `reached` false.
 * - If a server lost the script (NOSCRIPT, "Function not found"), it is loaded again and the
 * request sent again, once: only if none of its commands was executed, or it is_repeatable.
 * - A connection that breaks ends its requests with FAILURE_RESET. What the server had not read of
 *   them, it is told to forget (CLIENT KILL) before anything else is sent: so no write of theirs
 *   comes after one that was sent later. The same where a request times out.
 * - After a failed attempt, the next comes 10 to 200 ms later. */
#ifndef STEADYCACHE_REDIS_TRANSPORT_RESP_H
#define STEADYCACHE_REDIS_TRANSPORT_RESP_H

#include "backends/redis/settings.h"
#include "backends/remote/transport.h"

struct remote_protocol;

/* `own` outlives the transport. NULL: out of memory or descriptors, or a file of certificates
 * cannot be read any more. The first connection is begun at once. */
struct remote_transport *redis_transport_open(const struct remote_settings *settings,
					      const struct remote_protocol *protocol,
					      const struct redis_settings *own);

#endif
