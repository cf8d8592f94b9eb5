#include "backends/memory/drop.h"

#include <stdlib.h>

#include "backends/memory/clear.h"

/* Of a namespace whose configure_lock is held; *ret is what was in it. */
static enum cache_status drop(struct namespaces *all, struct namespace *ns, struct cleared **ret)
{
	struct cleared *cleared = calloc(1, sizeof(*cleared));

	if (!cleared)
		return CACHE_NO_MEMORY;
	if (clear_drop(all, ns, cleared)) {
		*ret = cleared;
		return CACHE_OK;
	}
	free(cleared);
	return CACHE_NOT_FOUND;
}

void drop_run(struct namespaces *all, struct cache_op *op)
{
	struct namespace *ns = namespace_find(all, op->ns);
	enum cache_status status = CACHE_NOT_FOUND;
	struct cleared *cleared = NULL;

	if (ns) {
		(void)pthread_mutex_lock(&ns->configure_lock);
		status = drop(all, ns, &cleared);
		(void)pthread_mutex_unlock(&ns->configure_lock);
	}
	cache_op_complete(op, status);
	clear_free(cleared);
}

void drop_start(struct namespaces *all, struct worker *worker, struct namespace *ns,
		struct cache_op *op)
{
	struct cleared *cleared = NULL;

	if (pthread_mutex_trylock(&ns->configure_lock) != 0) {
		worker_submit(worker, op);
		return;
	}
	enum cache_status status = drop(all, ns, &cleared);
	(void)pthread_mutex_unlock(&ns->configure_lock);
	if (cleared)
		worker_free(worker, cleared);
	cache_op_complete(op, status);
}
