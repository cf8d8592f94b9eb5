/* The plan: what waits to be sent, and what of it goes together.
 *
 * The rule of merging: while less than `merges_from` calls are in flight, a job is sent at once,
 * even alone. Otherwise new jobs wait for others to share a request, for at most the window, or
 * longer if the maximum of requests is in flight; then as much goes together as one request takes,
 * oldest first. So an idle server adds nothing to the latency, and a busy one sends larger requests
 * the more there is to do.
 *
 * Equal gets that wait at the same time become one (its "twins" are answered with it). A get never
 * joins one that has been sent: it could then miss a write that another front has done since. It
 * waits for that one to return and goes next.
 *
 * Owned by the I/O thread. */
#ifndef STEADYCACHE_REMOTE_PLAN_H
#define STEADYCACHE_REMOTE_PLAN_H

#include "backends/remote/call.h"
#include "backends/remote/locks.h"

#define MERGE_WINDOW_US INT64_C(1000)

/* How often the deadlines of waiting jobs are checked. */
#define PLAN_EXPIRE_STEP_US INT64_C(5000)

#define PLAN_BUCKETS 1024

/* A call grows up to these limits by merging; a single op may be larger. */
struct remote_plan_limits {
	size_t items, ops, bytes;
	unsigned merges_from; /* calls in flight from which on jobs wait for company; 0: 1 */
	int64_t window_us;    /* for so long; 0: MERGE_WINDOW_US */
};

struct remote_plan {
	struct remote_job_list waiting;
	size_t waiting_items;
	struct remote_locks writes; /* of what is in flight */
	struct remote_locks reads;
	struct remote_locks wishes; /* of jobs that wait and were passed over, while a call is
				     * formed */
	struct remote_job *singles[PLAN_BUCKETS]; /* waiting gets of one key, by its hash */
	struct remote_plan_limits limits;
	int64_t next_limit_us; /* the earliest deadline of what waits, or an earlier time */
	uint64_t merged;       /* ops that needed no request of their own */
};

void remote_plan_init(struct remote_plan *plan, const struct remote_plan_limits *limits);
/* Nothing may wait or be in flight. */
void remote_plan_deinit(struct remote_plan *plan);

/* Adds a job. */
void remote_plan_add(struct remote_plan *plan, struct remote_job *job);

/* Whether a call should be formed at `now_us`, with `in_flight` of `max_in_flight` requests in
 * flight. If not and time alone would change that, *ret_when_us says when. */
bool remote_plan_is_due(const struct remote_plan *plan, unsigned in_flight, unsigned max_in_flight,
			int64_t now_us, int64_t *ret_when_us);

/* Forms the next call, with the locks of its jobs taken; NULL if all waiting jobs have to wait for
 * what is in flight, or memory ran out. `joins` says whether a job may share a call with those that
 * it already has. */
struct remote_call *remote_plan_form_call(struct remote_plan *plan,
					  bool (*joins)(const struct remote_call *call,
							const struct remote_job *job));

/* Puts the jobs of a call whose ops are not completed yet back to the front, releases the locks of
 * all, and frees the call. What waits always has an op. */
void remote_plan_put_back(struct remote_plan *plan, struct remote_call *call);

/* Call it once for each call formed, when nothing of it is in flight any more, unless it was put
 * back. */
void remote_plan_release(struct remote_plan *plan, const struct remote_call *call);

/* Completes waiting ops whose time is over, with `sentence`; returns when to check again. */
int64_t remote_plan_expire(struct remote_plan *plan, int64_t now_us, const char *sentence,
			   uint64_t *expired);

/* Moves the deadlines of waiting jobs up to `limit_us`, if they are later. */
void remote_plan_hurry(struct remote_plan *plan, int64_t limit_us);

/* Removes and returns the first waiting job, or NULL. */
struct remote_job *remote_plan_pop(struct remote_plan *plan);

#endif
