#include "backends/remote/settle.h"

#include "backends/remote/tally.h"
#include "base/invariant.h"

static void give_back_slots(struct remote_engine *engine, struct remote_call *call, size_t needed)
{
	while (call->slots > needed) {
		INVARIANT(engine->in_flight > 0);
		call->slots--;
		engine->in_flight--;
	}
}

static void unlink_call(struct remote_engine *engine, const struct remote_call *call)
{
	struct remote_call **at = &engine->calls;

	while (*at && *at != call)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = call->next;
	if (!call->next)
		engine->last_call = at;
}

void remote_settle_call(struct remote_engine *engine, struct remote_call *call)
{
	size_t needed = call->under_way + (call->fate == FATE_OPEN ? call->waiting : 0);

	if (call->fate != FATE_OPEN && call->under_way == 0) {
		give_back_slots(engine, call, 0);
		unlink_call(engine, call);
		if (call->fate == FATE_BACK) {
			remote_plan_put_back(&engine->plan, call);
			return;
		}
		if (call->kind == CALL_WORK)
			remote_plan_release(&engine->plan, call);
		remote_call_free(call);
		return;
	}
	give_back_slots(engine, call, needed > 1 ? needed : 1);
}

void remote_settle_fail(struct remote_call *call, enum cache_status status, const char *sentence,
			unsigned retry_after_s)
{
	for (struct remote_job *job = call->jobs.first; job; job = job->next)
		remote_job_fail(job, status, sentence, retry_after_s);
	call->fate = FATE_OVER;
}

void remote_settle_waiting(struct remote_engine *engine)
{
	struct remote_call *next;
	struct remote_job *job;

	while ((job = remote_plan_pop(&engine->plan))) {
		remote_tally_failure(engine->context.tally, FAILURE_REFUSED, 1);
		remote_job_fail(job, CACHE_UNAVAILABLE, engine->last_failure, 1);
		remote_job_free(job);
	}
	for (struct remote_call *call = engine->calls; call; call = next) {
		next = call->next;
		if (call->kind != CALL_WORK || call->fate != FATE_OPEN ||
		    call->open == call->under_way)
			continue;
		remote_settle_fail(call, CACHE_UNAVAILABLE, engine->last_failure, 1);
		remote_settle_call(engine, call);
	}
}
