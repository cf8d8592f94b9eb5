/* What a backend that asks another server counts: requests and failures, for statistics and
 * metrics. All of it is atomic: the I/O thread counts, any thread may read. */
#ifndef STEADYCACHE_REMOTE_TALLY_H
#define STEADYCACHE_REMOTE_TALLY_H

#include <stdatomic.h>

#include "backends/remote/breaker.h"
#include "backends/remote/failure.h"
#include "store/backend.h"

/* X(id, name, whether it only grows, help): everything else. */
#define REMOTE_COUNTER_MAP(X)                                                                      \
	X(REQUESTS, "requests", true, "Requests sent.")                                            \
	X(OPS, "ops", true, "Operations asked of it.")                                             \
	X(MERGED, "merged", true, "Operations that shared a request with others.")                 \
	X(RETRIES, "retries", true, "Requests sent once more.")                                    \
	X(PROBES, "probes", true, "Requests that tried whether it is back.")                       \
	X(OPENED, "breaker_opened", true, "Times that the breaker opened.")                        \
	X(IN_FLIGHT, "in_flight", false, "Requests under way.")                                    \
	X(WAITING, "waiting", false, "Operations that wait to be sent.")                           \
	X(LATENCY_AVG_US, "latency_avg_us", false, "Moving average of the time to an answer.")     \
	X(LATENCY_MAX_US, "latency_max_us", false, "Longest time to an answer so far.")            \
	X(BYTES_SENT, "sent_bytes", true, "Bytes sent.")                                           \
	X(BYTES_RECEIVED, "received_bytes", true, "Bytes received.")

enum remote_counter {
#define X(id, name, counts, help) COUNT_##id,
	REMOTE_COUNTER_MAP(X)
#undef X
		COUNTERS
};

/* A zeroed one has counted nothing. */
struct remote_tally {
	_Atomic uint64_t failures[FAILURE_KINDS];
	_Atomic uint64_t counters[COUNTERS];
	atomic_int breaker_state; /* enum remote_breaker_state */
};

void remote_tally_failure(struct remote_tally *tally, enum remote_failure failure,
			  uint64_t how_many);
void remote_tally_add(struct remote_tally *tally, enum remote_counter counter, uint64_t how_many);
void remote_tally_set(struct remote_tally *tally, enum remote_counter counter, uint64_t value);
void remote_tally_set_breaker(struct remote_tally *tally, enum remote_breaker_state state);
/* Report an answer that took `us`. */
void remote_tally_latency(struct remote_tally *tally, int64_t us);

/* backend_ops.gauges */
size_t remote_tally_gauges(const struct remote_tally *tally, struct backend_gauge *ret, size_t max);

#endif
