/* What the d1 backend counts: requests and failures, for the statistics, and hits, misses and the
 * like of each namespace, which the upstream does not know since it serves many fronts.
 *
 * The numbers of requests are atomic: any thread may read them. The rest is the I/O thread's. */
#ifndef STEADYCACHE_REMOTE_TALLY_H
#define STEADYCACHE_REMOTE_TALLY_H

#include <stdatomic.h>

#include "store/backend.h"

/* X(id, name): why a request failed. */
#define REMOTE_FAILURE_MAP(X)                                                                      \
	X(CONNECT, "failures_connect", "Requests without a connection, or a name.")                \
	X(TLS, "failures_tls", "Requests to a certificate that is not trusted.")                   \
	X(RESET, "failures_reset", "Requests whose connection broke off.")                         \
	X(TIMEOUT, "failures_timeout", "Requests without an answer in time.")                      \
	X(AUTH, "failures_auth", "Answers 401 and 403.")                                           \
	X(THROTTLED, "failures_throttled", "Answers 429.")                                         \
	X(SERVER_ERROR, "failures_5xx", "Answers 500 and above.")                                  \
	X(STATUS, "failures_status", "Answers of another status that is not of the protocol.")     \
	X(BAD_ANSWER, "failures_bad_answer", "Answers that are not of the protocol.")              \
	X(REFUSED, "failures_breaker_open", "Operations not sent, as the breaker was open.")       \
	X(EXPIRED, "failures_expired", "Operations whose time was over.")

enum remote_failure {
#define X(id, name, help) FAILURE_##id,
	REMOTE_FAILURE_MAP(X)
#undef X
		FAILURE_KINDS,
	FAILURE_NONE = FAILURE_KINDS
};

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

#define TALLY_BUCKETS       256
#define TALLY_SENTENCES_MAX 64

struct remote_ns_counters {
	struct remote_ns_counters *next;
	char name[NAMESPACE_MAX_LEN + 1];
	uint64_t hits, misses, stale_hits, sets, deletes, evictions, expirations;
};

struct remote_tally {
	_Atomic uint64_t failures[FAILURE_KINDS];
	_Atomic uint64_t counters[COUNTERS];
	atomic_int breaker_state; /* enum remote_breaker_state */

	unsigned max_namespaces; /* 0: no limit */
	size_t namespace_count;
	struct remote_ns_counters *namespaces[TALLY_BUCKETS];
	struct remote_ns_counters overflow; /* of the namespaces beyond the limit; told to nobody */
	char *sentences[TALLY_SENTENCES_MAX];
};

void remote_tally_deinit(struct remote_tally *tally);

void remote_tally_failure(struct remote_tally *tally, enum remote_failure failure,
			  uint64_t how_many);
void remote_tally_add(struct remote_tally *tally, enum remote_counter counter, uint64_t how_many);
void remote_tally_set(struct remote_tally *tally, enum remote_counter counter, uint64_t value);
/* An answer came after `us`. */
void remote_tally_latency(struct remote_tally *tally, int64_t us);

/* The counters of a namespace; never NULL. I/O thread. */
struct remote_ns_counters *remote_tally_namespace(struct remote_tally *tally, struct slice name);
/* The one after `ns` (NULL: the first) of all that are counted; NULL: no more. I/O thread. */
const struct remote_ns_counters *remote_tally_next(const struct remote_tally *tally,
						   const struct remote_ns_counters *ns);
/* Adds what the statuses of `items` say of hits, misses, sets and deletes of `op`. */
void remote_tally_items(struct remote_tally *tally, const struct cache_op *op,
			const struct cache_item *items);
/* Puts the counters of stats->name into `stats`. */
void remote_tally_fill(struct remote_tally *tally, struct namespace_stats *stats);

/* What went without our doing, such as the sweep of what expired, only the upstream knows: its
 * numbers count where they are larger. */
void remote_tally_raise(struct namespace_stats *stats, uint64_t evictions, uint64_t expirations);

/* A lasting copy of a sentence that the upstream sent, for op->detail. NULL where there are too
 * many different ones, or it is no printable UTF-8 of a reasonable length. I/O thread. */
const char *remote_tally_keep(struct remote_tally *tally, struct slice sentence);

/* backend_ops.gauges */
size_t remote_tally_gauges(const struct remote_tally *tally, struct backend_gauge *ret, size_t max);

#endif
