/* The sweep: removes objects that no entry names. */
#ifndef STEADYCACHE_LARGE_SWEEP_H
#define STEADYCACHE_LARGE_SWEEP_H

#include "backends/large/object_store.h"
#include "backends/large/pins.h"
#include "store/backend.h"

struct sweep;

struct sweep_config {
	struct backend *backend; /* whose entries may name objects */
	struct object_store *store;
	struct pins *pins;
	const struct backend_config *owner; /* for notices; lives as long as the sweep */
	int64_t every_us;                   /* 0: only when room is needed */
	int64_t grace_us;
	/* The store's objects and the backend's entries change by this process only, and what it
	 * began ends with it. */
	bool is_alone;
};

struct sweep_counts {
	uint64_t sweeps, failures;
	uint64_t removed, removed_bytes, removal_failures;
	uint64_t objects, bytes; /* that the last one met */
	uint64_t unnamed;        /* of these, those that no entry names but that must still wait */
};

/* Starts the thread, and a first sweep. NULL: it cannot start, error says why. */
struct sweep *sweep_start(const struct sweep_config *config, char *error, size_t error_size);
/* Ends it, soon. NULL is allowed. */
void sweep_stop(struct sweep *sweep);

/* Asks for a sweep now, and waits for its end up to `patience_us`: whether it removed anything.
 * Never for an event loop. */
bool sweep_now(struct sweep *sweep, int64_t patience_us);

struct sweep_counts sweep_counts(struct sweep *sweep);

#endif
