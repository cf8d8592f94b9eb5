#include "server/http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024

bool listen_parse(const char *text, struct listen_address *ret)
{
	const char *colon = strrchr(text, ':');
	char *end = NULL;

	if (!colon || colon == text || colon[1] < '0' || colon[1] > '9')
		return false;
	long port = strtol(colon + 1, &end, 10);
	size_t len = (size_t)(colon - text);
	if (*end != '\0' || port < 0 || port > 65535)
		return false;
	if (text[0] == '[') {
		if (text[len - 1] != ']')
			return false;
		text++;
		len -= 2;
	} else if (memchr(text, ':', len)) {
		return false; /* an IPv6 address without brackets */
	}
	if (len == 0 || len >= sizeof(ret->host))
		return false;
	memcpy(ret->host, text, len);
	ret->host[len] = '\0';
	(void)snprintf(ret->port, sizeof(ret->port), "%d", (int)port);
	return true;
}

static struct addrinfo *resolve(const struct listen_address *address, int *ret_code)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *list = NULL;

	*ret_code = getaddrinfo(address->host, address->port, &hints, &list);
	return *ret_code == 0 ? list : NULL;
}

static bool is_loopback(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)address;

		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	}
	const struct sockaddr_in6 *v6 = (const void *)address;
	return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

bool listen_is_loopback(const struct listen_address *address)
{
	int code;
	struct addrinfo *list = resolve(address, &code);
	bool all = list != NULL;

	for (struct addrinfo *at = list; at; at = at->ai_next)
		all = all && is_loopback(at->ai_addr);
	if (list)
		freeaddrinfo(list);
	return all;
}

void listen_describe(int fd, struct listen_address *ret, char *ret_name, size_t name_size)
{
	struct sockaddr_storage bound = {0};
	socklen_t len = sizeof(bound);

	*ret = (struct listen_address){0};
	(void)getsockname(fd, (struct sockaddr *)&bound, &len);
	if (bound.ss_family == AF_UNIX) {
		const struct sockaddr_un *local = (const void *)&bound;

		(void)snprintf(ret_name, name_size, "unix:%.*s", (int)sizeof(local->sun_path),
			       local->sun_path);
		return;
	}
	(void)getnameinfo((struct sockaddr *)&bound, len, ret->host, sizeof(ret->host), ret->port,
			  sizeof(ret->port), NI_NUMERICHOST | NI_NUMERICSERV);
	(void)snprintf(ret_name, name_size, bound.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s",
		       ret->host, ret->port);
}

int listen_open(const struct listen_address *address, char *ret_name, size_t name_size, char *error,
		size_t error_size)
{
	int code;
	struct addrinfo *list = resolve(address, &code);
	struct listen_address bound;
	int fd = -1;
	int on = 1;

	if (!list) {
		(void)snprintf(error, error_size, "cannot resolve the listen address %s: %s",
			       address->host, gai_strerror(code));
		return -1;
	}
	fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    bind(fd, list->ai_addr, list->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
		(void)snprintf(error, error_size, "cannot listen on %s port %s: %s", address->host,
			       address->port, strerror(errno));
		if (fd >= 0)
			(void)close(fd);
		fd = -1;
	} else {
		listen_describe(fd, &bound, ret_name, name_size);
	}
	freeaddrinfo(list);
	return fd;
}

void listen_deafen(int fd)
{
	struct sockaddr_un any = {.sun_family = AF_UNIX}; /* a name chosen by the kernel */
	int deaf = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (deaf < 0)
		return;
	if (bind(deaf, (struct sockaddr *)&any, sizeof(any.sun_family)) == 0 &&
	    listen(deaf, 1) == 0)
		(void)dup3(deaf, fd, O_CLOEXEC);
	(void)close(deaf);
}
