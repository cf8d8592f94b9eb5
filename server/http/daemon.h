/* The HTTP daemon: libmicrohttpd with epoll and a pool of threads on our listening socket. */
#ifndef STEADYCACHE_SERVER_DAEMON_H
#define STEADYCACHE_SERVER_DAEMON_H

#include "server/auth/auth.h"
#include "server/config/options.h"
#include "server/http/listeners.h"
#include "server/life/news_relay.h"

struct http_daemon;
struct watch_hub;

/* Serves on `listeners`, which are open, and takes their descriptors. NULL with a sentence in
 * `error`. `listeners`, `backend`, `news`, which tells what that has to tell, `watches`, which it
 * tells of changes, and `auth` must outlive it. */
struct http_daemon *http_daemon_start(const struct options *options, struct backend *backend,
				      struct news_relay *news, struct watch_hub *watches,
				      struct auth *auth, struct listeners *listeners, char *error,
				      size_t error_size);

/* Goes on serving, while /readyz says 503 and each answer closes its connection, so that balancers
 * send their requests elsewhere before http_daemon_stop. */
void http_daemon_leave(struct http_daemon *http_daemon);
/* Stops accepting, answers requests in progress (for up to 8 s), closes the connections and frees
 * everything. False: requests were still waiting for the backend; the daemon is left as it is. */
bool http_daemon_stop(struct http_daemon *http_daemon);

#endif
