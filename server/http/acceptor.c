#include "server/http/acceptor.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/thread.h"

/* How long to wait where descriptors or memory have run out. */
#define SCARCE_US 10000

/* Accepts what waits on a socket. */
static void accept_all(struct acceptor *acceptor, int listening)
{
	for (;;) {
		struct sockaddr_storage peer = {0};
		socklen_t len = sizeof(peer);
		int fd = accept4(listening, (struct sockaddr *)&peer, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			/* The library closes it, whatever comes of it. */
			(void)MHD_add_connection(acceptor->mhd, fd, (const struct sockaddr *)&peer,
						 len);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN)
			(void)usleep(SCARCE_US);
		return;
	}
}

static void *acceptor_main(void *arg)
{
	struct acceptor *acceptor = arg;
	struct pollfd set[LISTENERS_MAX + 1];
	size_t count = acceptor->count;

	for (size_t i = 0; i < count; i++)
		set[i] = (struct pollfd){.fd = acceptor->fds[i], .events = POLLIN};
	set[count] = (struct pollfd){.fd = acceptor->wake, .events = POLLIN};
	for (;;) {
		(void)poll(set, count + 1, -1);
		bool is_end = (set[count].revents & POLLIN) != 0;
		for (size_t i = 0; i < count; i++)
			if (is_end ? !acceptor->are_passed_on[i] : set[i].revents != 0)
				accept_all(acceptor, acceptor->fds[i]);
		if (is_end)
			return NULL;
	}
}

static void close_all(struct acceptor *acceptor)
{
	for (size_t i = 0; i < acceptor->count; i++)
		(void)close(acceptor->fds[i]);
	if (acceptor->wake >= 0)
		(void)close(acceptor->wake);
	acceptor->count = 0;
}

bool acceptor_start(struct acceptor *acceptor, struct MHD_Daemon *mhd, struct listeners *listeners)
{
	*acceptor = (struct acceptor){.mhd = mhd, .wake = -1};
	for (size_t i = 1; i < listeners->count; i++) {
		acceptor->are_passed_on[acceptor->count] = listeners->all[i].is_passed_on;
		acceptor->fds[acceptor->count++] = listeners_give(&listeners->all[i]);
	}
	if (acceptor->count == 0)
		return true;
	acceptor->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (acceptor->wake >= 0 &&
	    thread_start(&acceptor->thread, NULL, acceptor_main, acceptor) == 0)
		return true;
	close_all(acceptor);
	return false;
}

void acceptor_stop(struct acceptor *acceptor)
{
	uint64_t one = 1;

	if (acceptor->count == 0)
		return;
	(void)!write(acceptor->wake, &one, sizeof(one));
	(void)pthread_join(acceptor->thread, NULL);
	close_all(acceptor);
}
