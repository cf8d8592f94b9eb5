/* Counts answers by route, method and status, their durations, and the results of the backend's
 * operations.
 *
 * Each event-loop thread counts in its own memory, so counting causes no contention and takes no
 * locked instruction; a reader sums over all threads. A sum that is read while requests run belongs
 * to no single moment, but no count is ever lost. */
#ifndef STEADYCACHE_SERVER_METRICS_H
#define STEADYCACHE_SERVER_METRICS_H

#include "handlers/respond/figures.h"
#include "server/http/router.h"

struct metrics;

/* For `threads` counting threads. NULL: out of memory. */
struct metrics *metrics_create(unsigned threads);
void metrics_destroy(struct metrics *metrics);

/* An answer with `status` was queued, `duration_ns` after the headers of its request had arrived.
 * `route` NULL: none was found. Threads beyond those of metrics_create may call it too. */
void metrics_answered(struct metrics *metrics, const struct route *route, enum http_method method,
		      unsigned status, int64_t duration_ns);
/* A request ended without an answer. */
void metrics_unanswered(struct metrics *metrics);
/* An operation of the backend ended. Any thread. */
void metrics_operation(struct metrics *metrics, enum cache_op_type type, enum cache_status status);

/* Answers, durations and requests without an answer. Any thread. */
void metrics_read(struct metrics *metrics, struct server_figures *ret);
/* As the functions of figures_source. Any thread. */
void metrics_each_answer(struct metrics *metrics,
			 void (*visit)(void *visit_user, const struct answer_count *answers),
			 void *visit_user);
void metrics_each_latency(struct metrics *metrics,
			  void (*visit)(void *visit_user, const struct route_latency *latency),
			  void *visit_user);
void metrics_each_operation(struct metrics *metrics,
			    void (*visit)(void *visit_user,
					  const struct operation_count *operations),
			    void *visit_user);

#endif
