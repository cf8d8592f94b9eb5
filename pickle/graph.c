#include "pickle/graph.h"

#include <stdlib.h>

#include "pickle/build.h"

const struct pickle_node *pickle_root(const struct pickle *pickle)
{
	return pickle->root;
}

size_t pickle_node_count(const struct pickle *pickle)
{
	return pickle->node_count;
}

unsigned pickle_protocol(const struct pickle *pickle)
{
	return pickle->protocol;
}

void pickle_free(struct pickle *pickle)
{
	if (!pickle)
		return;
	pickle_arena_deinit(&pickle->arena);
	free(pickle);
}
