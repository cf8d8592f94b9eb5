/* Moves batches from a source to a sink: one thread reads ahead, `lanes` threads store, and the
 * caller's thread shows the progress and keeps the state file.
 *
 *     source ──next──▶ ring of batches ──work──▶ sink
 *                      head        tail
 *
 *  - Only what is behind `head` counts: all batches before it are done. So the figures and the
 *    place of the state file belong together, and nothing before the place is missing.
 *  - A batch whose sink failed for a while is repeated as a whole; what has its outcome keeps it.
 */
#ifndef STEADYCACHE_CLIENT_MIGRATE_ENGINE_H
#define STEADYCACHE_CLIENT_MIGRATE_ENGINE_H

#include <signal.h>

#include "client/migrate/end.h"
#include "client/migrate/state.h"

struct migrate_job {
	struct migrate_source *source;
	struct migrate_sink *sink;
	/* What is done with a batch: sink->ops->put, or a comparison. */
	bool (*work)(struct migrate_sink *sink, struct migrate_batch *batch,
		     struct migrate_failure *failure);
	bool looks_again; /* after the work: again.h */
	const char *verb; /* of the progress: "copied" */
	bool is_quiet;
	struct migrate_state *state;  /* where to keep the place; NULL: nowhere */
	volatile sig_atomic_t *stop;  /* set by a signal handler */
	struct migrate_totals totals; /* continued */
};

/* Runs to the end of the source. False: it ended early, and `failure` says why; after a signal its
 * code is CLIENT_DONE. The state file is then up to date. */
bool migrate_engine_run(struct migrate_job *job, struct migrate_failure *failure);

#endif
