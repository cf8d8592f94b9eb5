/* The listening socket. */
#ifndef STEADYCACHE_SERVER_LISTEN_H
#define STEADYCACHE_SERVER_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

struct listen_address {
	char host[256]; /* without brackets */
	char port[12];
};

/* Splits "host:port" or "[v6]:port". False: it is neither. */
bool listen_parse(const char *text, struct listen_address *ret);

/* Whether only this machine can reach the address. */
bool listen_is_loopback(const struct listen_address *address);

/* A listening, close-on-exec socket, or -1 with a sentence in `error`. `ret_name` is the address as
 * it was bound, with the port that a port of 0 became. */
int listen_open(const struct listen_address *address, char *ret_name, size_t name_size, char *error,
		size_t error_size);

/* The address that a listening socket is bound to, in `ret` and, as text, in `ret_name`. */
void listen_describe(int fd, struct listen_address *ret, char *ret_name, size_t name_size);

/* Puts a socket that nobody can reach in the place of a listening one. That stays open, with the
 * connections that wait in it, only where another process (a service manager) has it too; they go
 * on to wake whoever polls for them, in vain, until `fd` is closed. Where no descriptor is to be
 * had nothing happens. */
void listen_deafen(int fd);

#endif
