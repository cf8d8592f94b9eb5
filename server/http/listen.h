/* Listening sockets of TCP. */
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

/* Opens a listening, close-on-exec socket, or returns -1 with a sentence in `error`. `ret_name` is
 * the bound address, with the actual port instead of port 0. */
int listen_open(const struct listen_address *address, char *ret_name, size_t name_size, char *error,
		size_t error_size);

/* The address that a listening socket is bound to, in `ret` and, as text, in `ret_name`. That of a
 * Unix socket, "unix:/path", has no host. */
void listen_describe(int fd, struct listen_address *ret, char *ret_name, size_t name_size);

/* Replaces a listening socket by one that nobody can reach. The original stays open, with the
 * connections that wait in it, only if another process (a service manager) has it too; until `fd`
 * is closed, such connections still wake whoever polls for them, in vain. Does nothing if no
 * descriptor is available. */
void listen_deafen(int fd);

#endif
