#include "tests/support/raw_socket.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool raw_open(struct raw_socket *socket_, const char *url)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
	char host[128] = "", port[8] = "80";

	*socket_ = (struct raw_socket){.fd = -1, .received = calloc(1, 1)};
	if (sscanf(url, "http://[%127[^]]]:%7[0-9]", host, port) < 1 &&
	    sscanf(url, "http://%127[^:/]:%7[0-9]", host, port) < 1)
		return false;
	if (getaddrinfo(host, port, &hints, &found) != 0)
		return false;
	socket_->fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (socket_->fd >= 0 && connect(socket_->fd, found->ai_addr, found->ai_addrlen) != 0) {
		(void)close(socket_->fd);
		socket_->fd = -1;
	}
	freeaddrinfo(found);
	return socket_->fd >= 0;
}

void raw_close(struct raw_socket *socket)
{
	if (socket->fd >= 0)
		(void)close(socket->fd);
	free(socket->received);
	*socket = (struct raw_socket){.fd = -1};
}

bool raw_send(struct raw_socket *socket, struct slice bytes)
{
	while (bytes.len > 0) {
		ssize_t sent = send(socket->fd, bytes.data, bytes.len, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false;
		bytes.data += sent;
		bytes.len -= (size_t)sent;
	}
	return true;
}

bool raw_send_text(struct raw_socket *socket, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	int len;
	bool sent;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0)
		abort();
	sent = raw_send(socket, (struct slice){text, (size_t)len});
	free(text);
	return sent;
}

void raw_shutdown(struct raw_socket *socket)
{
	(void)shutdown(socket->fd, SHUT_WR);
}

/* Receives a piece; false if the connection ended or the deadline has passed. */
static bool receive_some(struct raw_socket *socket, int64_t deadline_ms)
{
	char piece[16384];
	struct pollfd wait = {.fd = socket->fd, .events = POLLIN};
	int64_t left_ms = deadline_ms - now_ms();
	ssize_t got;
	int ready;

	if (socket->closed || left_ms <= 0)
		return false;
	ready = poll(&wait, 1, (int)left_ms);
	if (ready < 0 && errno == EINTR)
		return true;
	if (ready <= 0)
		return false;
	got = recv(socket->fd, piece, sizeof(piece), 0);
	if (got <= 0) {
		socket->closed = true;
		return false;
	}
	socket->received = realloc(socket->received, socket->len + (size_t)got + 1);
	if (!socket->received)
		abort();
	memcpy(socket->received + socket->len, piece, (size_t)got);
	socket->len += (size_t)got;
	socket->received[socket->len] = '\0';
	return true;
}

bool raw_await_behind(struct raw_socket *socket, size_t at, const char *text, int timeout_ms)
{
	int64_t deadline_ms = now_ms() + timeout_ms;

	while (!memmem(socket->received + at, socket->len - at, text, strlen(text)))
		if (!receive_some(socket, deadline_ms))
			return false;
	return true;
}

bool raw_await(struct raw_socket *socket, const char *text, int timeout_ms)
{
	return raw_await_behind(socket, 0, text, timeout_ms);
}

bool raw_await_close(struct raw_socket *socket, int timeout_ms)
{
	int64_t deadline_ms = now_ms() + timeout_ms;

	while (receive_some(socket, deadline_ms))
		;
	return socket->closed;
}

int raw_await_answer(struct raw_socket *socket, int timeout_ms)
{
	int64_t deadline_ms = now_ms() + timeout_ms;
	const char *length;
	size_t whole;
	int status = 0;

	socket->len = 0;
	socket->received[0] = '\0';
	do {
		char *end = strstr(socket->received, "\r\n\r\n");

		if (!end)
			continue;
		if (sscanf(socket->received, "HTTP/1.%*1[01] %3d", &status) != 1)
			return 0;
		if (status == 100) { /* the final status follows */
			socket->len -= (size_t)(end + 4 - socket->received);
			memmove(socket->received, end + 4, socket->len + 1);
			status = 0;
			continue;
		}
		length = strcasestr(socket->received, "\r\nContent-Length:");
		whole = (size_t)(end + 4 - socket->received);
		if (length && length < end)
			whole += strtoul(length + 17, NULL, 10);
		if (socket->len >= whole)
			return status;
	} while (receive_some(socket, deadline_ms));
	return status;
}
