/* What has to be known of a value before it is written: which of its nodes are used more than once,
 * so that they need a place in the pickle's memo. */
#ifndef STEADYCACHE_PICKLE_WRITE_PLAN_H
#define STEADYCACHE_PICKLE_WRITE_PLAN_H

#include "pickle/graph.h"

struct pickle_planned {
	uint32_t key;   /* number of the node, plus 1; 0: a free slot */
	uint32_t memo;  /* the writer's: place in the memo, plus 1; 0: not there */
	bool is_shared; /* used more than once */
	bool is_open;   /* only while planning: the walk is in what is made before the node */
};

struct pickle_plan {
	struct pickle_planned *slots; /* a hash table of `mask` + 1, by number */
	uint32_t mask, count;
	size_t len_max; /* bytes of the pickle, if each node is written once; an upper bound */
	/* A tuple, a frozenset or the arguments of a call contain themselves (by a list, say). The
	 * writer then meets nodes again before their end, so that every node has to be in the memo.
	 */
	bool is_recursive;
	struct pickle_planned first_slots[64];
};

/* Walks all that `root` contains, each node once. False with `error`: deeper than PICKLE_DEPTH_MAX,
 * out of memory. The caller calls pickle_plan_deinit() in any case. */
bool pickle_plan_init(struct pickle_plan *plan, const struct pickle_node *root,
		      struct pickle_error *error);
void pickle_plan_deinit(struct pickle_plan *plan);

/* NULL: not in the plan, as None, True, False, int, float and () never are. Stays valid. */
struct pickle_planned *pickle_plan_find(const struct pickle_plan *plan,
					const struct pickle_node *node);

#endif
