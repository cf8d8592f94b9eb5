/* What has to be known of a value before it is written. */
#ifndef STEADYCACHE_PICKLE_WRITE_PLAN_H
#define STEADYCACHE_PICKLE_WRITE_PLAN_H

#include "pickle/graph.h"

struct pickle_planned {
	const struct pickle_node *node; /* NULL: a free slot */
	uint32_t memo;   /* the writer's: its place in the memo, plus 1; 0: not there yet */
	bool is_shared;  /* used more than once */
	bool is_entered; /* while planning: the walk is in the node */
};

struct pickle_plan {
	struct pickle_planned *slots; /* a hash table of `mask` + 1, by number */
	uint32_t mask, count;
	bool is_mixed; /* its slots go by more than the number */
	/* The value cannot be written in one walk from its root: a tuple, or a value that calls
	 * make, contains itself, or it is nested deeper than PICKLE_DEPTH_MAX. */
	bool is_flat;
	struct pickle_planned first_slots[64];
};

/* Walks all that `root` contains, each node once. False with `error`: out of memory. The caller
 * calls pickle_plan_deinit() in any case. */
bool pickle_plan_init(struct pickle_plan *plan, const struct pickle_node *root,
		      struct pickle_error *error);
void pickle_plan_deinit(struct pickle_plan *plan);

/* NULL: not in the plan, as None, True, False, int, float and () never are. Stays valid. */
struct pickle_planned *pickle_plan_find(const struct pickle_plan *plan,
					const struct pickle_node *node);

#endif
