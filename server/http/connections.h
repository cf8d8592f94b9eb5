/* The open connections, so that a slow sender can be cut off and the idle ones closed at the end.
 *
 * libmicrohttpd's idle time-out starts again with every byte, so a client that sends one byte a
 * second could hold a connection for ever; and it misses the end of what a client sends where that
 * comes together with the last bytes. So a watchdog looks twice a second at how long each
 * connection has been in its phase, and asks the kernel what came in on those without a complete
 * request. */
#ifndef STEADYCACHE_SERVER_CONNECTIONS_H
#define STEADYCACHE_SERVER_CONNECTIONS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "handlers/flight/flight.h"
#include "server/http/guard.h"

enum connection_phase {
	PHASE_WAITING,   /* for a request's headers to be complete */
	PHASE_RECEIVING, /* a body */
	PHASE_BUSY,      /* a request is being answered: never cut */
	PHASE_PARKED,    /* a request waits for a value (single flight): never cut, but looked
			    at, because the library does not listen to it meanwhile */
};

struct connection {
	struct connection *next, *previous;
	int fd;
	int64_t opened_us; /* monotonic */
	bool over_limit;   /* came when max_connections were open */
	bool is_cut;       /* by connections_close_waiting */
	/* The event loop's. */
	struct guard guard;
	struct exchange *exchange; /* the request under way; NULL: there is none */
	bool lingers;              /* its close, as the client may still be sending */
	_Atomic enum connection_phase phase;
	_Atomic int64_t receiving_since_us; /* monotonic */
	atomic_uint requests;               /* how often it went back to PHASE_WAITING */
	struct flight_owner owner;
	/* The watchdog's: what it saw of a waiting connection, and since when bytes come. */
	unsigned watched_requests;
	int64_t trickling_since_us;
	uint64_t watched_bytes;
	bool watched_at_end;
};

struct connections {
	pthread_mutex_t lock; /* guards the list: a listed socket is open */
	struct connection *first;
	unsigned count, max, spare;
	struct flights *flights; /* is told who leaves */
	void (*tick)(bool is_end);
	int64_t request_timeout_us;
	int64_t handshake_timeout_us; /* 0: there is none */
	bool stop;
	pthread_cond_t stop_wake;
	pthread_t watchdog;
};

/* Starts the watchdog. Beyond `max` connections there is room for `spare` to be told that there is
 * none for them; where few of these are left, those that have not sent a request are closed.
 * `handshake_timeout_s`: how long a connection may take to its first request,
 * where the library does not look itself (0: it does). The watchdog calls `tick` with each look,
 * and once more at the end. False: no thread to be had. */
bool connections_init(struct connections *connections, unsigned max, unsigned spare,
		      int64_t request_timeout_s, int64_t handshake_timeout_s,
		      struct flights *flights, void (*tick)(bool is_end));
void connections_deinit(struct connections *connections);

/* The guard of the connection is the caller's to init, at once. NULL: out of memory. */
struct connection *connections_add(struct connections *connections, int fd);
/* To be called before the socket is closed. */
void connections_remove(struct connections *connections, struct connection *connection);

/* How many are open. Thread: any. */
unsigned connections_count(struct connections *connections);

void connection_enter(struct connection *connection, enum connection_phase phase);

/* Whether bytes have come that nobody has read. */
bool connection_has_unread(const struct connection *connection);

/* Whether the other side has ended, or the connection is broken. */
bool connection_has_left(const struct connection *connection);

/* For a stop: closes those on which no request runs, less those on which one has arrived and, with
 * `spare_new`, those that have not had any: whoever connects sends, but a moment later. How many it
 * left open. To be called again until there are none. */
unsigned connections_close_waiting(struct connections *connections, bool spare_new);

#endif
