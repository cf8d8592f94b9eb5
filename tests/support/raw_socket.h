/* A TCP connection for bytes that no HTTP library would send. All waits have a deadline. */
#ifndef STEADYCACHE_TEST_RAW_SOCKET_H
#define STEADYCACHE_TEST_RAW_SOCKET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct raw_socket {
	int fd;
	char *received; /* NUL-terminated after `len` */
	size_t len;
	bool closed; /* the other side ended the connection */
};

/* Connects to the host and port of an http:// URL. False if that fails. */
bool raw_open(struct raw_socket *socket, const char *url);
void raw_close(struct raw_socket *socket);

/* False if the other side closed before everything was sent. */
bool raw_send(struct raw_socket *socket, struct slice bytes);
bool raw_send_text(struct raw_socket *socket, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Ends the sending direction. */
void raw_shutdown(struct raw_socket *socket);

/* Reads until `text` has arrived (true), or the connection is closed or the time is over
 * (false). */
bool raw_await(struct raw_socket *socket, const char *text, int timeout_ms);
/* The same of what arrived behind the first `at` bytes, up to `len`. */
bool raw_await_behind(struct raw_socket *socket, size_t at, const char *text, int timeout_ms);
/* Reads until the other side closes (true) or the time is over (false). */
bool raw_await_close(struct raw_socket *socket, int timeout_ms);
/* Reads one answer, with its body if Content-Length gives a length; returns its status, or 0 if
 * none arrives. Drops earlier received bytes first. */
int raw_await_answer(struct raw_socket *socket, int timeout_ms);

#endif
