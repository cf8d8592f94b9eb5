/* The addresses of a host, without waiting for a name server: a thread of its own does that. */
#ifndef STEADYCACHE_REDIS_LOOKUP_H
#define STEADYCACHE_REDIS_LOOKUP_H

#include <netdb.h>
#include <stdbool.h>

struct redis_lookup;

/* Begins; an address or localhost is found at once. When the answer is there, 1 is written to the
 * eventfd `wake_fd`, of which the lookup has a copy of its own. NULL: out of memory or threads. */
struct redis_lookup *redis_lookup_start(const char *host, unsigned port, int wake_fd);

/* Whether the answer is there; then *ret has the addresses, which the caller frees with
 * freeaddrinfo, or is NULL if there are none. */
bool redis_lookup_take(struct redis_lookup *lookup, struct addrinfo **ret);

/* The caller is no longer interested; the thread may still run. NULL is allowed. */
void redis_lookup_drop(struct redis_lookup *lookup);

#endif
