/* The connection over which news come (news.h): one of its own, since a connection that subscribes
 * does nothing else. It is there while news are wanted, begins again when it breaks, and is asked
 * now and then whether it is alive: a peer that is gone without a word, or stands still, is noticed
 * within seconds. The transport has it take its part in each turn. */
#ifndef STEADYCACHE_REDIS_SUBSCRIBER_H
#define STEADYCACHE_REDIS_SUBSCRIBER_H

#include "backends/redis/connection.h"
#include "backends/redis/news.h"

struct pollfd;

struct redis_subscriber {
	struct redis_news *news; /* NULL: there are none to hear */
	struct redis_connection connection;
	int64_t connect_timeout_us;
	unsigned failures; /* attempts since one that lasted */
	int64_t next_attempt_us;
	struct redis_endpoint endpoint; /* of the connection */
	struct redis_address address;   /* of the endpoint */
	int64_t began_us;               /* the subscription */
	int64_t asked_us; /* when it was asked whether it is alive; 0: it is not, at the moment */
	uint64_t random;
};

/* `news` outlives it; NULL is allowed. */
void redis_subscriber_init(struct redis_subscriber *subscriber, struct redis_news *news,
			   int64_t connect_timeout_us);
void redis_subscriber_deinit(struct redis_subscriber *subscriber);

bool redis_subscriber_is_closed(const struct redis_subscriber *subscriber);

/* Where it listens nothing may be told any more: it begins again, elsewhere. */
void redis_subscriber_move(struct redis_subscriber *subscriber, int64_t now_us);

/* Before the wait of a turn: begins, asks, sends, gives up, whatever is due, and fills *ret for
 * poll(). A new connection goes to `endpoint`, of which it keeps a copy (NULL: there is none, which
 * is as if it could not be reached). Returns by when the next turn is to come (INT64_MAX: any
 * time). */
int64_t redis_subscriber_begin_turn(struct redis_subscriber *subscriber,
				    const struct redis_endpoint *endpoint, int64_t now_us,
				    struct pollfd *ret);

/* Behind the wait: takes what came. */
void redis_subscriber_end_turn(struct redis_subscriber *subscriber, bool is_awake);

#endif
