/* Lingering closes. A client that is still sending a body which was refused gets a reset, and may
 * never see the answer, if its socket is closed at once. So such a socket is kept open for as long
 * as it sends, within bounds, while what comes in is read and dropped (RFC 9112, 9.6). One thread
 * does that for a bounded number of sockets; where there are more, those that linger longest end.
 */
#ifndef STEADYCACHE_SERVER_LINGER_H
#define STEADYCACHE_SERVER_LINGER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Sockets that linger at once. */
#define LINGER_MAX 128
/* For a bound of `max`, how many there are until those that linger longest have ended. */
#define LINGER_FILES(max) ((max) + (max) / 2)

struct lingering {
	pthread_t thread;
	int wake; /* eventfd: there is something new, or an end */
	pthread_mutex_t lock;
	bool stop;
	unsigned count, max;
	struct lingering_socket {
		int fd;
		bool is_hurried;             /* others want its place */
		int64_t since_us, silent_us; /* monotonic: since when, and without a byte */
	} sockets[LINGER_FILES(LINGER_MAX)];
};

/* `max` sockets, up to LINGER_MAX, linger at once. False: no descriptor or thread to be had. */
bool linger_init(struct lingering *linger, unsigned max);
/* Closes what lingers. */
void linger_deinit(struct lingering *linger);

/* Drops what comes in on `fd` until nothing has come for 2 s, or 30 s are over. `fd` stays the
 * caller's, who may close it. */
void linger_add(struct lingering *linger, int fd);

#endif
