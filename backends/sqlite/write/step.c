#include "backends/sqlite/write/step.h"

#include "base/clock.h"

/* Entries that are checked for each that may be removed: those that are kept cost less. */
#define LOOKED_AT_FACTOR 8

bool step_is_over(const struct step *step)
{
	if (step->removed >= step->max || step->looked_at >= step->max * LOOKED_AT_FACTOR)
		return true;
	/* On a busy machine the time may be over before the first entry: each step advances by at
	 * least one. */
	return step->removed + step->looked_at > 0 && step->removed >= step->min &&
	       monotonic_now_us() >= step->until_us;
}
