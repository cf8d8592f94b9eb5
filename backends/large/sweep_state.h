/* What the files of the sweep share. */
#ifndef STEADYCACHE_LARGE_SWEEP_STATE_H
#define STEADYCACHE_LARGE_SWEEP_STATE_H

#include <pthread.h>

#include "backends/large/candidates.h"
#include "backends/large/sweep.h"
#include "backends/large/waiting.h"

#define SWEEP_PAGE_OBJECTS 1000
#define SWEEP_REMOVALS_MAX 8

struct sweep_removal {
	struct sweep *sweep;
	struct object_request request;
	struct pin pin;
	uint64_t len_bytes;
	bool is_busy; /* sweep->lock */
};

struct sweep {
	struct sweep_config config;
	pthread_t thread;
	pthread_mutex_t lock;  /* guards the members up to the counts */
	pthread_cond_t wake;   /* the thread: stop, wanted; the end of a removal or request */
	pthread_cond_t turned; /* who waits for a sweep: one has ended */
	bool stop, is_wanted;
	uint64_t begun, ended;
	uint64_t freed_at_end; /* removed, as of the last end */
	int64_t vain_until_us; /* monotonic */
	bool is_answered;      /* the request of the thread */
	struct sweep_counts counts;

	/* Of the thread. */
	bool is_urgent, is_told, has_hidden;
	int64_t opened_at_us; /* by the store's clock */
	int64_t stale_us;     /* the longest stale time */
	struct waiting waiting;
	struct object_info page[SWEEP_PAGE_OBJECTS];
	struct sweep_removal removals[SWEEP_REMOVALS_MAX];
};

#endif
