/* A request on a connection and the replies that it has got so far; and lists of such. */
#ifndef STEADYCACHE_REDIS_EXCHANGE_H
#define STEADYCACHE_REDIS_EXCHANGE_H

#include "backends/redis/reply.h"

enum redis_exchange_kind {
	EXCHANGE_WORK,   /* somebody's request */
	EXCHANGE_HELLO,  /* the connection's first (hello.h) */
	EXCHANGE_LOOK,   /* asks again what server that is */
	EXCHANGE_SCRIPT, /* loads the script again */
	EXCHANGE_KILL,   /* has the server forget a connection that broke */
};

struct redis_exchange {
	struct redis_exchange *next;
	enum redis_exchange_kind kind;
	struct remote_request request;
	int64_t limit_us; /* monotonic */
	size_t sent;      /* bytes of the body */
	bool is_late;     /* its time is over */
	bool was_repeated;
	unsigned got;     /* replies */
	size_t got_bytes; /* that they took in the stream */
	struct redis_reply *replies, one;
};

struct redis_exchange_list {
	struct redis_exchange *first, **last;
};

/* Takes headers and body of `request` over. NULL: out of memory; then they are freed. */
struct redis_exchange *redis_exchange_create(enum redis_exchange_kind kind,
					     struct remote_request *request);
void redis_exchange_free(struct redis_exchange *exchange);

/* Ready to be sent once more, without replies. */
void redis_exchange_rewind(struct redis_exchange *exchange);

/* Calls the request's `done` and frees. With FAILURE_NONE the answer has the replies. */
void redis_exchange_end(struct redis_exchange *exchange, enum remote_failure failure, bool reached);

/* The same with the error `text` in place of every reply; not reached. */
void redis_exchange_refuse(struct redis_exchange *exchange, struct slice text);

void redis_exchange_list_init(struct redis_exchange_list *list);
void redis_exchange_list_push(struct redis_exchange_list *list, struct redis_exchange *exchange);
/* NULL: it is empty. */
struct redis_exchange *redis_exchange_list_pop(struct redis_exchange_list *list);
/* Moves all to `ret`. */
void redis_exchange_list_take(struct redis_exchange_list *list, struct redis_exchange_list *ret);

#endif
