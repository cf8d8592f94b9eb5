#include "server/http/linger.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"

#define SILENT_US (2 * US_PER_S)
#define LINGER_US (30 * US_PER_S)

/* The most that one socket may send in one turn. */
#define TURN_BYTES 65536

/* Whether the other side has ended, or the time is over. */
static bool is_over(struct lingering_socket *socket, short events, int64_t now_us)
{
	char dropped[16384];
	ssize_t got = 1;

	if (now_us - socket->since_us >= LINGER_US)
		return true;
	for (size_t turn = 0; events && got > 0 && turn < TURN_BYTES; turn += sizeof(dropped)) {
		got = recv(socket->fd, dropped, sizeof(dropped), MSG_DONTWAIT);
		if (got > 0)
			socket->silent_us = now_us;
	}
	return got == 0 || now_us - socket->silent_us >= SILENT_US ||
	       (events & (POLLERR | POLLHUP)) != 0;
}

/* Fills the poll set: the wake-up first, then the sockets. */
static unsigned fill_set(struct lingering *linger,
			 struct pollfd set[static LINGER_FILES(LINGER_MAX) + 1])
{
	(void)pthread_mutex_lock(&linger->lock);
	unsigned count = linger->count;

	set[0] = (struct pollfd){.fd = linger->wake, .events = POLLIN};
	for (unsigned i = 0; i < count; i++)
		set[i + 1] = (struct pollfd){.fd = linger->sockets[i].fd, .events = POLLIN};
	(void)pthread_mutex_unlock(&linger->lock);
	return count;
}

/* Closes those of the first `count` sockets that are done; only this thread removes any. */
static void sort_out(struct lingering *linger, const struct pollfd *set, unsigned count)
{
	int64_t now_us = monotonic_now_us();

	for (unsigned i = count; i-- > 0;) {
		(void)pthread_mutex_lock(&linger->lock);
		bool is_hurried = linger->sockets[i].is_hurried;
		(void)pthread_mutex_unlock(&linger->lock);
		if (!is_hurried && !is_over(&linger->sockets[i], set[i + 1].revents, now_us))
			continue;
		(void)close(linger->sockets[i].fd);
		(void)pthread_mutex_lock(&linger->lock);
		linger->sockets[i] = linger->sockets[--linger->count];
		(void)pthread_mutex_unlock(&linger->lock);
	}
}

static void *linger_main(void *arg)
{
	struct lingering *linger = arg;
	struct pollfd set[LINGER_FILES(LINGER_MAX) + 1];
	uint64_t wakes;

	for (;;) {
		unsigned count = fill_set(linger, set);

		(void)poll(set, count + 1, count > 0 ? 100 : -1);
		if (set[0].revents & POLLIN)
			(void)!read(linger->wake, &wakes, sizeof(wakes));
		(void)pthread_mutex_lock(&linger->lock);
		bool stop = linger->stop;
		(void)pthread_mutex_unlock(&linger->lock);
		if (stop)
			return NULL;
		sort_out(linger, set, count);
	}
}

static void wake_up(struct lingering *linger)
{
	uint64_t one = 1;

	(void)!write(linger->wake, &one, sizeof(one));
}

bool linger_init(struct lingering *linger, unsigned max)
{
	linger->max = max < LINGER_MAX ? max : LINGER_MAX;
	linger->stop = false;
	linger->count = 0;
	linger->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (linger->wake < 0)
		return false;
	(void)pthread_mutex_init(&linger->lock, NULL);
	if (thread_start(&linger->thread, NULL, linger_main, linger) == 0)
		return true;
	(void)pthread_mutex_destroy(&linger->lock);
	(void)close(linger->wake);
	return false;
}

void linger_deinit(struct lingering *linger)
{
	(void)pthread_mutex_lock(&linger->lock);
	linger->stop = true;
	(void)pthread_mutex_unlock(&linger->lock);
	wake_up(linger);
	(void)pthread_join(linger->thread, NULL);
	for (unsigned i = 0; i < linger->count; i++)
		(void)close(linger->sockets[i].fd);
	(void)pthread_mutex_destroy(&linger->lock);
	(void)close(linger->wake);
}

/* Ends the socket that has lingered longest. The lock must be held, and there must be one. */
static void hurry_oldest(struct lingering *linger)
{
	struct lingering_socket *oldest = NULL;

	for (unsigned i = 0; i < linger->count; i++) {
		struct lingering_socket *socket = &linger->sockets[i];

		if (!socket->is_hurried && (!oldest || socket->since_us < oldest->since_us))
			oldest = socket;
	}
	if (oldest)
		oldest->is_hurried = true;
}

void linger_add(struct lingering *linger, int fd)
{
	/* A descriptor of our own keeps the socket open when the caller closes its own. */
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	int64_t now_us = monotonic_now_us();
	bool added = false;

	if (own < 0)
		return;
	(void)pthread_mutex_lock(&linger->lock);
	if (linger->count >= linger->max)
		hurry_oldest(linger);
	if (linger->count < LINGER_FILES(linger->max)) {
		linger->sockets[linger->count++] = (struct lingering_socket){
			.fd = own,
			.since_us = now_us,
			.silent_us = now_us,
		};
		added = true;
	}
	(void)pthread_mutex_unlock(&linger->lock);
	if (added)
		wake_up(linger);
	else
		(void)close(own);
}
