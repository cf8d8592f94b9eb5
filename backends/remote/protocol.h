/* How operations are put into requests and answers are read: one of these for each kind of
 * upstream.
 *
 *   d1_ops_dialect    our Worker: POST /ops, any operations in one request
 *   d1_api_dialect    the original Worker: POST /api/..., what that can do
 *
 * A call may take several requests, one after the other: `read` says whether another one follows.
 * All of it runs on the I/O thread. An op of a job may be gone (NULL) at any time; what is done for
 * it then is nobody's any more. */
#ifndef STEADYCACHE_D1_DIALECT_H
#define STEADYCACHE_D1_DIALECT_H

#include "backends/remote/job.h"
#include "backends/remote/settings.h"
#include "backends/remote/tally.h"
#include "base/buffer.h"

/* What the dialects need to know of the backend. */
struct d1_context {
	const struct d1_settings *settings;
	const struct backend_config *config;
	struct d1_tally *tally;
};

enum d1_step {
	STEP_DONE,      /* every op of the call is completed */
	STEP_AGAIN,     /* another request follows */
	STEP_BAD,       /* the answer is not one of this protocol; nothing is completed */
	STEP_NO_MEMORY, /* it could not be read; nothing is completed */
};

struct d1_dialect {
	/* CACHE_OK, or why the upstream cannot do `op`, with op->detail. */
	enum cache_status (*accepts)(const struct d1_context *context, struct cache_op *op);

	/* Whether `job` may share a request with the jobs of `call`. */
	bool (*joins)(const struct d1_call *call, const struct d1_job *job);

	/* Writes the body of the call's next request and its path behind the base URL (static). A
	 * call of kind CALL_PROBE asks whether the upstream is well. False: out of memory. */
	bool (*write)(const struct d1_context *context, struct d1_call *call, const char **ret_path,
		      struct buffer *body);

	/* Whether an answer of this status is for `read`: 200, and whatever else the upstream uses
	 * to say no. All others the engine deals with. */
	bool (*reads)(long status, struct slice body);
	enum d1_step (*read)(const struct d1_context *context, struct d1_call *call, long status,
			     struct slice body);

	/* Frees call->state. Called where that is not NULL. */
	void (*discard)(struct d1_call *call);
};

extern const struct d1_dialect d1_ops_dialect, d1_api_dialect;

#endif
