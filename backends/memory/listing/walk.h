/* Walks: listings that continue from page to page, and the runs that save them a visit for each
 * page. walk.c explains it. */
#ifndef STEADYCACHE_MEMORY_WALK_H
#define STEADYCACHE_MEMORY_WALK_H

#include "backends/memory/namespace.h"

/* Runs at once. */
#define WALKS_MAX 4

/* How long a run is used after it was made. */
#define WALK_LIFE_US (10 * US_PER_S)

struct walk;

/* The runs of a backend. They belong to the worker: no other thread accesses them while it runs.
 * Empty with `namespaces` set. Their memory counts as that of the namespaces. */
struct walks {
	struct namespaces *namespaces;
	struct walk *walks[WALKS_MAX]; /* malloc'ed; NULL: none */
};

/* SCAN in byte order: fills op->entries and op->complete. */
enum cache_status walk_page(struct walks *walks, struct namespace *ns, struct cache_op *op,
			    int64_t now_us);

/* Frees the runs that must not be used again (namespace_forbid_runs, WALK_LIFE_US). False: none is
 * left. */
bool walks_tidy(struct walks *walks, int64_t now_us);

/* Frees all of them. */
void walks_deinit(struct walks *walks);

#endif
