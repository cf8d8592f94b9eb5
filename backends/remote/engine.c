#include "backends/remote/engine.h"

#include <stdlib.h>

#include "backends/remote/calls.h"

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- Coming in ---- */

void remote_engine_submit(struct remote_engine *engine, struct remote_job *job)
{
	(void)pthread_mutex_lock(&engine->inbox_lock);
	bool was_empty = engine->inbox.first == NULL;
	remote_job_list_push(&engine->inbox, job);
	(void)pthread_mutex_unlock(&engine->inbox_lock);
	if (was_empty)
		remote_transport_wake(engine->transport);
}

/* Lets a job wait for its call, or fails it at once where there is no point. */
static void admit(struct remote_engine *engine, struct remote_job *job, int64_t now_us)
{
	enum cache_status status = CACHE_UNAVAILABLE;
	unsigned retry_after_s = 1;
	const char *sentence = engine->last_failure;

	remote_tally_add(engine->tally, COUNT_OPS, 1);
	if (engine->breaker.is_open) {
		remote_tally_failure(engine->tally, FAILURE_REFUSED, 1);
	} else if (engine->hold_until_us > job->deadline_us) {
		remote_tally_failure(engine->tally, FAILURE_THROTTLED, 1);
		retry_after_s = (unsigned)((engine->hold_until_us - now_us) / US_PER_S + 1);
	} else {
		status = (*engine->dialect)->accepts(&engine->context, job->op);
		sentence = job->op->detail;
		retry_after_s = 0;
	}
	if (status == CACHE_OK) {
		remote_plan_add(&engine->plan, job);
		return;
	}
	remote_job_fail(job, status, sentence, retry_after_s);
	remote_job_free(job);
}

/* False: the thread shall end. */
static bool take_inbox(struct remote_engine *engine)
{
	struct remote_job_list taken;
	struct remote_job *job;

	(void)pthread_mutex_lock(&engine->inbox_lock);
	taken = engine->inbox;
	if (!taken.first)
		taken.last = &taken.first;
	remote_job_list_init(&engine->inbox);
	bool stopping = engine->stopping;
	(void)pthread_mutex_unlock(&engine->inbox_lock);
	int64_t now_us = taken.first ? monotonic_now_us() : 0;
	while ((job = remote_job_list_pop(&taken)))
		admit(engine, job, now_us);
	return !stopping;
}

/* ---- Going out ---- */

/* What was accepted for another dialect may not be for this one. */
static void check_jobs(struct remote_engine *engine, struct remote_call *call)
{
	for (struct remote_job *job = call->jobs.first; job; job = job->next) {
		enum cache_status status = call->dialect->accepts(&engine->context, job->op);

		if (status != CACHE_OK)
			remote_job_fail(job, status, job->op->detail, 0);
	}
}

static void link_call(struct remote_engine *engine, struct remote_call *call)
{
	call->engine = engine;
	call->dialect = *engine->dialect;
	call->next = engine->calls;
	engine->calls = call;
}

/* Sends what is due; when something may become due by time alone. */
static int64_t launch(struct remote_engine *engine, int64_t now_us)
{
	int64_t when_us = INT64_MAX;
	struct remote_call *call;

	if (engine->hold_until_us > now_us)
		return engine->plan.waiting.first ? engine->hold_until_us : INT64_MAX;
	if (now_us >= engine->ask_again_us)
		engine->dialect = engine->context.dialects;
	while (remote_plan_is_due(&engine->plan, engine->in_flight, engine->settings->max_in_flight,
				  now_us, &when_us) &&
	       (call = remote_plan_form_call(&engine->plan, (*engine->dialect)->joins))) {
		link_call(engine, call);
		engine->in_flight++;
		check_jobs(engine, call);
		remote_call_send(engine, call);
	}
	return when_us;
}

static int64_t probe(struct remote_engine *engine, int64_t now_us)
{
	for (int kind = 0; kind < PROBE_KINDS; kind++) {
		struct remote_call *call;

		if (!remote_breaker_take_probe(&engine->breaker, (enum remote_probe)kind, now_us))
			continue;
		call = remote_call_create(CALL_PROBE);
		if (!call) {
			remote_breaker_end_probe(&engine->breaker, (enum remote_probe)kind, now_us);
			continue;
		}
		call->probe = kind;
		call->deadline_us = now_us + (kind == PROBE_QUICK ? BREAKER_PROBE_QUICK_US
								  : engine->settings->timeout_us);
		link_call(engine, call);
		remote_call_send(engine, call);
	}
	return remote_breaker_next_us(&engine->breaker);
}

static void publish(struct remote_engine *engine)
{
	remote_tally_set(engine->tally, COUNT_IN_FLIGHT, engine->in_flight);
	remote_tally_set(engine->tally, COUNT_WAITING, engine->plan.waiting.count);
	remote_tally_set(engine->tally, COUNT_MERGED, engine->plan.merged);
	atomic_store_explicit(&engine->tally->breaker_state,
			      (int)remote_breaker_state(&engine->breaker), memory_order_relaxed);
}

static void *run(void *arg)
{
	struct remote_engine *engine = arg;

	while (take_inbox(engine)) {
		int64_t now_us = monotonic_now_us();
		uint64_t expired = 0;
		int64_t next_us = remote_plan_expire(&engine->plan, now_us, &expired);

		remote_tally_failure(engine->tally, FAILURE_EXPIRED, expired);
		next_us = earlier(next_us, remote_calls_expire(engine, now_us));
		next_us = earlier(next_us, remote_calls_resume(engine, now_us));
		next_us = earlier(next_us, launch(engine, now_us));
		next_us = earlier(next_us, probe(engine, now_us));
		publish(engine);
		if (remote_transport_run(engine->transport) == 0)
			remote_transport_wait(engine->transport,
					      next_us > now_us ? next_us - now_us : 0);
	}
	return NULL;
}

/* ---- Starting and stopping ---- */

bool remote_engine_start(struct remote_engine *engine, const struct remote_context *context)
{
	*engine = (struct remote_engine){
		.context = *context,
		.settings = context->settings,
		.tally = context->tally,
		.dialect = context->dialects,
		.random = (uint64_t)monotonic_now_us() ^ (uint64_t)(uintptr_t)engine,
		.reported = FAILURE_NONE,
	};
	remote_breaker_init(&engine->breaker, BREAKER_THRESHOLD);
	remote_plan_init(&engine->plan, engine->settings->batch_size);
	remote_job_list_init(&engine->inbox);
	engine->transport = remote_transport_open(engine->settings);
	if (!engine->transport)
		return false;
	(void)pthread_mutex_init(&engine->inbox_lock, NULL);
	if (pthread_create(&engine->thread, NULL, run, engine) == 0)
		return true;
	(void)pthread_mutex_destroy(&engine->inbox_lock);
	remote_transport_close(engine->transport);
	return false;
}

void remote_engine_stop(struct remote_engine *engine)
{
	(void)pthread_mutex_lock(&engine->inbox_lock);
	engine->stopping = true;
	(void)pthread_mutex_unlock(&engine->inbox_lock);
	remote_transport_wake(engine->transport);
	(void)pthread_join(engine->thread, NULL);
	remote_transport_close(engine->transport);
	while (engine->calls) {
		struct remote_call *next = engine->calls->next;

		remote_call_free(engine->calls);
		engine->calls = next;
	}
	remote_plan_deinit(&engine->plan);
	(void)pthread_mutex_destroy(&engine->inbox_lock);
}
