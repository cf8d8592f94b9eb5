#include "server/life/service_manager.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* SD_LISTEN_FDS_START: the first descriptor that is passed on. */
#define FIRST_FD 3

/* A variable that contains a whole number of 0 or more; -1 if it is unset or anything else. */
static long number_of(const char *variable)
{
	const char *text = getenv(variable);
	char *end = NULL;

	if (!text || *text < '0' || *text > '9')
		return -1;
	errno = 0;
	long number = strtol(text, &end, 10);
	return *end == '\0' && errno == 0 ? number : -1;
}

/* A Unix socket must have a file, whose mode says who may connect. */
static bool is_listening(int fd)
{
	struct sockaddr_storage bound = {0};
	const struct sockaddr_un *local = (const void *)&bound;
	socklen_t bound_len = sizeof(bound);
	int type = 0;
	int listens = 0;
	socklen_t len = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens &&
	       getsockname(fd, (struct sockaddr *)&bound, &bound_len) == 0 &&
	       (bound.ss_family == AF_INET || bound.ss_family == AF_INET6 ||
		(bound.ss_family == AF_UNIX && local->sun_path[0] == '/'));
}

/* systemd's sockets block unless NonBlocking= is set; the event loops must not block. */
static bool prepare(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
	       fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

bool service_manager_take_sockets(int *ret_fds, size_t max, size_t *ret_count, char *error,
				  size_t error_size)
{
	/* LISTEN_PID differs if the variables were meant for a parent of this process. */
	bool is_for_us = number_of("LISTEN_PID") == (long)getpid();
	long count = is_for_us ? number_of("LISTEN_FDS") : 0;

	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	*ret_count = 0;
	if (count < 0 || count > (long)max) {
		(void)snprintf(error, error_size,
			       "LISTEN_FDS hands over other than 1 to %zu sockets (ListenStream=)",
			       max);
		return false;
	}
	for (int i = 0; i < count; i++) {
		if (!is_listening(FIRST_FD + i) || !prepare(FIRST_FD + i)) {
			(void)snprintf(error, error_size,
				       "LISTEN_FDS hands over what is not a listening stream "
				       "socket (ListenStream=)");
			return false;
		}
		ret_fds[i] = FIRST_FD + i;
	}
	*ret_count = (size_t)count;
	return true;
}

bool service_manager_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (!path || *path == '\0')
		return true;
	size_t len = strlen(path);
	if ((*path != '/' && *path != '@') || len >= sizeof(address.sun_path))
		return false;
	memcpy(address.sun_path, path, len);
	if (*path == '@') /* a name in the abstract namespace */
		address.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	ssize_t sent;
	do
		sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL,
			      (const struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	while (sent < 0 && errno == EINTR);
	(void)close(fd);
	return sent == (ssize_t)strlen(state);
}
