/* How far one step of removing goes. */
#ifndef STEADYCACHE_SQLITE_STEP_H
#define STEADYCACHE_SQLITE_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Until it has removed `max` entries, or its time is over and it has removed `min`, and checked at
 * least one. */
struct step {
	size_t max, min;
	int64_t until_us; /* monotonic */
	size_t removed, looked_at;
};

bool step_is_over(const struct step *step);

#endif
