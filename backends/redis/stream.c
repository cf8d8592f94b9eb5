#include "backends/redis/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "backends/redis/trust.h"

#define RECORD_BYTES 16384 /* the most that a record of TLS carries */

static bool is_address(const char *host)
{
	struct in6_addr ignored;

	return inet_pton(AF_INET, host, &ignored) == 1 || inet_pton(AF_INET6, host, &ignored) == 1;
}

static bool start_tls(struct redis_stream *stream, const struct redis_trust *trust,
		      const char *host)
{
	if (gnutls_init(&stream->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0) {
		stream->tls = NULL;
		return false;
	}
	gnutls_session_t tls = stream->tls;
	if (gnutls_set_default_priority(tls) < 0 ||
	    gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, trust->credentials) < 0 ||
	    (!is_address(host) &&
	     gnutls_server_name_set(tls, GNUTLS_NAME_DNS, host, strlen(host)) < 0))
		return false;
	gnutls_session_set_verify_cert(tls, host, 0);
	gnutls_transport_set_int(tls, stream->fd);
	return true;
}

bool redis_stream_start(struct redis_stream *stream, const struct sockaddr *address,
			socklen_t address_len, const struct redis_trust *trust, const char *host)
{
	const int on = 1;

	*stream = (struct redis_stream){
		.fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
	};
	if (stream->fd < 0)
		return false;
	if (address->sa_family != AF_UNIX) {
		(void)setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		(void)setsockopt(stream->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	}
	if ((connect(stream->fd, address, address_len) == 0 || errno == EINPROGRESS) &&
	    (!trust || start_tls(stream, trust, host)))
		return true;
	redis_stream_close(stream);
	return false;
}

/* The peer went away during the handshake: whom to trust has nothing to do with it. */
static bool is_cut_off(int result)
{
	return result == GNUTLS_E_PREMATURE_TERMINATION || result == GNUTLS_E_PULL_ERROR ||
	       result == GNUTLS_E_PUSH_ERROR;
}

/* Whether the connection is there; poll() says when it is to be asked. */
static enum redis_stream_step finish_connect(struct redis_stream *stream)
{
	struct pollfd asked = {.fd = stream->fd, .events = POLLOUT};
	int problem = 0;
	socklen_t len = sizeof(problem);

	if (poll(&asked, 1, 0) == 0)
		return STREAM_WAITS;
	if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &problem, &len) < 0 || problem != 0)
		return STREAM_BROKEN;
	stream->is_connected = true;
	return STREAM_OPEN;
}

enum redis_stream_step redis_stream_go_on(struct redis_stream *stream)
{
	if (stream->fd < 0)
		return STREAM_BROKEN;
	if (!stream->is_connected) {
		enum redis_stream_step step = finish_connect(stream);

		if (step != STREAM_OPEN)
			return step;
	}
	if (stream->tls && !stream->is_open) {
		int result = gnutls_handshake(stream->tls);

		if (result < 0 && !gnutls_error_is_fatal(result))
			return STREAM_WAITS;
		if (result < 0)
			return is_cut_off(result) ? STREAM_BROKEN : STREAM_UNTRUSTED;
	}
	stream->is_open = true;
	return STREAM_OPEN;
}

short redis_stream_events(const struct redis_stream *stream, bool has_output)
{
	if (!stream->is_connected)
		return POLLOUT;
	if (!stream->is_open)
		return gnutls_record_get_direction(stream->tls) == 1 ? POLLOUT : POLLIN;
	return has_output ? POLLIN | POLLOUT : POLLIN;
}

/* ---- Bytes ---- */

static ssize_t of_tls(ssize_t result)
{
	if (result > 0)
		return result;
	return result == GNUTLS_E_AGAIN || result == GNUTLS_E_INTERRUPTED ? 0 : -1;
}

/* Small pieces share a record. */
static ssize_t write_record(struct redis_stream *stream, const struct iovec *pieces, int count)
{
	char packed[RECORD_BYTES];
	size_t len = 0;
	ssize_t sent;

	if (stream->tls_begun > 0) {
		sent = of_tls(gnutls_record_send(stream->tls, NULL, 0));
	} else {
		for (int i = 0; i < count && len < sizeof(packed); i++) {
			size_t part = pieces[i].iov_len;

			if (part > sizeof(packed) - len)
				part = sizeof(packed) - len;
			memcpy(packed + len, pieces[i].iov_base, part);
			len += part;
		}
		sent = of_tls(gnutls_record_send(stream->tls, packed, len));
	}
	stream->tls_begun = sent == 0 ? stream->tls_begun + len : 0;
	return sent;
}

ssize_t redis_stream_write(struct redis_stream *stream, const struct iovec *pieces, int count)
{
	if (stream->tls)
		return write_record(stream, pieces, count);
	union {
		const struct iovec *given;
		struct iovec *taken; /* as sendmsg wants it; it does not write there */
	} cast = {.given = pieces};
	const struct msghdr message = {.msg_iov = cast.taken, .msg_iovlen = (size_t)count};
	ssize_t sent;
	do
		sent = sendmsg(stream->fd, &message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return errno == EAGAIN ? 0 : -1;
	return sent;
}

ssize_t redis_stream_read(struct redis_stream *stream, char *target, size_t size)
{
	ssize_t got;

	if (stream->tls) {
		got = gnutls_record_recv(stream->tls, target, size);
		/* A 0 is the end; a new handshake or a new ticket is no data yet. */
		return got == GNUTLS_E_REHANDSHAKE ? 0 : got == 0 ? -1 : of_tls(got);
	}
	do
		got = recv(stream->fd, target, size, 0);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN ? 0 : -1;
	return got > 0 ? got : -1;
}

bool redis_stream_has_more(const struct redis_stream *stream)
{
	return stream->tls && stream->is_open && gnutls_record_check_pending(stream->tls) > 0;
}

void redis_stream_close(struct redis_stream *stream)
{
	const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	if (stream->tls)
		gnutls_deinit(stream->tls);
	stream->tls = NULL;
	if (stream->fd >= 0) {
		(void)setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		(void)close(stream->fd);
	}
	*stream = (struct redis_stream){.fd = -1};
}
