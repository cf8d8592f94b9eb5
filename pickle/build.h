/* Makes the nodes of a graph. */
#ifndef STEADYCACHE_PICKLE_BUILD_H
#define STEADYCACHE_PICKLE_BUILD_H

#include "pickle/arena.h"
#include "pickle/graph.h"

/* Some of the nodes, in the order of their numbers. */
struct pickle_slab {
	struct pickle_slab *previous, *next;
	uint32_t count, room;
	struct pickle_node nodes[];
};

/* The nodes of which a graph has one. */
enum pickle_single {
	PICKLE_SINGLE_NONE,
	PICKLE_SINGLE_FALSE,
	PICKLE_SINGLE_TRUE,
	PICKLE_SINGLE_TUPLE, /* the empty one */
	PICKLE_SINGLE_COUNT,
};

struct pickle {
	struct pickle_budget budget;
	struct pickle_arena arena;
	struct pickle_slab *first, *last;
	uint32_t node_count;
	unsigned protocol;
	struct pickle_node *root;
	struct pickle_node *singles[PICKLE_SINGLE_COUNT];
};

/* NULL: out of memory, which all functions below answer with NULL or false too. */
struct pickle *pickle_build(size_t limit_bytes);

/* A node whose union is zeroed. `offset` as in struct pickle_node. */
struct pickle_node *pickle_build_node(struct pickle *pickle, enum pickle_kind kind,
				      uint64_t offset);
struct pickle_node *pickle_build_single(struct pickle *pickle, enum pickle_single which,
					uint64_t offset);
/* Appends `count` nodes. */
bool pickle_build_items(struct pickle *pickle, struct pickle_items *items,
			struct pickle_node *const *list, size_t count);
bool pickle_build_step(struct pickle *pickle, struct pickle_call *call, struct pickle_step step);

#endif
