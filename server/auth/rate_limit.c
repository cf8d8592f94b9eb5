#include "server/auth/rate_limit.h"

#define NS_PER_S 1e9

void rate_limit_init(struct rate_limit *limit, double rate_per_s, double burst)
{
	limit->step_ns = rate_per_s > 0 ? (int64_t)(NS_PER_S / rate_per_s) : 0;
	limit->ahead_ns = (int64_t)((double)limit->step_ns * (burst - 1));
	/* Far in the past: the whole burst may come at once. */
	atomic_init(&limit->used_until_ns, 0);
}

int64_t rate_limit_take(struct rate_limit *limit, int64_t now_ns)
{
	if (limit->step_ns == 0)
		return 0;
	int64_t before_ns = atomic_load_explicit(&limit->used_until_ns, memory_order_relaxed);
	for (;;) {
		int64_t from_ns = before_ns > now_ns ? before_ns : now_ns;

		if (from_ns - now_ns > limit->ahead_ns)
			return from_ns - now_ns - limit->ahead_ns;
		if (atomic_compare_exchange_weak_explicit(
			    &limit->used_until_ns, &before_ns, from_ns + limit->step_ns,
			    memory_order_relaxed, memory_order_relaxed))
			return 0;
	}
}
