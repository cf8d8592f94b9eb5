#include "backends/remote/engine.h"

#include "backends/remote/send.h"
#include "backends/remote/settings.h"
#include "backends/remote/tally.h"
#include "base/thread.h"

/* How long operations may still take when the process is about to end. It is long, because a slow
 * upstream may have stored what a client would be told has failed, but within the server's own time
 * to stop (8 s), so that the answers can be sent. */
#define HURRY_US (6 * US_PER_S)

static const char *sentence_of(const struct remote_engine *engine, enum remote_sentence sentence)
{
	return engine->context.protocol->sentences[sentence];
}

/* ---- Coming in ---- */

void remote_engine_submit(struct remote_engine *engine, struct cache_op *op)
{
	struct remote_job *job = remote_job_create(op, cache_clock_now_us(engine->clock),
						   engine->context.settings->timeout_us);

	if (!job) {
		cache_op_complete(op, CACHE_NO_MEMORY);
		return;
	}
	job->config = engine->context.config;
	(void)pthread_mutex_lock(&engine->inbox_lock);
	bool was_empty = engine->inbox.first == NULL;
	remote_job_list_push(&engine->inbox, job);
	(void)pthread_mutex_unlock(&engine->inbox_lock);
	if (was_empty)
		engine->transport->ops->wake(engine->transport);
}

/* Lets a job wait for its call, or fails it at once if waiting is pointless. */
static void admit(struct remote_engine *engine, struct remote_job *job, int64_t now_us)
{
	struct remote_tally *tally = engine->context.tally;
	enum cache_status status = CACHE_UNAVAILABLE;
	unsigned retry_after_s = 1;
	const char *sentence = engine->last_failure;

	remote_tally_add(tally, COUNT_OPS, 1);
	if (engine->breaker.is_open) {
		remote_tally_failure(tally, FAILURE_REFUSED, 1);
	} else if (engine->hold_until_us > job->deadline_us) {
		remote_tally_failure(tally, FAILURE_THROTTLED, 1);
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

/* Takes the protocol's own ops that are due; when to ask for others. */
static int64_t take_own(struct remote_engine *engine, int64_t now_us)
{
	const struct remote_protocol *protocol = engine->context.protocol;
	int64_t next_us = INT64_MAX;
	struct cache_op *op;

	while (protocol->own_op && (op = protocol->own_op(&engine->context, now_us, &next_us))) {
		struct remote_job *job =
			remote_job_create(op, now_us, engine->context.settings->timeout_us);

		if (job)
			admit(engine, job, now_us);
		else
			cache_op_complete(op, CACHE_NO_MEMORY);
	}
	return next_us;
}

/* No accepted operation may take longer than until `limit_us`. */
static void hurry_all(struct remote_engine *engine, int64_t limit_us)
{
	remote_plan_hurry(&engine->plan, limit_us);
	for (struct remote_call *call = engine->calls; call; call = call->next) {
		if (call->kind != CALL_WORK || call->deadline_us <= limit_us)
			continue;
		call->deadline_us = limit_us;
		call->next_limit_us = earlier_us(call->next_limit_us, limit_us);
		for (struct remote_job *job = call->jobs.first; job; job = job->next)
			remote_job_hurry(job, limit_us);
	}
}

/* False: the engine must stop. */
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
	int64_t hurry_until_us = engine->hurry_until_us;
	(void)pthread_mutex_unlock(&engine->inbox_lock);
	int64_t now_us = taken.first ? cache_clock_now_us(engine->clock) : 0;
	while ((job = remote_job_list_pop(&taken)))
		admit(engine, job, now_us);
	if (hurry_until_us > 0)
		hurry_all(engine, hurry_until_us);
	return !stopping;
}

/* ---- Deadlines ---- */

/* Completes the ops of calls whose time is over; returns when to check again. */
static int64_t expire_calls(struct remote_engine *engine, int64_t now_us)
{
	const char *sentence = sentence_of(engine, SENTENCE_TIMEOUT);
	int64_t next_us = INT64_MAX;
	uint64_t expired = 0;

	for (struct remote_call *call = engine->calls; call; call = call->next) {
		if (call->next_limit_us <= now_us) {
			call->next_limit_us = INT64_MAX;
			for (struct remote_job *job = call->jobs.first; job; job = job->next)
				call->next_limit_us = earlier_us(
					call->next_limit_us,
					remote_job_expire(job, now_us, sentence, &expired));
		}
		next_us = earlier_us(next_us, call->next_limit_us);
	}
	remote_tally_failure(engine->context.tally, FAILURE_EXPIRED, expired);
	return next_us;
}

static int64_t expire_waiting(struct remote_engine *engine, int64_t now_us)
{
	uint64_t expired = 0;
	int64_t next_us = remote_plan_expire(&engine->plan, now_us,
					     sentence_of(engine, SENTENCE_TIMEOUT), &expired);

	remote_tally_failure(engine->context.tally, FAILURE_EXPIRED, expired);
	return next_us;
}

/* ---- Going out ---- */

/* A job that one dialect accepts may not be accepted by another. */
static void check_jobs(struct remote_engine *engine, struct remote_call *call)
{
	for (struct remote_job *job = call->jobs.first; job; job = job->next) {
		enum cache_status status = (*engine->dialect)->accepts(&engine->context, job->op);

		if (status != CACHE_OK)
			remote_job_fail(job, status, job->op->detail, 0);
	}
}

/* Forms the calls that are due; returns when one may become due by time alone. */
static int64_t form_calls(struct remote_engine *engine, int64_t now_us)
{
	unsigned max_in_flight = engine->context.settings->max_in_flight;
	int64_t when_us = INT64_MAX;
	struct remote_call *call;

	if (engine->hold_until_us > now_us)
		return engine->plan.waiting.first ? engine->hold_until_us : INT64_MAX;
	if (now_us >= engine->ask_again_us)
		engine->dialect = engine->context.protocol->dialects;
	while (remote_plan_is_due(&engine->plan, engine->in_flight, max_in_flight, now_us,
				  &when_us) &&
	       (call = remote_plan_form_call(&engine->plan, (*engine->dialect)->joins))) {
		check_jobs(engine, call);
		remote_send_begin(engine, call);
	}
	return when_us;
}

static int64_t form_probes(struct remote_engine *engine, int64_t now_us)
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
		call->deadline_us =
			now_us + (kind == PROBE_QUICK ? BREAKER_PROBE_QUICK_US
						      : engine->context.settings->timeout_us);
		remote_send_begin(engine, call);
	}
	return remote_breaker_next_us(&engine->breaker);
}

