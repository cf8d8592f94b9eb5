#include "backends/large/s3/figures.h"

#define GROUP "s3"

static uint64_t read_count(_Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

size_t s3_figures(struct object_store *of, struct backend_gauge *ret, size_t max)
{
	struct s3_store *store = (struct s3_store *)of;
	_Atomic uint64_t *failures = store->failures;
	_Atomic uint64_t *counters = store->counters;
	enum remote_breaker_state state = (enum remote_breaker_state)atomic_load_explicit(
		&store->breaker_state, memory_order_relaxed);
	const struct backend_gauge gauges[] = {
		{.group = GROUP,
		 .name = "breaker",
		 .value = (double)state,
		 .text = remote_breaker_state_name(state),
		 .help = "The breaker: closed, open, or half_open while a probe is in flight."},
		GAUGE_LEVEL(GROUP, "in_flight", atomic_load(&store->in_flight),
			    "Requests to the object store that are in flight."),
		GAUGE_LEVEL(GROUP, "waiting", atomic_load(&store->waiting),
			    "Requests that wait for a connection."),
		GAUGE_LEVEL(GROUP, "readers", atomic_load(&store->readers),
			    "Downloads that are open."),
#define X(id, name, help) GAUGE_COUNTER(GROUP, name, read_count(counters + S3_COUNT_##id), help),
		S3_COUNTER_MAP(X)
#undef X
#define X(id, name, help) GAUGE_COUNTER(GROUP, name, read_count(failures + FAILURE_##id), help),
			REMOTE_FAILURE_MAP(X)
#undef X
	};
	size_t count = sizeof(gauges) / sizeof(gauges[0]);

	count = count < max ? count : max;
	for (size_t i = 0; i < count; i++)
		ret[i] = gauges[i];
	return count;
}
