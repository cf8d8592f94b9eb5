/* What a backend that asks another server provides: how to put operations into requests and how to
 * read answers. The engine does everything else (waiting, merging, order, retries, deadlines, the
 * breaker). docs/internals/remote.md tells how to write one.
 *
 * Everything runs on the I/O thread and must not block. An op of a job may be gone (NULL) at any
 * time; results for it are then ignored. */
#ifndef STEADYCACHE_REMOTE_PROTOCOL_H
#define STEADYCACHE_REMOTE_PROTOCOL_H

#include "backends/remote/call.h"
#include "backends/remote/request.h"
#include "backends/remote/verdict.h"

struct remote_protocol;

/* What dialects may need of the backend. */
struct remote_context {
	const struct remote_protocol *protocol;
	const struct remote_settings *settings;
	const struct backend_config *config;
	struct remote_tally *tally;
	struct remote_namespaces *namespaces;
	struct remote_details *details;
	void *user; /* the protocol's own, such as keys to sign with */
};

enum remote_step {
	STEP_MORE,      /* the answer was used; others of this step are still to come */
	STEP_DONE,      /* every op of the call is completed */
	STEP_AGAIN,     /* another step follows */
	STEP_BAD,       /* the answer does not follow this protocol */
	STEP_NO_MEMORY, /* the answer could not be read */
};

/* One way to speak to the upstream. */
struct remote_dialect {
	/* CACHE_OK, or why the upstream cannot do `op`, with op->detail. */
	enum cache_status (*accepts)(const struct remote_context *context, struct cache_op *op);

	/* Whether `job` may share a call with the jobs of `call`. */
	bool (*joins)(const struct remote_call *call, const struct remote_job *job);

	/* How many requests the call's next step has, at least 1; they are sent at once as far as
	 * max_in_flight allows. NULL: always one. Not called for a probe, which has one. */
	size_t (*parts)(const struct remote_context *context, const struct remote_call *call);

	/* Writes request number `part` of the call's step: its path, which must stay valid until
	 * the submit (static, or in call->state), its body, and everything else that differs from a
	 * POST without headers of its own. A call of kind CALL_PROBE asks whether the upstream is
	 * well. Called again for a retry. False: out of memory. */
	bool (*write)(const struct remote_context *context, struct remote_call *call, size_t part,
		      struct remote_request *request);

	/* Signs what `write` wrote, at each try. CACHE_OK, or why it cannot, with a sentence as
	 * long-lived as the backend or NULL: the call then fails and nothing is sent. May be
	 * NULL. */
	enum cache_status (*sign)(const struct remote_context *context,
				  struct remote_request *request, const char **ret_sentence);

	/* Whether an answer says that the upstream does not speak this dialect: the jobs go into
	 * calls of the next one, and this one is tried again after a while. Called only for steps
	 * of one part. NULL: it always speaks it. */
	bool (*is_foreign)(const struct remote_answer *answer);

	/* Whether an answer is for `read`. The verdict decides about all others. */
	bool (*reads)(const struct remote_answer *answer);

	/* Uses the answer to request number `part`. While call->open > 0 (more answers are to come)
	 * it returns STEP_MORE; at the last one STEP_DONE or STEP_AGAIN. With STEP_BAD and
	 * STEP_NO_MEMORY this answer must not have completed anything, and the engine fails the ops
	 * that are left. */
	enum remote_step (*read)(const struct remote_context *context, struct remote_call *call,
				 size_t part, const struct remote_answer *answer);

	/* Frees call->state. Called if that is not NULL. */
	void (*discard)(struct remote_call *call);
};

struct remote_transport;

struct remote_protocol {
	const char *name; /* of the upstream, with which notices begin */

	/* In order of preference, NULL at the end. */
	const struct remote_dialect *const *dialects;

	const char *const *sentences; /* [REMOTE_SENTENCES], for verdicts */
	/* What an answer that is not for `read` means, or a request without an answer. NULL: what
	 * it means in HTTP (remote_verdict_http). */
	struct remote_verdict (*judge)(const struct remote_context *context,
				       enum remote_failure failure,
				       const struct remote_answer *answer);

	/* With so many calls in flight, what comes waits for company for merge_window_us, or until
	 * one of them ends; 0 of either: one, and MERGE_WINDOW_US. */
	unsigned merges_from;
	int64_t merge_window_us;

	/* An op of the protocol's own that is due at `now_us` (monotonic), which goes the way of
	 * all others; asked again in the same turn. NULL: none is, and *ret_next_us says when to
	 * ask at the latest. NULL: there never is one. */
	struct cache_op *(*own_op)(const struct remote_context *context, int64_t now_us,
				   int64_t *ret_next_us);

	/* Merging stops at this many ops and bytes in a call; a single op may be larger. */
	size_t merged_ops_max, merged_bytes_max;

	/* NULL: out of memory or descriptors. Settings and protocol outlive the transport; `user`
	 * is that of the context. */
	struct remote_transport *(*open_transport)(const struct remote_settings *settings,
						   const struct remote_protocol *protocol,
						   void *user);
	/* For the transport: header lines of every request, NULL at the end, and the largest answer
	 * that is read. */
	const char *const *headers;
	size_t answer_max_bytes;
};

#endif
