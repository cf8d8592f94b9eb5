/* Lanes: the parts of one operation, several of them under way at a time. A lane takes the next
 * part when it is done with one; after a failure no other begins. Any thread. */
#ifndef STEADYCACHE_LARGE_LANES_H
#define STEADYCACHE_LARGE_LANES_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/status.h"

struct lanes {
	/* Begins a part. It ends by one lanes_go_on or lanes_fail, maybe before this returns. */
	void (*begin)(struct lanes *lanes, unsigned part);
	/* None is under way, and all are done or one has failed. May free what `lanes` is in. */
	void (*end)(struct lanes *lanes);
	unsigned count; /* of parts */

	/* Of the first that failed; for `end`. */
	atomic_bool has_failed;
	enum cache_status failure;
	const char *detail; /* a sentence, or NULL */
	unsigned retry_after_s;

	atomic_uint next, running; /* their own */
};

/* Starts with part 0, up to `at_once` (>= 1) at a time. `begin`, `end` and `count` (>= 1) are set,
 * the rest is zero, or as an `end` without a failure has left it. */
void lanes_start(struct lanes *lanes, unsigned at_once);
/* A part is done. */
void lanes_go_on(struct lanes *lanes);
/* A part has failed. */
void lanes_fail(struct lanes *lanes, enum cache_status status, const char *detail,
		unsigned retry_after_s);

#endif
