/* One round of a sweep over the objects: what they are, who names them, what goes. sweep.c tells
 * why nothing goes that is named. All of it on the thread of the sweep. */
#ifndef STEADYCACHE_LARGE_SWEEP_ROUND_H
#define STEADYCACHE_LARGE_SWEEP_ROUND_H

#include "backends/large/sweep_state.h"

struct sweep_round {
	struct object_request list;
	bool has_listed_all;
	uint64_t objects, bytes, unnamed;
	struct candidates candidates;
	int64_t before_us; /* what was put later stays */
};

/* Whether the sweep has to end. Any thread. */
bool sweep_round_is_stopped(struct sweep *sweep);
/* Lists the next page into sweep->page. False: it failed. */
bool sweep_round_list(struct sweep *sweep, struct object_request *request);
/* Looks at all objects and removes what may go. False: it failed or was stopped, and what is left
 * has not been looked up. The caller frees round->candidates. */
bool sweep_round_run(struct sweep *sweep, struct sweep_round *round);

#endif
