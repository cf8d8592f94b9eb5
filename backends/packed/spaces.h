/* What the layer knows of namespaces (store/name_table.h). */
#ifndef STEADYCACHE_PACKED_SPACES_H
#define STEADYCACHE_PACKED_SPACES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "store/name_table.h"
#include "store/op.h"

/* Further namespaces have default settings, as far as this layer goes. */
#define SPACES_MAX 50000

enum space_state {
	SPACE_KNOWN = 1 << 0,
	SPACE_ZSTD = 1 << 1,
	SPACE_PASSES = 1 << 2, /* what is known holds for some seconds: others may change it */
	SPACE_PUT_SHIFT = 8,   /* put_status is in the bits above */
};

struct space {
	struct name_node node;
	atomic_uint state;       /* enum space_state; 0: nothing is known */
	_Atomic int64_t told_us; /* when it was learnt; monotonic */
	/* Guarded by the lock of the spaces. */
	uint64_t version;         /* of the settings, as far as they change through the layer */
	bool is_asking;           /* the backend is being asked */
	struct cache_op *waiting; /* SETs, by cache_op.next, for the answer */
	struct cache_op **waiting_end;
};

struct spaces {
	struct name_table table;
	pthread_mutex_t lock;
	pthread_cond_t quiet; /* nobody is being asked any more */
	size_t asking;        /* lock */
};

void spaces_init(struct spaces *spaces);
void spaces_deinit(struct spaces *spaces);

/* NULL: none. */
struct space *spaces_find(struct spaces *spaces, struct slice ns);
/* NULL: out of memory, or there are too many. */
struct space *spaces_find_or_add(struct spaces *spaces, struct slice ns);

/* The settings of `ns` have changed: what is known and what is being asked does not hold. */
void spaces_forget(struct spaces *spaces, struct slice ns);

#endif
