/* A connection to the server: looks its address up, connects, says hello, and then carries
 * exchanges, all without waiting. It is the transport's (transport_resp.c), which owns the policy:
 * when to connect, what goes where, and what becomes of exchanges whose connection broke. */
#ifndef STEADYCACHE_REDIS_CONNECTION_H
#define STEADYCACHE_REDIS_CONNECTION_H

#include <poll.h>

#include "backends/redis/exchange.h"
#include "backends/redis/hello.h"
#include "backends/redis/lookup.h"
#include "backends/redis/stream.h"

enum redis_connection_state {
	CONNECTION_CLOSED,
	CONNECTION_LOOKS_UP,
	CONNECTION_CONNECTS, /* and shakes hands */
	CONNECTION_GREETS,
	CONNECTION_READY,
};

/* What a connection is for, if not for exchanges. */
struct redis_connection_role {
	/* Appends its first words. NULL: those of a connection for exchanges (redis_hello_write).
	 */
	void (*write_hello)(void *user, const struct redis_url *url,
			    struct remote_request *request);
	/* A reply came; true: nobody had asked for it, and it is used. May be NULL. */
	bool (*take_push)(void *user, const struct redis_reply *reply);
	void *user;
};

struct redis_connection {
	enum redis_connection_state state;
	struct redis_connection_role role;
	struct redis_stream stream;
	struct redis_lookup *lookup;
	struct addrinfo *addresses, *next_address;
	int64_t limit_us; /* by when it is to be ready */
	struct redis_reader *reader;
	struct redis_exchange_list exchanges; /* in the order in which they are sent */
	struct redis_exchange *unsent;        /* the first that is not sent whole */
	size_t under_way, unsent_bytes;
	struct redis_hello hello;
	uint64_t kills_told; /* the transport's, as what follows */
	int64_t looked_us;   /* when it was last asked what server that is */
	int64_t heard_us;    /* when something last came, or was sent while nothing was awaited */
	bool is_retiring;    /* gets no further exchanges and ends with its last */
};

/* What connections of a transport have in common. */
struct redis_endpoint {
	const struct redis_url *url;         /* as whom, and to which Unix socket */
	const struct redis_address *address; /* NULL: that socket */
	const struct redis_trust *trust;     /* NULL: no TLS */
	int wake_fd;                         /* of the transport's wait */
	size_t answer_max_bytes;
};

/* Begins; `connection` is closed or zeroed. FAILURE_NONE: it is on its way. */
enum remote_failure redis_connection_start(struct redis_connection *connection,
					   const struct redis_endpoint *endpoint, int64_t limit_us);

/* The same for one with another role. */
enum remote_failure redis_connection_start_as(struct redis_connection *connection,
					      const struct redis_endpoint *endpoint,
					      const struct redis_connection_role *role,
					      int64_t limit_us);

/* Goes on towards CONNECTION_GREETS, at which the hello is under way. FAILURE_NONE: so far all is
 * well. */
enum remote_failure redis_connection_go_on(struct redis_connection *connection,
					   const struct redis_endpoint *endpoint);

/* Puts an exchange behind all others. */
void redis_connection_push(struct redis_connection *connection, struct redis_exchange *exchange);

/* Whether some of an exchange is sent, or stands in a record of TLS that has begun: what is in one
 * goes to the server whatever becomes of the exchange. */
bool redis_connection_has_begun(const struct redis_connection *connection,
				const struct redis_exchange *exchange);

/* Takes an exchange out again that has not begun. */
void redis_connection_remove(struct redis_connection *connection, struct redis_exchange *exchange);

/* Whether there is something that may be sent. */
bool redis_connection_has_output(const struct redis_connection *connection);
/* Sends what can be sent. False: broken. */
bool redis_connection_send(struct redis_connection *connection);

/* Reads what is there, up to some megabytes, and takes each exchange that has all its replies off
 * its list and hands it to `whole`, which owns it. FAILURE_NONE, or what broke the connection. */
enum remote_failure redis_connection_receive(struct redis_connection *connection,
					     void (*whole)(void *user,
							   struct redis_connection *connection,
							   struct redis_exchange *exchange),
					     void *user);

/* What poll() is to wait for; fd -1: nothing. */
struct pollfd redis_connection_polled(const struct redis_connection *connection);

/* After the wait: goes on, or receives. `is_awake`: poll() told something. Failures as of both. */
enum remote_failure redis_connection_turn(struct redis_connection *connection,
					  const struct redis_endpoint *endpoint, bool is_awake,
					  void (*whole)(void *user,
							struct redis_connection *connection,
							struct redis_exchange *exchange),
					  void *user);

/* Closes it and moves its exchanges to `ret`, with what they got and sent so far. */
void redis_connection_close(struct redis_connection *connection, struct redis_exchange_list *ret);

#endif
