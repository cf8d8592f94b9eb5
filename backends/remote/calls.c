#include "backends/remote/calls.h"

#include <stdio.h>

#include "backends/remote/backoff.h"
#include "backends/remote/verdict.h"

/* How long an upstream that did not speak the first dialect is not asked in it again. */
#define ASK_AGAIN_US (60 * US_PER_S)
/* However long an upstream asks us to stay away, we look after it once in this time. */
#define HOLD_MAX_US (60 * US_PER_S)

static void notice(const struct remote_engine *engine, enum notice_level level, const char *format,
		   const char *sentence)
{
	const struct backend_config *config = engine->context.config;
	char text[300];

	if (!config->notice)
		return;
		/* The formats are the literals below. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(text, sizeof(text), format, sentence);
#pragma GCC diagnostic pop
	config->notice(config->notice_user, level, text);
}

/* ---- The end ---- */

static void end_call(struct remote_engine *engine, struct remote_call *call)
{
	struct remote_call **at = &engine->calls;

	while (*at && *at != call)
		at = &(*at)->next;
	if (*at)
		*at = call->next;
	if (call->kind == CALL_WORK) {
		engine->in_flight--;
		remote_plan_release(&engine->plan, call);
	}
	remote_call_free(call);
}

void remote_call_fail(struct remote_engine *engine, struct remote_call *call,
		      enum cache_status status, const char *sentence, unsigned retry_after_s)
{
	for (struct remote_job *job = call->jobs.first; job; job = job->next)
		remote_job_fail(job, status, sentence, retry_after_s);
	end_call(engine, call);
}

void remote_calls_fail_waiting(struct remote_engine *engine)
{
	struct remote_call *next;
	struct remote_job *job;

	while ((job = remote_plan_pop(&engine->plan))) {
		remote_tally_failure(engine->tally, FAILURE_REFUSED, 1);
		remote_job_fail(job, CACHE_UNAVAILABLE, engine->last_failure, 1);
		remote_job_free(job);
	}
	for (struct remote_call *call = engine->calls; call; call = next) {
		next = call->next;
		if (call->retry_at_us > 0)
			remote_call_fail(engine, call, CACHE_UNAVAILABLE, engine->last_failure, 1);
	}
}

/* ---- What an answer says of the upstream ---- */

static void upstream_is_well(struct remote_engine *engine)
{
	if (remote_breaker_success(&engine->breaker))
		notice(engine, NOTICE_INFO, "d1: the upstream answers again%s", "");
	engine->reported = FAILURE_NONE;
}

static void upstream_failed(struct remote_engine *engine, const struct remote_verdict *verdict)
{
	engine->last_failure = verdict->sentence;
	remote_tally_failure(engine->tally, verdict->failure, 1);
	if (!verdict->is_outage) {
		(void)remote_breaker_success(&engine->breaker);
	} else if (remote_breaker_failure(&engine->breaker, monotonic_now_us())) {
		remote_tally_add(engine->tally, COUNT_OPENED, 1);
		notice(engine, NOTICE_ERROR,
		       "d1: %s; operations fail at once until the upstream answers",
		       verdict->sentence);
		remote_calls_fail_waiting(engine);
	}
	/* What only the operator can mend is told once. */
	if ((verdict->failure == FAILURE_AUTH || verdict->failure == FAILURE_TLS ||
	     verdict->failure == FAILURE_STATUS) &&
	    engine->reported != verdict->failure) {
		engine->reported = verdict->failure;
		notice(engine, NOTICE_ERROR, "d1: %s", verdict->sentence);
	}
}

/* ---- Answers ---- */

static unsigned whole_seconds(int64_t us)
{
	return us > 0 ? (unsigned)((us + US_PER_S - 1) / US_PER_S) : 0;
}

/* Sets the call up for another try, if it deserves one and there is time. What has no time left
 * until then fails now. */
static bool retry_later(struct remote_engine *engine, struct remote_call *call,
			const struct remote_verdict *verdict, const struct remote_answer *answer,
			int64_t now_us)
{
	int64_t wait_us = remote_backoff_us(call->attempts, remote_backoff_random(&engine->random));
	int64_t asked_us = answer->retry_after_s > 0 ? answer->retry_after_s * US_PER_S : 0;

	if (wait_us < asked_us)
		wait_us = asked_us;
	if (!verdict->may_retry || engine->breaker.is_open ||
	    call->attempts > engine->settings->retries ||
	    (!call->is_idempotent && answer->reached) || now_us + wait_us >= call->deadline_us)
		return false;
	call->retry_at_us = now_us + wait_us;
	for (struct remote_job *job = call->jobs.first; job; job = job->next)
		if (job->deadline_us <= call->retry_at_us)
			remote_job_fail(job, verdict->status, verdict->sentence,
					whole_seconds(asked_us));
	remote_tally_add(engine->tally, COUNT_RETRIES, 1);
	return true;
}

static void hold(struct remote_engine *engine, const struct remote_answer *answer, int64_t now_us)
{
	int64_t asked_us = answer->retry_after_s > 0 ? answer->retry_after_s * US_PER_S : 0;

	if (asked_us > HOLD_MAX_US)
		asked_us = HOLD_MAX_US;
	if (engine->hold_until_us < now_us + asked_us)
		engine->hold_until_us = now_us + asked_us;
}

static void call_failed(struct remote_engine *engine, struct remote_call *call,
			const struct remote_answer *answer, enum remote_failure failure)
{
	struct remote_verdict verdict = remote_verdict_of(failure, answer->status);
	int64_t now_us = monotonic_now_us();
	unsigned retry_after_s = answer->retry_after_s > 0 ? (unsigned)answer->retry_after_s : 0;

	upstream_failed(engine, &verdict);
	if (verdict.failure == FAILURE_THROTTLED)
		hold(engine, answer, now_us);
	if (!retry_later(engine, call, &verdict, answer, now_us))
		remote_call_fail(engine, call, verdict.status, verdict.sentence, retry_after_s);
}

/* The jobs of a call whose dialect the upstream does not speak wait for a call in the next one. */
static void speak_otherwise(struct remote_engine *engine, struct remote_call *call)
{
	struct remote_call **at = &engine->calls;

	upstream_is_well(engine);
	if (call->dialect == *engine->dialect && engine->dialect[1])
		engine->dialect++;
	engine->ask_again_us = monotonic_now_us() + ASK_AGAIN_US;
	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	engine->in_flight--;
	remote_plan_put_back(&engine->plan, call);
}

static void probe_answered(struct remote_engine *engine, struct remote_call *call,
			   const struct remote_answer *answer)
{
	struct remote_verdict verdict = remote_verdict_of(answer->failure, answer->status);

	remote_breaker_end_probe(&engine->breaker, (enum remote_probe)call->probe,
				 monotonic_now_us());
	if (answer->failure == FAILURE_NONE && (answer->status == 200 || !verdict.is_outage))
		upstream_is_well(engine);
	else
		engine->last_failure = verdict.sentence;
	end_call(engine, call);
}

static void call_answered(void *user, struct remote_answer *answer)
{
	struct remote_call *call = user;
	struct remote_engine *engine = call->engine;
	enum remote_failure failure = answer->failure;
	struct slice body = buffer_bytes(&answer->body);

	call->transfer = NULL;
	remote_tally_add(engine->tally, COUNT_BYTES_RECEIVED, body.len);
	if (call->kind == CALL_PROBE) {
		probe_answered(engine, call, answer);
		return;
	}
	if (failure == FAILURE_NONE) {
		remote_tally_latency(engine->tally, monotonic_now_us() - call->sent_at_us);
		if (call->dialect->is_foreign && call->dialect->is_foreign(answer->status)) {
			speak_otherwise(engine, call);
			return;
		}
	}
	if (failure == FAILURE_NONE && call->dialect->reads(answer->status, body)) {
		switch (call->dialect->read(&engine->context, call, answer->status, body)) {
		case STEP_DONE:
			upstream_is_well(engine);
			end_call(engine, call);
			return;
		case STEP_AGAIN:
			upstream_is_well(engine);
			call->attempts = 0;
			remote_call_send(engine, call);
			return;
		case STEP_NO_MEMORY:
			upstream_is_well(engine);
			remote_call_fail(engine, call, CACHE_NO_MEMORY, NULL, 1);
			return;
		case STEP_BAD:
			failure = FAILURE_BAD_ANSWER;
			break;
		}
	}
	call_failed(engine, call, answer, failure);
}

/* ---- Requests ---- */

static bool has_ops(const struct remote_call *call)
{
	for (const struct remote_job *job = call->jobs.first; job; job = job->next)
		if (job->op)
			return true;
	return call->kind == CALL_PROBE;
}

/* Of the operations that share a request the first that has a trace names it: one header holds one.
 */
static const struct cache_trace *trace_of(const struct remote_call *call)
{
	for (const struct remote_job *job = call->jobs.first; job; job = job->next)
		for (const struct remote_job *each = job; each; each = each->twins)
			if (each->op && each->op->trace)
				return each->op->trace;
	return NULL;
}

void remote_call_send(struct remote_engine *engine, struct remote_call *call)
{
	struct remote_request request = {
		.is_repeatable = call->is_idempotent,
		.trace = trace_of(call),
		.done = call_answered,
		.user = call,
	};

	call->retry_at_us = 0;
	if (!has_ops(call)) {
		end_call(engine, call);
		return;
	}
	call->sent_at_us = monotonic_now_us();
	call->attempts++;
	request.timeout_us = call->deadline_us - call->sent_at_us;
	if (call->dialect->write(&engine->context, call, &request.path, &request.body)) {
		remote_tally_add(engine->tally,
				 call->kind == CALL_PROBE ? COUNT_PROBES : COUNT_REQUESTS, 1);
		remote_tally_add(engine->tally, COUNT_BYTES_SENT, request.body.len);
		call->transfer = remote_transport_start(engine->transport, &request);
	} else {
		buffer_deinit(&request.body);
	}
	if (call->transfer)
		return;
	if (call->kind == CALL_PROBE)
		remote_breaker_end_probe(&engine->breaker, (enum remote_probe)call->probe,
					 call->sent_at_us);
	remote_call_fail(engine, call, CACHE_NO_MEMORY, NULL, 1);
}

int64_t remote_calls_expire(struct remote_engine *engine, int64_t now_us)
{
	int64_t next_us = INT64_MAX;
	uint64_t expired = 0;

	for (struct remote_call *call = engine->calls; call; call = call->next) {
		if (call->next_limit_us <= now_us) {
			call->next_limit_us = INT64_MAX;
			for (struct remote_job *job = call->jobs.first; job; job = job->next) {
				int64_t limit_us = remote_job_expire(job, now_us, &expired);

				if (limit_us < call->next_limit_us)
					call->next_limit_us = limit_us;
			}
		}
		if (call->next_limit_us < next_us)
			next_us = call->next_limit_us;
	}
	remote_tally_failure(engine->tally, FAILURE_EXPIRED, expired);
	return next_us;
}

int64_t remote_calls_resume(struct remote_engine *engine, int64_t now_us)
{
	int64_t next_us = INT64_MAX;
	struct remote_call *next;

	for (struct remote_call *call = engine->calls; call; call = next) {
		next = call->next;
		if (call->retry_at_us == 0)
			continue;
		if (call->retry_at_us <= now_us)
			remote_call_send(engine, call);
		else if (call->retry_at_us < next_us)
			next_us = call->retry_at_us;
	}
	return next_us;
}
