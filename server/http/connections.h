/* The open connections, so that slow senders can be cut off and idle ones closed at the end.
 *
 * libmicrohttpd's idle time-out restarts with every byte, so a client that sends one byte a second
 * could hold a connection for ever; and it misses the client's end of sending if that comes
 * together with the last bytes. So twice a second a watchdog checks how long each connection has
 * been in its phase, and asks the kernel what has arrived on those without a complete request. */
#ifndef STEADYCACHE_SERVER_CONNECTIONS_H
#define STEADYCACHE_SERVER_CONNECTIONS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "handlers/flight/flight.h"
#include "server/http/guard.h"

enum connection_phase {
	PHASE_WAITING,   /* for complete headers of a request */
	PHASE_RECEIVING, /* a body */
	PHASE_BUSY,      /* a request is being answered: never cut */
	PHASE_PARKED,    /* a request waits for a value (single flight): never cut, but checked,
			  * because the library does not watch it meanwhile */
};

struct connection {
	struct connection *next, *previous;
	int fd;
	int64_t opened_us; /* monotonic */
	bool over_limit;   /* arrived when max_connections were open */
	bool is_cut;       /* by connections_close_waiting */
	/* Belongs to the event loop. */
	struct guard guard;
	struct exchange *exchange; /* the request in progress; NULL: none */
	atomic_bool streams;       /* the body in progress goes to its handler as it arrives */
	bool lingers;              /* its close lingers, because the client may still be sending */
	_Atomic enum connection_phase phase;
	_Atomic int64_t receiving_since_us; /* monotonic */
	atomic_uint requests;               /* how often it went back to PHASE_WAITING */
	struct flight_owner owner;
	/* Belong to the watchdog: what it saw of a waiting connection, and since when bytes
	 * arrive. */
	unsigned watched_requests;
	int64_t trickling_since_us;
	uint64_t watched_bytes;
	bool watched_at_end;
};

struct connections {
	pthread_mutex_t lock; /* guards the list: a listed socket is open */
	struct connection *first;
	unsigned count, max, spare;
	struct flights *flights; /* is told which clients leave */
	void (*tick)(bool is_end);
	int64_t request_timeout_us;
	int64_t handshake_timeout_us; /* 0: there is none */
	bool stop;
	pthread_cond_t stop_wake;
	pthread_t watchdog;
};

/* Starts the watchdog. Beyond `max` connections `spare` more are accepted to be told that there is
 * no room; when few of these are left, those that have not sent a request are closed.
 * `handshake_timeout_s`: how long a connection may take to its first request, if the library does
 * not check that itself (0: it does). The watchdog calls `tick` with each check, and once more at
 * the end. False: no thread could be started. */
bool connections_init(struct connections *connections, unsigned max, unsigned spare,
		      int64_t request_timeout_s, int64_t handshake_timeout_s,
		      struct flights *flights, void (*tick)(bool is_end));
void connections_deinit(struct connections *connections);

/* The caller must initialize the connection's guard at once. NULL: out of memory. */
struct connection *connections_add(struct connections *connections, int fd);
/* Call it before the socket is closed. */
void connections_remove(struct connections *connections, struct connection *connection);

/* How many are open. Any thread. */
unsigned connections_count(struct connections *connections);

void connection_enter(struct connection *connection, enum connection_phase phase);

/* Whether bytes have arrived that nobody has read. */
bool connection_has_unread(const struct connection *connection);

/* Whether the other side has ended, or the connection is broken. */
bool connection_has_left(const struct connection *connection);

/* For a stop: closes the connections without a request in progress, except those on which one has
 * arrived and, with `spare_new`, those that have not had any yet: a client that connects sends a
 * moment later. Returns how many it left open. Call it again until there are none. */
unsigned connections_close_waiting(struct connections *connections, bool spare_new);

/* For a stop: closes the connections whose streamed bodies have not all come. */
void connections_close_stalled(struct connections *connections);

#endif
