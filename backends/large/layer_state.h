/* The layer, as its files share it. */
#ifndef STEADYCACHE_LARGE_LAYER_STATE_H
#define STEADYCACHE_LARGE_LAYER_STATE_H

#include "backends/large/layer.h"
#include "backends/large/object_store.h"
#include "backends/large/pins.h"
#include "backends/large/spool_place.h"
#include "backends/large/sweep.h"
#include "base/pool.h"

/* Objects of one operation that are put or opened at a time. */
#define LAYER_LANES 8

struct layer_counts {
	atomic_ullong puts, put_bytes, put_failures, opens, missing;
};

struct layer {
	struct backend backend; /* first, because callers of the contract get a pointer to it */
	struct backend_ops ops; /* what `inner` supports, through this layer */
	struct backend *inner;
	struct backend_config config; /* of its opening */
	struct object_store *store;
	struct pool *pool; /* writes values to files, reads them into memory */
	struct spool_place place;
	struct pins pins;
	struct sweep *sweep;
	struct layer_counts counts;
	uint64_t value_bytes, max_bytes; /* of values that become objects: from, to */
	uint64_t whole_max_bytes;        /* of what is read into memory; 0: no limit */
	int64_t grace_us;
};

static inline struct layer *layer_of(struct backend *backend)
{
	return (struct layer *)backend;
}

/* How long values of a namespace become objects: from that on. */
static inline uint64_t layer_from_bytes(const struct layer *layer, struct slice ns)
{
	uint64_t most = backend_traits_of(layer->inner, ns).value_max_bytes;

	return most > 0 && layer->value_bytes > most ? most + 1 : layer->value_bytes;
}

static inline void layer_count(atomic_ullong *counter, uint64_t more)
{
	(void)atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

#endif
