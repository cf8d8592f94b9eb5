/* Lingering closes. A client that is still sending a body which was refused gets a reset, and may
 * never see the answer, if its socket is closed at once. So such a socket is kept open for a moment
 * while what comes in is read and dropped (RFC 9112, 9.6). One thread does that for a bounded
 * number of sockets; those beyond are closed at once. */
#ifndef STEADYCACHE_SERVER_LINGER_H
#define STEADYCACHE_SERVER_LINGER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Sockets that linger at once. */
#define LINGER_MAX 128

struct lingering {
	pthread_t thread;
	int wake; /* eventfd: there is something new, or an end */
	pthread_mutex_t lock;
	bool stop;
	unsigned count;
	struct lingering_socket {
		int fd;
		int64_t until_us; /* monotonic */
	} sockets[LINGER_MAX];
};

/* False: no descriptor or thread to be had. */
bool linger_init(struct lingering *linger);
/* Closes what lingers. */
void linger_deinit(struct lingering *linger);

/* Drops what comes in on `fd` for up to 2 s. `fd` stays the caller's, who may close it. */
void linger_add(struct lingering *linger, int fd);

#endif
