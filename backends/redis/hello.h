/* The first words on a connection: who we are, which database, what server that is, and the script.
 * Pure. */
#ifndef STEADYCACHE_REDIS_HELLO_H
#define STEADYCACHE_REDIS_HELLO_H

#include "backends/redis/reply.h"
#include "backends/redis/url.h"

/* What they found. */
struct redis_hello {
	int64_t client_id; /* of the connection; 0: unknown */
	char run_id[41];   /* of the server's process; "": unknown */
	bool has_functions;
	bool may_publish;                /* news (news.h) */
	bool has_loaded;                 /* the script, which the server lacked */
	int64_t memory_used, memory_max; /* bytes; max 0: no limit, or unknown */
};

/* Appends the commands. Returns the bytes of `request` up to the script: what follows must wait
 * for the replies to them (redis_hello_is_over), as Redis hangs up on who sends more than 16 KB
 * before it knows him, and its reason may be lost with the connection. `replies` of them come. */
size_t redis_hello_write(const struct redis_url *url, struct remote_request *request,
			 unsigned *replies);

/* Reads the replies to them, of which the first `got` came. Empty: the server may be used. Else the
 * error for which it may not, one of its own or one of verdict.h; valid as long as the replies. */
struct slice redis_hello_read(const struct redis_url *url, const struct redis_reply *replies,
			      unsigned got, struct redis_hello *ret);

/* Whether no reply behind this one can make it a good beginning; redis_hello_read says why. */
bool redis_hello_is_over(const struct redis_reply *reply);

/* The same for a connection that only listens: who we are, and what server that is. */
void redis_hello_write_listener(const struct redis_url *url, struct remote_request *request);
struct slice redis_hello_read_listener(const struct redis_url *url,
				       const struct redis_reply *replies, unsigned got,
				       struct redis_hello *ret);

/* Appends the command that asks what server that is. */
void redis_hello_write_look(struct remote_request *request);
/* As redis_hello_read, for the one reply to it. */
struct slice redis_hello_read_look(const struct redis_url *url, const struct redis_reply *reply,
				   struct redis_hello *ret);

/* Appends the command that loads the script. */
void redis_hello_write_script(bool has_functions, struct remote_request *request);
/* Appends the command that ends another connection. */
void redis_hello_write_kill(int64_t client_id, struct remote_request *request);

#endif
