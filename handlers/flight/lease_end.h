/* The end of a lease in the store, where leases are the store's: an operation of its own, which
 * belongs to no request. */
#ifndef STEADYCACHE_HANDLERS_LEASE_END_H
#define STEADYCACHE_HANDLERS_LEASE_END_H

#include "store/backend.h"

struct lease_end {
	struct cache_op op;
	struct lease_end *next; /* the owner's */
	/* Called once it is done, on any thread; the end is freed behind it. */
	void (*done)(struct lease_end *end);
	void *user;
	/* Whoever wants to know, after `done`; NULL: nobody. */
	void (*wake)(void *wake_user);
	void *wake_user;
	char bytes[]; /* namespace, key and token */
};

/* NULL: out of memory. */
struct lease_end *lease_end_create(struct slice ns, struct slice key, struct slice token);
/* One that was not submitted. NULL is fine. */
void lease_end_free(struct lease_end *end);
/* With `done` set. The caller holds no lock that it takes. */
void lease_end_submit(struct lease_end *end, struct backend *backend);

#endif
