#include "backends/large/lanes.h"

void lanes_start(struct lanes *lanes, unsigned at_once)
{
	unsigned running = lanes->count < at_once ? lanes->count : at_once;

	atomic_store(&lanes->next, 0);
	atomic_store(&lanes->running, running);
	for (unsigned i = 0; i < running; i++) /* the last to end may free them */
		lanes_go_on(lanes);            /* NOLINT(clang-analyzer-unix.Malloc) */
}

void lanes_go_on(struct lanes *lanes)
{
	unsigned next =
		atomic_load(&lanes->has_failed) ? lanes->count : atomic_fetch_add(&lanes->next, 1);

	if (next < lanes->count)
		lanes->begin(lanes, next);
	else if (atomic_fetch_sub(&lanes->running, 1) == 1)
		lanes->end(lanes);
}

void lanes_fail(struct lanes *lanes, enum cache_status status, const char *detail,
		unsigned retry_after_s)
{
	if (!atomic_exchange(&lanes->has_failed, true)) {
		lanes->failure = status;
		lanes->detail = detail;
		lanes->retry_after_s = retry_after_s;
	}
	lanes_go_on(lanes);
}
