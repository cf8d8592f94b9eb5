#include "server/connections.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "backends/base/clock.h"

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

/* Ends what comes in; the event loop then sees the end and closes. */
static void cut(const struct connection *connection)
{
	(void)shutdown(connection->fd, SHUT_RDWR);
}

static uint64_t bytes_received(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 ? info.tcpi_bytes_received
								       : 0;
}

/* Whether a connection has been sending incomplete headers for too long. */
static bool is_trickling(struct connection *connection, int64_t now_us, int64_t timeout_us)
{
	unsigned requests = atomic_load_explicit(&connection->requests, memory_order_relaxed);
	uint64_t bytes = bytes_received(connection->fd);

	if (connection->watched_requests != requests) {
		connection->watched_requests = requests;
		connection->trickling_since_us = 0;
	} else if (bytes != connection->watched_bytes && connection->trickling_since_us == 0) {
		connection->trickling_since_us = now_us;
	}
	connection->watched_bytes = bytes;
	return connection->trickling_since_us != 0 &&
	       now_us - connection->trickling_since_us > timeout_us;
}

static void cut_slow(struct connections *connections)
{
	int64_t now_us = monotonic_now_us();
	int64_t timeout_us = connections->request_timeout_us;

	for (struct connection *at = connections->first; at; at = at->next) {
		enum connection_phase phase =
			atomic_load_explicit(&at->phase, memory_order_relaxed);
		int64_t since_us =
			atomic_load_explicit(&at->receiving_since_us, memory_order_relaxed);

		if ((phase == PHASE_RECEIVING && now_us - since_us > timeout_us) ||
		    (phase == PHASE_WAITING && is_trickling(at, now_us, timeout_us)))
			cut(at);
	}
}

static void *watchdog_main(void *arg)
{
	struct connections *connections = arg;

	(void)pthread_mutex_lock(&connections->lock);
	while (!connections->stop) {
		int64_t until_us = monotonic_now_us() + US_PER_S;
		struct timespec until = {
			.tv_sec = until_us / US_PER_S,
			.tv_nsec = until_us % US_PER_S * 1000,
		};

		(void)pthread_cond_timedwait(&connections->stop_wake, &connections->lock, &until);
		cut_slow(connections);
	}
	(void)pthread_mutex_unlock(&connections->lock);
	return NULL;
}

bool connections_init(struct connections *connections, unsigned max, int64_t idle_timeout_s,
		      int64_t request_timeout_s)
{
	pthread_condattr_t monotonic;

	*connections = (struct connections){
		.max = max,
		.idle_timeout_us = idle_timeout_s * US_PER_S,
		.request_timeout_us = request_timeout_s * US_PER_S,
	};
	(void)pthread_mutex_init(&connections->lock, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&connections->stop_wake, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	return pthread_create(&connections->watchdog, NULL, watchdog_main, connections) == 0;
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

struct connection *connections_add(struct connections *connections, int fd)
{
	struct connection *connection = calloc(1, sizeof(*connection));

	if (!connection)
		return NULL;
	connection->fd = fd;
	connection_enter(connection, PHASE_WAITING);
	(void)pthread_mutex_lock(&connections->lock);
	connection->over_limit = connections->count >= connections->max;
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
	connections->count--;
	if (connection->next)
		connection->next->previous = connection->previous;
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		connections->first = connection->next;
	(void)pthread_mutex_unlock(&connections->lock);
	free(connection);
}

void connections_close_waiting(struct connections *connections)
{
	(void)pthread_mutex_lock(&connections->lock);
	for (struct connection *at = connections->first; at; at = at->next)
		if (atomic_load(&at->phase) == PHASE_WAITING)
			cut(at);
	(void)pthread_mutex_unlock(&connections->lock);
}
