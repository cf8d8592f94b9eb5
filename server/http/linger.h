/* Lingering closes. If a client is still sending a body that was refused, and its socket is closed
 * at once, it gets a reset, and may never see the answer. So such a socket is kept open as long as
 * it sends, within bounds, while its bytes are read and dropped (RFC 9112, 9.6). One thread does
 * that for a limited number of sockets; if there are more, those that have lingered longest are
 * closed. */
#ifndef STEADYCACHE_SERVER_LINGER_H
#define STEADYCACHE_SERVER_LINGER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Most sockets that linger at once. */
#define LINGER_MAX 128
/* For a limit of `max`, how many descriptors there may be until those that have lingered longest
 * are closed. */
#define LINGER_FILES(max) ((max) + (max) / 2)

struct lingering {
	pthread_t thread;
	int wake; /* eventfd: something is new, or the end */
	pthread_mutex_t lock;
	bool stop;
	unsigned count, max;
	struct lingering_socket {
		int fd;
		bool is_hurried;             /* others need its place */
		int64_t since_us, silent_us; /* monotonic: since when, and since when without a
					      * byte */
	} sockets[LINGER_FILES(LINGER_MAX)];
};

/* `max` sockets, up to LINGER_MAX, linger at once. False: no descriptor or thread is available. */
bool linger_init(struct lingering *linger, unsigned max);
/* Closes all lingering sockets. */
void linger_deinit(struct lingering *linger);

/* Drops what arrives on `fd` until nothing has come for 2 s, or 30 s are over. The caller keeps
 * `fd`, and may close it. */
void linger_add(struct lingering *linger, int fd);

#endif
