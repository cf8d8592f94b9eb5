/* Walks: listings that go on from page to page, and the runs that spare them a pass for each page.
 * The essay is in walk.c. */
#ifndef STEADYCACHE_MEMORY_WALK_H
#define STEADYCACHE_MEMORY_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "store/backend.h"

struct namespace;
struct namespaces;
struct walk;

/* Runs at once. */
#define WALKS_MAX 4

/* How long a run is used once it is made. */
#define WALK_LIFE_US (10 * INT64_C(1000000))

/* The runs of a backend. They are the worker's: no other thread touches them while it runs. */
struct walks {
	struct walk *walks[WALKS_MAX]; /* malloc'ed; NULL: none */
};

/* SCAN in byte order, on the worker: fills op->entries and op->complete. */
enum cache_status walk_page(struct namespaces *all, struct namespace *ns, struct cache_op *op,
			    int64_t now_us);

/* On any thread, before a listing begins anew and when a namespace is cleared: no run that is older
 * is used again. */
void walks_forbid(struct namespace *ns);

/* Frees the runs that are not to be used again. False: there is none any more. The worker's. */
bool walks_tidy(struct namespaces *all, int64_t now_us);

/* Frees all of them. */
void walks_deinit(struct namespaces *all);

#endif
