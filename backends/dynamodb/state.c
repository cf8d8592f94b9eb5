#include "backends/dynamodb/state.h"

#include <stdio.h>

#include "backends/remote/backoff.h"

void dynamodb_state_name(struct dynamodb_state *state, char ret[static 17])
{
	(void)snprintf(ret, 17, "%016llx",
		       (unsigned long long)remote_backoff_random(&state->random));
}

/* ---- Steps ---- */

enum remote_step dynamodb_call_next(struct remote_call *call, const struct dynamodb_stage *stage)
{
	dynamodb_call_of(call)->stage = stage;
	return STEP_AGAIN;
}

enum remote_step dynamodb_call_end(const struct remote_call *call)
{
	return call->open > 0 ? STEP_MORE : STEP_DONE;
}

enum remote_step dynamodb_call_again(const struct remote_context *context, struct remote_call *call,
				     const struct dynamodb_stage *stage)
{
	struct dynamodb_call *own = dynamodb_call_of(call);

	call->not_before_us =
		dynamodb_mono_us() +
		remote_backoff_us(++own->pauses,
				  remote_backoff_random(&dynamodb_state_of(context)->random));
	return dynamodb_call_next(call, stage);
}

enum remote_step dynamodb_call_fail(struct remote_call *call, enum cache_status status,
				    const char *sentence)
{
	for (struct remote_job *job = call->jobs.first; job; job = job->next)
		remote_job_fail(job, status, sentence, status == CACHE_UNAVAILABLE ? 1 : 0);
	return dynamodb_call_end(call);
}