static void publish(struct remote_engine *engine)
{
	struct remote_tally *tally = engine->context.tally;

	remote_tally_set(tally, COUNT_IN_FLIGHT, engine->in_flight);
	remote_tally_set(tally, COUNT_WAITING, engine->plan.waiting.count);
	remote_tally_set(tally, COUNT_MERGED, engine->plan.merged);
	remote_tally_set_breaker(tally, remote_breaker_state(&engine->breaker));
}

bool remote_engine_turn(struct remote_engine *engine)
{
	if (!take_inbox(engine))
		return false;
	int64_t now_us = cache_clock_now_us(engine->clock);
	int64_t next_us = take_own(engine, now_us);
	next_us = earlier_us(next_us, expire_waiting(engine, now_us));
	next_us = earlier_us(next_us, form_calls(engine, now_us));
	next_us = earlier_us(next_us, expire_calls(engine, now_us));
	next_us = earlier_us(next_us, form_probes(engine, now_us));
	next_us = earlier_us(next_us, remote_send_due(engine, now_us));
	next_us = earlier_us(next_us, remote_send_further(engine, now_us));
	publish(engine);
	engine->transport->ops->wait(engine->transport, next_us > now_us ? next_us - now_us : 0);
	return true;
}

/* ---- Starting and stopping ---- */

void remote_engine_hurry(struct remote_engine *engine)
{
	int64_t now_us = cache_clock_now_us(engine->clock);

	(void)pthread_mutex_lock(&engine->inbox_lock);
	if (engine->hurry_until_us == 0)
		engine->hurry_until_us = now_us + HURRY_US;
	(void)pthread_mutex_unlock(&engine->inbox_lock);
	engine->transport->ops->wake(engine->transport);
}

static void *run(void *arg)
{
	while (remote_engine_turn(arg))
		;
	return NULL;
}

void remote_engine_init(struct remote_engine *engine, const struct remote_context *context,
			struct remote_transport *transport, const struct cache_clock *clock)
{
	const struct remote_protocol *protocol = context->protocol;

	*engine = (struct remote_engine){
		.context = *context,
		.transport = transport,
		.clock = clock,
		.dialect = protocol->dialects,
		.random = (uint64_t)cache_clock_now_us(clock) ^ (uint64_t)(uintptr_t)engine,
		.reported = FAILURE_NONE,
	};
	engine->last_call = &engine->calls;
	remote_breaker_init(&engine->breaker, BREAKER_THRESHOLD);
	remote_plan_init(&engine->plan, &(struct remote_plan_limits){
						.items = context->settings->batch_size,
						.ops = protocol->merged_ops_max,
						.bytes = protocol->merged_bytes_max,
						.merges_from = protocol->merges_from,
						.window_us = protocol->merge_window_us,
					});
	remote_job_list_init(&engine->inbox);
	(void)pthread_mutex_init(&engine->inbox_lock, NULL);
}

bool remote_engine_start(struct remote_engine *engine)
{
	engine->has_thread = thread_start(&engine->thread, NULL, run, engine) == 0;
	return engine->has_thread;
}

void remote_engine_stop(struct remote_engine *engine)
{
	if (engine->has_thread) {
		(void)pthread_mutex_lock(&engine->inbox_lock);
		engine->stopping = true;
		(void)pthread_mutex_unlock(&engine->inbox_lock);
		engine->transport->ops->wake(engine->transport);
		(void)pthread_join(engine->thread, NULL);
	}
	engine->transport->ops->close(engine->transport);
	while (engine->calls) {
		struct remote_call *next = engine->calls->next;

		remote_call_free(engine->calls);
		engine->calls = next;
	}
	struct remote_job *job;
	while ((job = remote_plan_pop(&engine->plan))) /* the protocol's own */
		remote_job_free(job);
	remote_plan_deinit(&engine->plan);
	(void)pthread_mutex_destroy(&engine->inbox_lock);
}
