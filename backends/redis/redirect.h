/* What nodes of a Cluster say about which of them has what: replies that send a command elsewhere,
 * and the slot map. Pure. */
#ifndef STEADYCACHE_REDIS_REDIRECT_H
#define STEADYCACHE_REDIS_REDIRECT_H

#include "backends/redis/reply.h"

#define REDIS_SLOTS 16384

enum redis_redirect_kind {
	REDIRECT_NONE,  /* the command was executed, or refused for another reason */
	REDIRECT_MOVED, /* another node has the slot */
	REDIRECT_ASK,   /* another node has the key already; this command alone goes there */
	REDIRECT_LATER, /* nobody can do it at the moment */
};

struct redis_redirect {
	enum redis_redirect_kind kind;
	unsigned slot;     /* with MOVED and ASK, as what follows */
	struct slice host; /* of the reply; empty: that of the node that said it */
	unsigned port;
	const char *reason; /* static: the error that says so to a client in the end */
	bool is_map_old;    /* the slot map is worth a look */
};

struct redis_redirect redis_redirect_read(const struct redis_reply *reply);

/* Whether a reply sends its command elsewhere, so that it was not executed. */
bool redis_redirect_is_one(const struct redis_reply *reply);

/* Whether it is a reply to CLUSTER SLOTS that names masters. */
bool redis_redirect_are_slots(const struct redis_reply *reply);

/* Reads such a reply: `each` is called for each range of slots, with its master. `host` is empty
 * where it is that of the node that was asked. */
void redis_redirect_each_range(const struct redis_reply *reply,
			       void (*each)(void *user, unsigned first, unsigned last,
					    struct slice host, unsigned port),
			       void *user);

#endif
