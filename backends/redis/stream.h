/* A non-blocking stream of bytes to a server: TCP or a Unix socket, with TLS or without. */
#ifndef STEADYCACHE_REDIS_STREAM_H
#define STEADYCACHE_REDIS_STREAM_H

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

struct redis_trust;

struct redis_stream {
	int fd;               /* -1: closed */
	bool is_open;         /* connected, and hands shaken if over TLS */
	bool is_connected;    /* to the peer, at least */
	gnutls_session_t tls; /* NULL: none */
	size_t tls_begun;     /* bytes of a record that waits to be sent on */
};

enum redis_stream_step {
	STREAM_OPEN,
	STREAM_WAITS, /* for the events that redis_stream_events tells */
	STREAM_BROKEN,
	STREAM_UNTRUSTED, /* the peer's certificate, or the host that it names; or it speaks no TLS
			   */
};

/* Begins to connect. `trust`: for TLS, with `host` as the name to be in the certificate; NULL: no
 * TLS. False: not possible; the stream is closed. */
bool redis_stream_start(struct redis_stream *stream, const struct sockaddr *address,
			socklen_t address_len, const struct redis_trust *trust, const char *host);

/* Goes on with connecting and the handshake. */
enum redis_stream_step redis_stream_go_on(struct redis_stream *stream);

/* For poll(). `has_output`: there is something to write. */
short redis_stream_events(const struct redis_stream *stream, bool has_output);

/* How many bytes were written, 0 if none can be at the moment, -1 if the stream is broken. What was
 * not written comes first in the next call. */
ssize_t redis_stream_write(struct redis_stream *stream, const struct iovec *pieces, int count);

/* How many bytes were read, 0 if there are none at the moment, -1 if the stream is broken or at its
 * end. */
ssize_t redis_stream_read(struct redis_stream *stream, char *target, size_t size);

/* Whether there is something to read of which poll() does not know. */
bool redis_stream_has_more(const struct redis_stream *stream);

/* Ends the stream at once; what the kernel has not sent yet is dropped. May be called again. */
void redis_stream_close(struct redis_stream *stream);

#endif
