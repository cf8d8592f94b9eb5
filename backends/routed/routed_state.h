/* The backends behind one, as the files of this folder share them. */
#ifndef STEADYCACHE_ROUTED_ROUTED_STATE_H
#define STEADYCACHE_ROUTED_ROUTED_STATE_H

#include <stdatomic.h>

#include "backends/routed/routed.h"

struct routed;

struct branch {
	struct routed *routed;
	struct backend *backend;
	const struct backend_place *place;
	char name[32]; /* as cache_branch.name */
	/* config.default_names of those that lead to it. */
	const char **default_names;
	atomic_bool has_told; /* of a namespace that is not seen */
};

struct routed {
	struct backend backend; /* first, because callers of the contract get a pointer to it */
	struct backend_ops ops;
	struct backend_config config; /* the whole's; settings are struct routed_config */
	size_t count;
	struct branch branches[BACKEND_BRANCHES_MAX];
};

static inline struct routed *routed_of(struct backend *backend)
{
	return (struct routed *)backend;
}

static inline const struct routed_config *routed_rules(const struct routed *routed)
{
	return routed->config.settings;
}

#endif
