#include "server/http/connections.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/invariant.h"
#include "base/thread.h"

#define LOOK_EVERY_US (US_PER_S / 2)
/* The state of a socket whose other side has ended. It is in netinet/tcp.h, which conflicts with
 * linux/tcp.h, which has the rest. */
#define STATE_CLOSE_WAIT  8
#define STATE_ESTABLISHED 1

void connection_enter(struct connection *connection, enum connection_phase phase)
{
	if (!connection)
		return;
	if (phase == PHASE_RECEIVING)
		atomic_store_explicit(&connection->receiving_since_us, monotonic_now_us(),
				      memory_order_relaxed);
	else if (phase == PHASE_WAITING)
		(void)atomic_fetch_add_explicit(&connection->requests, 1, memory_order_relaxed);
	atomic_store_explicit(&connection->phase, phase, memory_order_relaxed);
}

/* Ends the receiving side; the event loop then sees the end and closes. */
static void cut(const struct connection *connection)
{
	(void)shutdown(connection->fd, SHUT_RDWR);
}

/* What the kernel knows of a socket's receiving side. */
struct sight {
	uint64_t bytes; /* received so far; of a Unix socket 0 */
	bool is_at_end; /* the other side sends no more, and everything was read */
};

/* Whether the other side of a Unix socket has ended. */
static bool has_ended(int fd)
{
	struct pollfd look = {.fd = fd, .events = POLLRDHUP};

	return poll(&look, 1, 0) > 0;
}

static struct sight look_at(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	int unread = 0;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return (struct sight){
			.is_at_end =
				has_ended(fd) && ioctl(fd, FIONREAD, &unread) == 0 && unread == 0,
		};
	return (struct sight){
		.bytes = info.tcpi_bytes_received,
		.is_at_end = info.tcpi_state == STATE_CLOSE_WAIT &&
			     ioctl(fd, SIOCINQ, &unread) == 0 && unread == 0,
	};
}

bool connection_has_left(const struct connection *connection)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(connection->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return has_ended(connection->fd);
	return info.tcpi_state != STATE_ESTABLISHED;
}

/* Whether to cut a connection without a complete request. */
static bool is_overdue(struct connection *connection, enum connection_phase phase, int64_t now_us,
		       int64_t timeout_us)
{
	unsigned requests = atomic_load_explicit(&connection->requests, memory_order_relaxed);
	struct sight sight = look_at(connection->fd);
	struct sight before = {.bytes = connection->watched_bytes,
			       .is_at_end = connection->watched_at_end};
	bool same_request = connection->watched_requests == requests;

	connection->watched_requests = requests;
	connection->watched_bytes = sight.bytes;
	connection->watched_at_end = sight.is_at_end;
	if (!same_request)
		connection->trickling_since_us = 0;
	else if (sight.bytes != before.bytes && connection->trickling_since_us == 0)
		connection->trickling_since_us = now_us;
	/* Seen twice, so that the last bytes are not just being processed. */
	if (same_request && sight.is_at_end && before.is_at_end)
		return true;
	int64_t since_us = phase == PHASE_WAITING
				   ? connection->trickling_since_us
				   : atomic_load_explicit(&connection->receiving_since_us,
							  memory_order_relaxed);
	return since_us != 0 && now_us - since_us > timeout_us;
}

/* Whether a connection has taken too long to its first request. */
static bool is_late(const struct connections *connections, struct connection *connection,
		    enum connection_phase phase, int64_t now_us)
{
	return connections->handshake_timeout_us > 0 && phase == PHASE_WAITING &&
	       atomic_load_explicit(&connection->requests, memory_order_relaxed) <= 1 &&
	       now_us - connection->opened_us > connections->handshake_timeout_us;
}

static void cut_overdue(struct connections *connections)
{
	int64_t now_us = monotonic_now_us();

	for (struct connection *at = connections->first; at; at = at->next) {
		enum connection_phase phase =
			atomic_load_explicit(&at->phase, memory_order_relaxed);

		if (phase == PHASE_PARKED) {
			if (connection_has_left(at))
				flight_owner_left(connections->flights, &at->owner);
			continue;
		}
		if (phase != PHASE_BUSY &&
		    (is_overdue(at, phase, now_us, connections->request_timeout_us) ||
		     is_late(connections, at, phase, now_us)))
			cut(at);
	}
}

static void *watchdog_main(void *arg)
{
	struct connections *connections = arg;

	(void)pthread_mutex_lock(&connections->lock);
	while (!connections->stop) {
		(void)thread_wait_until(&connections->stop_wake, &connections->lock,
					monotonic_now_us() + LOOK_EVERY_US);
		cut_overdue(connections);
		connections->tick(connections->stop);
	}
	(void)pthread_mutex_unlock(&connections->lock);
	return NULL;
}

