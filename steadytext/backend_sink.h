/* A sink over a backend of this process. */
#ifndef STEADYCACHE_STEADYTEXT_BACKEND_SINK_H
#define STEADYCACHE_STEADYTEXT_BACKEND_SINK_H

#include "steadytext/sink.h"
#include "store/backend.h"

struct steadytext_backend_sink {
	struct steadytext_sink sink; /* for an import */
	struct backend *backend;
};

/* `limits`: what clients may store, so that they can read what is taken; 0: no limit. `backend` is
 * borrowed; nothing has to be freed. */
void steadytext_backend_sink_init(struct steadytext_backend_sink *ret, struct backend *backend,
				  const struct steadytext_limits *limits);

#endif
