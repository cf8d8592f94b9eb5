/* How operations are put into requests and answers are read: a protocol is one or more dialects,
 * in order of preference.
 *
 * A call may take several requests, one after the other: `read` says whether another one follows.
 * All of it runs on the I/O thread. An op of a job may be gone (NULL) at any time; what is done for
 * it then is nobody's any more. */
#ifndef STEADYCACHE_REMOTE_DIALECT_H
#define STEADYCACHE_REMOTE_DIALECT_H

#include "backends/remote/job.h"
#include "backends/remote/settings.h"
#include "backends/remote/tally.h"
#include "base/buffer.h"

/* What the dialects need to know of the backend. */
struct remote_context {
	const struct remote_settings *settings;
	const struct backend_config *config;
	struct remote_tally *tally;
	const struct remote_dialect *const *dialects; /* in order of preference, NULL at the end */
};

enum remote_step {
	STEP_DONE,      /* every op of the call is completed */
	STEP_AGAIN,     /* another request follows */
	STEP_BAD,       /* the answer is not one of this protocol; nothing is completed */
	STEP_NO_MEMORY, /* it could not be read; nothing is completed */
};

struct remote_dialect {
	/* CACHE_OK, or why the upstream cannot do `op`, with op->detail. */
	enum cache_status (*accepts)(const struct remote_context *context, struct cache_op *op);

	/* Whether `job` may share a request with the jobs of `call`. */
	bool (*joins)(const struct remote_call *call, const struct remote_job *job);

	/* Writes the body of the call's next request and its path behind the base URL (static). A
	 * call of kind CALL_PROBE asks whether the upstream is well. False: out of memory. */
	bool (*write)(const struct remote_context *context, struct remote_call *call,
		      const char **ret_path, struct buffer *body);

	/* Whether an answer says that the upstream does not speak this dialect: the next one is
	 * tried, and this one again after a while. May be NULL. */
	bool (*is_foreign)(long status);

	/* Whether an answer of this status is for `read`: 200, and whatever else the upstream uses
	 * to say no. All others the engine deals with. */
	bool (*reads)(long status, struct slice body);
	enum remote_step (*read)(const struct remote_context *context, struct remote_call *call,
				 long status, struct slice body);

	/* Frees call->state. Called where that is not NULL. */
	void (*discard)(struct remote_call *call);
};

#endif
