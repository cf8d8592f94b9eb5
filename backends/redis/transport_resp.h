/* Requests to a Redis server, or to the nodes of a Redis Cluster (cluster.h), over a few
 * connections of our own to each: TCP, a Unix socket, TLS. A
 * request's `body` is one command or several, as RESP arrays; `replies` says how many. All that is
 * submitted is written behind each other, and answered in order (remote_answer.native, reply.h).
 * node.h tells what becomes of connections that break. */
#ifndef STEADYCACHE_REDIS_TRANSPORT_RESP_H
#define STEADYCACHE_REDIS_TRANSPORT_RESP_H

#include "backends/redis/settings.h"
#include "backends/remote/transport.h"

struct redis_figures;
struct redis_news;
struct remote_protocol;

/* `own`, `news` and `figures` outlive the transport; without `news` (NULL) nothing is heard,
 * without `figures` (NULL) nothing counted. NULL: out of memory or descriptors, or a file of
 * certificates cannot be read any more. The first connection is begun at once. */
struct remote_transport *redis_transport_open(const struct remote_settings *settings,
					      const struct remote_protocol *protocol,
					      const struct redis_settings *own,
					      struct redis_news *news,
					      struct redis_figures *figures);

#endif