bool connections_init(struct connections *connections, unsigned max, unsigned spare,
		      int64_t request_timeout_s, int64_t handshake_timeout_s,
		      struct flights *flights, void (*tick)(bool is_end))
{
	*connections = (struct connections){
		.max = max,
		.spare = spare,
		.flights = flights,
		.tick = tick,
		.request_timeout_us = request_timeout_s * US_PER_S,
		.handshake_timeout_us = handshake_timeout_s * US_PER_S,
	};
	(void)pthread_mutex_init(&connections->lock, NULL);
	thread_condition_init(&connections->stop_wake);
	return thread_start(&connections->watchdog, NULL, watchdog_main, connections) == 0;
}

void connections_deinit(struct connections *connections)
{
	(void)pthread_mutex_lock(&connections->lock);
	connections->stop = true;
	(void)pthread_cond_signal(&connections->stop_wake);
	(void)pthread_mutex_unlock(&connections->lock);
	(void)pthread_join(connections->watchdog, NULL);
	(void)pthread_cond_destroy(&connections->stop_wake);
	(void)pthread_mutex_destroy(&connections->lock);
}

bool connection_has_unread(const struct connection *connection)
{
	int unread = 0;

	return ioctl(connection->fd, SIOCINQ, &unread) == 0 && unread > 0;
}

/* Closes the oldest connection beyond the limit that has not sent a request. The newest are at the
 * front of the list, so only as many need to be checked as there can be of them. */
static void cut_silent(struct connections *connections)
{
	struct connection *silent = NULL;
	unsigned looked_at = 0;

	for (struct connection *at = connections->first; at && looked_at < 2 * connections->spare;
	     at = at->next, looked_at++)
		if (at->over_limit && !at->is_cut && atomic_load(&at->requests) <= 1 &&
		    atomic_load(&at->phase) == PHASE_WAITING)
			silent = at;
	if (!silent || connection_has_unread(silent))
		return;
	silent->is_cut = true;
	cut(silent);
}

struct connection *connections_add(struct connections *connections, int fd)
{
	struct connection *connection = calloc(1, sizeof(*connection));

	if (!connection)
		return NULL;
	connection->fd = fd;
	connection->opened_us = monotonic_now_us();
	connection_enter(connection, PHASE_WAITING);
	(void)pthread_mutex_lock(&connections->lock);
	connection->over_limit = connections->count >= connections->max;
	if (connections->count > connections->max + connections->spare / 2)
		cut_silent(connections);
	connections->count++;
	connection->next = connections->first;
	if (connection->next)
		connection->next->previous = connection;
	connections->first = connection;
	(void)pthread_mutex_unlock(&connections->lock);
	return connection;
}

void connections_remove(struct connections *connections, struct connection *connection)
{
	if (!connection)
		return;
	(void)pthread_mutex_lock(&connections->lock);
	INVARIANT(connections->count > 0);
	connections->count--;
	if (connection->next)
		connection->next->previous = connection->previous;
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		connections->first = connection->next;
	(void)pthread_mutex_unlock(&connections->lock);
	flight_owner_closed(connections->flights, &connection->owner);
	free(connection);
}

unsigned connections_count(struct connections *connections)
{
	(void)pthread_mutex_lock(&connections->lock);
	unsigned count = connections->count;
	(void)pthread_mutex_unlock(&connections->lock);
	return count;
}

unsigned connections_close_waiting(struct connections *connections, bool spare_new)
{
	unsigned spared = 0;

	(void)pthread_mutex_lock(&connections->lock);
	for (struct connection *at = connections->first; at; at = at->next) {
		bool is_new = atomic_load(&at->requests) == 1;

		if (at->is_cut || atomic_load(&at->phase) != PHASE_WAITING)
			continue;
		if ((is_new && spare_new) || connection_has_unread(at)) {
			spared++;
			continue;
		}
		at->is_cut = true;
		cut(at);
	}
	(void)pthread_mutex_unlock(&connections->lock);
	return spared;
}

void connections_close_stalled(struct connections *connections)
{
	(void)pthread_mutex_lock(&connections->lock);
	for (struct connection *at = connections->first; at; at = at->next)
		if (!at->is_cut && atomic_load(&at->streams) &&
		    atomic_load(&at->phase) == PHASE_RECEIVING) {
			at->is_cut = true;
			cut(at);
		}
	(void)pthread_mutex_unlock(&connections->lock);
}
