/* Accepts connections on the sockets beyond the first, which the HTTP library serves itself, and
 * passes them on to it. One thread, as connections are kept. */
#ifndef STEADYCACHE_SERVER_ACCEPTOR_H
#define STEADYCACHE_SERVER_ACCEPTOR_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "server/http/listeners.h"

struct acceptor {
	struct MHD_Daemon *mhd;
	size_t count; /* 0: there is no thread */
	int fds[LISTENERS_MAX];
	bool are_passed_on[LISTENERS_MAX]; /* whose connections wait for the next server */
	int wake;
	pthread_t thread;
};

/* Takes the descriptors of all but the first of the listeners. False: out of threads; the
 * descriptors are closed. */
bool acceptor_start(struct acceptor *acceptor, struct MHD_Daemon *mhd, struct listeners *listeners);

/* Accepts what waits, unless another process has the socket, too, and closes the sockets. May be
 * called again. */
void acceptor_stop(struct acceptor *acceptor);

#endif
