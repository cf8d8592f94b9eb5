/* Functions of other libraries that the program overrides: a program's own function takes
 * precedence over those of its libraries.
 *
 * epoll_wait. libmicrohttpd (0.9.75) takes up to 128 events of its epoll set in one call. If it
 * gets as many as it asked for, it asks again before it looks at any of them, with the time-out of
 * the first call: if exactly 128 requests have come and no further one does, they wait until a
 * connection times out, which takes a minute. So it is given one event less than it has room for,
 * and never sees a full batch; the rest stays in the kernel's list and comes with the next call.
 * The connections that must be read from again (wake_list.h) are added to these events. A
 * plugin may use epoll, too, but not in the threads of the HTTP server (docs/plugins.md); the list
 * of any other thread is empty.
 *
 * recv and gnutls_record_recv. What the library reads goes through its connection's guard
 * (guard.h). What others read, such as a backend that speaks HTTP, does not. */
#include <dlfcn.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "server/http/guard_table.h"

#pragma GCC visibility push(default) /* otherwise the libraries would not find these functions */

/* libc's names are reserved. NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
int epoll_wait(int epoll_fd, struct epoll_event *events, int max_events, int timeout_ms)
{
	int room = max_events > 1 ? max_events - 1 : max_events;
	bool has_more = wake_list_has_any();
	int count = epoll_pwait(epoll_fd, events, room, has_more ? 0 : timeout_ms, NULL);

	if (has_more && count >= 0)
		count += wake_list_take(events + count, room - count);
	return count;
}

static ssize_t read_socket(void *user, void *room, size_t size)
{
	const int *fd = user;

	return recvfrom(*fd, room, size, 0, NULL, NULL);
}

/* Holds until the next bytes are sent (tcp(7)). */
static bool acknowledge_now(int fd)
{
	const int on = 1;

	return setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on)) == 0;
}

static bool acknowledge_socket(void *user)
{
	const int *fd = user;

	return acknowledge_now(*fd);
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
ssize_t recv(int fd, void *room, size_t size, int flags)
{
	struct guard *guard = guard_table_find(fd);
	const struct guard_source source = {
		.read = read_socket,
		.user = &fd,
		.nothing_yet = -1,
		.short_means_empty = true,
		.acknowledge = acknowledge_socket,
	};

	/* With TLS the caller is the TLS library, for which the bytes are records. */
	if (!guard || guard->is_tls)
		return recvfrom(fd, room, size, flags, NULL, NULL);
	return guard_receive(guard, &source, room, size);
}

static ssize_t (*receive_record)(gnutls_session_t session, void *room, size_t size);

static void find_receive_record(void)
{
	void *found = dlsym(RTLD_NEXT, "gnutls_record_recv");

	if (!found)
		abort();
	*(void **)&receive_record = found;
}

static ssize_t read_session(void *user, void *room, size_t size)
{
	return receive_record(user, room, size);
}

static bool acknowledge_session(void *user)
{
	return acknowledge_now(gnutls_transport_get_int(user));
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
ssize_t gnutls_record_recv(gnutls_session_t session, void *room, size_t size)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct guard *guard = guard_table_find(gnutls_transport_get_int(session));
	const struct guard_source source = {
		.read = read_session,
		.user = session,
		.nothing_yet = GNUTLS_E_AGAIN,
		.acknowledge = acknowledge_session,
	};

	(void)pthread_once(&once, find_receive_record);
	/* Other sessions may have anything instead of a descriptor. */
	if (!guard || !guard->is_tls || guard->wake.connection != gnutls_session_get_ptr(session))
		return receive_record(session, room, size);
	return guard_receive(guard, &source, room, size);
}

#pragma GCC visibility pop
