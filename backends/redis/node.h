/* One server: a few connections to it, and what waits for one that is ready.
 *
 * - A connection is ready after AUTH, CLIENT SETNAME, SELECT, a look at the server (hello.h) and
 *   the loading of the script. If the server refuses one of these, each request that waits fails
 *   with that refusal.
 * - If it lost the script (NOSCRIPT, "Function not found"), it is loaded again and the request sent
 *   again, once: only if none of its commands was executed, or it is_repeatable.
 * - A connection that breaks ends its requests with FAILURE_RESET. What the server had not read of
 *   them, it is told to forget (CLIENT KILL) before anything else is sent: so no write of theirs
 *   comes after one that was sent later. The same where a request times out.
 * - After a failed attempt, the next comes 10 to 200 ms later.
 *
 * I/O thread. The events are called from redis_node_prepare and redis_node_go_on only. */
#ifndef STEADYCACHE_REDIS_NODE_H
#define STEADYCACHE_REDIS_NODE_H

#include <poll.h>

#include "backends/redis/connection.h"
#include "backends/redis/settings.h"

/* Lanes with a connection of their own; more share these. */
#define REDIS_NODE_LANES 4
/* Connections that broke of which the server may not know yet. */
#define REDIS_NODE_KILLS 8

struct redis_figures;
struct redis_news;
struct redis_node;

/* What becomes of EXCHANGE_WORK and EXCHANGE_SLOTS: each once, and then the exchange is the
 * receiver's. */
struct redis_node_events {
	/* All replies came. */
	void (*answered)(void *user, struct redis_node *node, struct redis_exchange *exchange);
	/* It has no replies; `refusal`: the error for which the server is not used, empty if it is
	 * not that. exchange->is_late: its time is over. With exchange->sent == 0 nothing of it was
	 * sent. */
	void (*failed)(void *user, struct redis_node *node, struct redis_exchange *exchange,
		       enum remote_failure failure, struct slice refusal);
};

/* What nodes have in common. */
struct redis_node_config {
	const struct redis_url *url;
	const struct redis_trust *trust; /* NULL: no TLS */
	int wake_fd;                     /* of the transport's wait */
	size_t answer_max_bytes;
	int64_t connect_timeout_us;
	struct redis_news *news;       /* is told whether we may publish any; NULL: nobody is */
	struct redis_figures *figures; /* NULL: none are kept */
	const struct redis_node_events *events;
	void *user;
};

struct redis_kill {
	int64_t client_id;
	char run_id[41];
};

struct redis_node {
	const struct redis_node_config *config;
	struct redis_address address; /* host NULL: the URL's Unix socket */
	struct redis_endpoint endpoint;
	struct redis_connection *connections;
	size_t count;
	struct redis_connection *lanes[REDIS_NODE_LANES]; /* over which each goes; NULL: any */
	struct redis_exchange_list waiting;               /* in the order of submission */
	int64_t next_limit_us;                            /* no work there has an earlier one */
	unsigned failures; /* attempts since the last that succeeded */
	int64_t next_attempt_us;
	uint64_t random;
	struct redis_kill kills[REDIS_NODE_KILLS]; /* number i at i modulo REDIS_NODE_KILLS */
	uint64_t kill_count;
	int64_t memory_used, memory_max; /* bytes, as it last said; max 0: no limit */
	int64_t down_us; /* since when no connection can be had; 0: it is not down */
	bool is_kept;    /* has a connection even if nothing waits for one; its owner's to set */

	/* In a Cluster (cluster.c). */
	bool is_master;  /* of a slot, as far as is known */
	bool was_master; /* and is no longer; what it was given then may hang */
	bool is_seed;
	bool has_left;   /* is forgotten in this turn */
	int64_t used_us; /* when it was last given something, or was a master */
};

/* `address` is copied; NULL: the URL's Unix socket. NULL: out of memory. */
struct redis_node *redis_node_create(const struct redis_node_config *config,
				     const struct redis_address *address);
/* Drops what it has, without events. NULL is allowed. */
void redis_node_free(struct redis_node *node);

/* Begins the first connection, without waiting for something to carry. */
void redis_node_connect(struct redis_node *node, int64_t now_us);

/* Sends an exchange, or keeps it until there is a connection. */
void redis_node_carry(struct redis_node *node, struct redis_exchange *exchange);

/* Takes what waits for a connection out again. */
void redis_node_take_waiting(struct redis_node *node, struct redis_exchange_list *ret);

/* Ends all connections at once, with events. */
void redis_node_break(struct redis_node *node);

/* ---- A turn ---- */

/* Before the wait: ends what is late, begins connections, sends. */
void redis_node_prepare(struct redis_node *node, int64_t now_us);
/* Fills `ret` for poll(), node->count of them. Returns when to go on at the latest. */
int64_t redis_node_poll(const struct redis_node *node, struct pollfd *ret, int64_t now_us);
/* After the wait: connects, receives. */
void redis_node_go_on(struct redis_node *node, const struct pollfd *polled);

#endif
