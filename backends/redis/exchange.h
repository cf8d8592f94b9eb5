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
	EXCHANGE_SLOTS,  /* asks which server of a Cluster has which slots */
};

struct redis_exchange {
	struct redis_exchange *next;
	enum redis_exchange_kind kind;
	struct remote_request request;
	uint64_t order;   /* of submission; 0: the transport's own */
	int64_t limit_us; /* monotonic */
	size_t sent;      /* bytes of the body */
	/* Bytes of the body that may be sent before `held_for` replies are there; 0: all. */
	size_t held_from;
	unsigned held_for;
	bool is_late; /* its time is over */
	bool was_repeated;
	unsigned asked;   /* commands of the body: so many replies come */
	unsigned got;     /* of them */
	unsigned *places; /* of each reply to come, in `replies`; NULL: they come in order */
	size_t got_bytes; /* that replies took in the stream */
	struct redis_reply *replies, one;

	/* In a Cluster (cluster.c). */
	bool is_counted;     /* among what is under way of its slot, in order */
	bool is_scout;       /* others of its slot wait for what becomes of it */
	bool is_asking;      /* ASKING stands before each command */
	bool is_begun;       /* some of its commands was executed, at an earlier try */
	unsigned redirects;  /* how often it was sent elsewhere */
	const char *refusal; /* with which it is about to end; static */
};

struct redis_exchange_list {
	struct redis_exchange *first, **last;
};

/* Takes headers and body of `request` over. NULL: out of memory; then they are freed. */
struct redis_exchange *redis_exchange_create(enum redis_exchange_kind kind,
					     struct remote_request *request);
void redis_exchange_free(struct redis_exchange *exchange);

/* How many bytes of the body may have been sent by now. */
size_t redis_exchange_may_send(const struct redis_exchange *exchange);
/* Takes over the next reply, of `bytes` bytes. Not more than are asked for. */
void redis_exchange_take(struct redis_exchange *exchange, struct redis_reply *reply, size_t bytes);

/* Reply number `i` of those that came since it was last sent. NULL: it is to none of the request's
 * commands. */
const struct redis_reply *redis_exchange_reply(const struct redis_exchange *exchange, unsigned i);

/* Ready to be sent once more as it was last sent, without the replies to that. */
void redis_exchange_rewind(struct redis_exchange *exchange);

/* Ready to be sent once more with those commands alone that have no reply yet, or one that
 * `is_undone`; `is_asking`: with ASKING before each. False: out of memory, and nothing changed. */
bool redis_exchange_again(struct redis_exchange *exchange,
			  bool (*is_undone)(const struct redis_reply *reply), bool is_asking);

/* Calls the request's `done` and frees. With FAILURE_NONE the answer has the replies.
 * `is_partial`: remote_answer.is_partial. */
void redis_exchange_end(struct redis_exchange *exchange, enum remote_failure failure, bool reached,
			bool is_partial);

/* The same with the error `text` in place of every reply; reached only if an earlier try was. */
void redis_exchange_refuse(struct redis_exchange *exchange, struct slice text, bool is_partial);

void redis_exchange_list_init(struct redis_exchange_list *list);
void redis_exchange_list_push(struct redis_exchange_list *list, struct redis_exchange *exchange);
/* Puts it behind all that were submitted before it, of a list in that order. */
void redis_exchange_list_insert(struct redis_exchange_list *list, struct redis_exchange *exchange);
/* NULL: it is empty. */
struct redis_exchange *redis_exchange_list_pop(struct redis_exchange_list *list);
/* Frees all that are in it. */
void redis_exchange_list_drop(struct redis_exchange_list *list);
/* How many are in it. */
size_t redis_exchange_list_count(const struct redis_exchange_list *list);
/* Moves all to `ret`. */
void redis_exchange_list_take(struct redis_exchange_list *list, struct redis_exchange_list *ret);

#endif
