/* A call: jobs that share requests. It goes through one or more steps, one after the other; a step
 * is one request, or several at once ("parts").
 *
 *     part:  UNSENT -> SENT -> ANSWERED          slots: requests that the call may have in flight,
 *                      ^  |                      counted in the engine's in_flight; at least one
 *                      |  v                      for as long as the call lives
 *                      WAITS (for a retry)
 *
 * A call whose fate is decided sends nothing more, but stays until none of its requests is in
 * flight: its jobs' locks hold that long. */
#ifndef STEADYCACHE_REMOTE_CALL_H
#define STEADYCACHE_REMOTE_CALL_H

#include "backends/remote/job.h"

enum remote_call_kind { CALL_WORK, CALL_PROBE };

enum remote_part_state { PART_UNSENT, PART_SENT, PART_WAITS, PART_ANSWERED };

enum remote_call_fate {
	FATE_OPEN,
	FATE_OVER, /* all its ops are completed */
	FATE_BACK, /* its jobs go back into the plan: the upstream does not speak the dialect */
};

struct remote_part {
	struct remote_call *call;
	enum remote_part_state state;
	unsigned attempts;
	int64_t sent_at_us, retry_at_us;
};

struct remote_context;
struct remote_dialect;
struct remote_engine;

struct remote_call {
	struct remote_call *next; /* in the engine's list */
	struct remote_engine *engine;
	enum remote_call_kind kind;
	int probe; /* enum remote_probe */
	struct remote_job_list jobs;
	size_t item_count, size_bytes;
	bool is_idempotent;
	int64_t deadline_us;   /* of the last of its jobs */
	int64_t next_limit_us; /* the earliest deadline of its ops that are not completed yet */
	enum remote_call_fate fate;

	const struct remote_dialect *dialect;
	unsigned step; /* the dialect's: which request is next; starts at 0 */
	void *state;   /* the dialect's; freed by its `discard` */
	/* The dialect's, set with STEP_AGAIN: nothing of the next step is sent before. */
	int64_t not_before_us;

	struct remote_part *parts; /* of this step: `one`, or an array that the call owns */
	struct remote_part one;
	size_t part_count;
	size_t unsent;    /* the first that has not been sent: parts are sent in order */
	size_t open;      /* not answered yet */
	size_t under_way; /* PART_SENT */
	size_t waiting;   /* PART_WAITS */
	unsigned slots;
};

struct remote_call *remote_call_create(enum remote_call_kind kind);
/* Frees the call and its jobs. NULL is allowed. */
void remote_call_free(struct remote_call *call);

/* Makes the parts of the call's next step. False: out of memory. */
bool remote_call_begin_step(struct remote_call *call, const struct remote_context *context);

/* Whether an op of the call is not completed yet; true for a probe. */
bool remote_call_has_ops(const struct remote_call *call);

#endif
