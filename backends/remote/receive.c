#include "backends/remote/receive.h"

#include "backends/remote/backoff.h"
#include "backends/remote/settings.h"
#include "backends/remote/settle.h"
#include "backends/remote/tally.h"
#include "base/invariant.h"
#include "store/notice.h"

/* How long to wait before the first dialect is tried again on an upstream that did not speak it. */
#define ASK_AGAIN_US (60 * US_PER_S)
/* However long an upstream asks us to stay away, it is checked once in this time. */
#define HOLD_MAX_US (60 * US_PER_S)

/* ---- What an answer says of the upstream ---- */

static void notice(const struct remote_engine *engine, enum notice_level level,
		   const char *sentence, const char *more)
{
	notice_send(engine->context.config, level, "%s: %s%s", engine->context.protocol->name,
		    sentence, more);
}

static struct remote_verdict judge(const struct remote_engine *engine, enum remote_failure failure,
				   const struct remote_answer *answer)
{
	const struct remote_protocol *protocol = engine->context.protocol;

	if (protocol->judge)
		return protocol->judge(&engine->context, failure, answer);
	return remote_verdict_http(protocol->sentences, failure, answer->status);
}

static void upstream_is_well(struct remote_engine *engine)
{
	if (remote_breaker_success(&engine->breaker))
		notice(engine, NOTICE_INFO, "the upstream answers again", "");
	engine->reported = FAILURE_NONE;
}

/* True if this opened the breaker. */
static bool count_outage(struct remote_engine *engine, enum remote_failure failure, int64_t sent_us)
{
	struct remote_breaker *breaker = &engine->breaker;
	int64_t now_us = cache_clock_now_us(engine->clock);

	return failure == FAILURE_RESET ? remote_breaker_broke_off(breaker, sent_us, now_us)
					: remote_breaker_failure(breaker, now_us);
}

static void upstream_failed(struct remote_engine *engine, const struct remote_verdict *verdict,
			    int64_t sent_us, bool is_partial)
{
	struct remote_tally *tally = engine->context.tally;

	engine->last_failure = verdict->sentence;
	remote_tally_failure(tally, verdict->failure, 1);
	if (!verdict->is_outage) {
		(void)remote_breaker_success(&engine->breaker);
	} else if (!is_partial && count_outage(engine, verdict->failure, sent_us)) {
		remote_tally_add(tally, COUNT_OPENED, 1);
		notice(engine, NOTICE_ERROR, verdict->sentence,
		       "; operations fail at once until the upstream answers");
		remote_settle_waiting(engine);
	}
	/* A fault that only the operator can correct is reported once. */
	if ((verdict->failure == FAILURE_AUTH || verdict->failure == FAILURE_TLS ||
	     verdict->failure == FAILURE_STATUS) &&
	    engine->reported != verdict->failure) {
		engine->reported = verdict->failure;
		notice(engine, NOTICE_ERROR, verdict->sentence, "");
	}
}

/* ---- Failures ---- */

static unsigned whole_seconds(int64_t us)
{
	return us > 0 ? (unsigned)((us + US_PER_S - 1) / US_PER_S) : 0;
}

static int64_t asked_us_of(const struct remote_answer *answer)
{
	return answer->retry_after_s > 0 ? answer->retry_after_s * US_PER_S : 0;
}

/* Prepares the part for another try, if the verdict allows it and there is time. Ops whose time
 * would be over by then fail now. */
static bool retry_later(struct remote_engine *engine, struct remote_part *part,
			const struct remote_verdict *verdict, const struct remote_answer *answer,
			int64_t now_us)
{
	struct remote_call *call = part->call;
	int64_t wait_us = remote_backoff_us(part->attempts, remote_backoff_random(&engine->random));
	int64_t asked_us = asked_us_of(answer);

	if (wait_us < asked_us)
		wait_us = asked_us;
	if (!verdict->may_retry || engine->breaker.is_open ||
	    part->attempts > engine->context.settings->retries ||
	    (!call->is_idempotent && answer->reached && !verdict->did_nothing) ||
	    now_us + wait_us >= call->deadline_us)
		return false;
	part->retry_at_us = now_us + wait_us;
	part->state = PART_WAITS;
	call->waiting++;
	for (struct remote_job *job = call->jobs.first; job; job = job->next)
		if (job->deadline_us <= part->retry_at_us)
			remote_job_fail(job, verdict->status, verdict->sentence,
					whole_seconds(asked_us));
	remote_tally_add(engine->context.tally, COUNT_RETRIES, 1);
	return true;
}

static void hold(struct remote_engine *engine, const struct remote_answer *answer, int64_t now_us)
{
	int64_t asked_us = asked_us_of(answer);

	if (asked_us > HOLD_MAX_US)
		asked_us = HOLD_MAX_US;
	if (engine->hold_until_us < now_us + asked_us)
		engine->hold_until_us = now_us + asked_us;
}

static void part_failed(struct remote_engine *engine, struct remote_part *part,
			const struct remote_answer *answer, enum remote_failure failure)
{
	struct remote_call *call = part->call;
	struct remote_verdict verdict = judge(engine, failure, answer);
	int64_t now_us = cache_clock_now_us(engine->clock);
	unsigned retry_after_s = answer->retry_after_s > 0 ? (unsigned)answer->retry_after_s : 0;

	upstream_failed(engine, &verdict, part->sent_at_us, answer->is_partial);
	if (verdict.failure == FAILURE_THROTTLED)
		hold(engine, answer, now_us);
	call->under_way--;
	part->state = PART_ANSWERED;
	if (call->fate == FATE_OPEN && !retry_later(engine, part, &verdict, answer, now_us))
		remote_settle_fail(call, verdict.status, verdict.sentence, retry_after_s);
}

/* ---- Answers ---- */

/* The jobs of a call whose dialect the upstream does not speak wait for a call in the next one. */
static void speak_otherwise(struct remote_engine *engine, struct remote_call *call)
{
	if (call->dialect == *engine->dialect && engine->dialect[1])
		engine->dialect++;
	engine->ask_again_us = cache_clock_now_us(engine->clock) + ASK_AGAIN_US;
	call->fate = FATE_BACK;
}

static bool is_foreign(const struct remote_call *call, const struct remote_answer *answer)
{
	return call->part_count == 1 && call->dialect->is_foreign &&
	       call->dialect->is_foreign(answer);
}

/* Lets the dialect read an answer that is for it. False: it does not follow the protocol. */
static bool read_answer(struct remote_engine *engine, struct remote_part *part,
			const struct remote_answer *answer)
{
	struct remote_call *call = part->call;
	const struct remote_context *context = &engine->context;

	call->open--;
	enum remote_step step =
		call->dialect->read(context, call, (size_t)(part - call->parts), answer);
	if (step == STEP_BAD) {
		call->open++;
		return false;
	}
	INVARIANT(step == STEP_NO_MEMORY || (step == STEP_MORE) == (call->open > 0));
	call->under_way--;
	part->state = PART_ANSWERED;
	if (step == STEP_DONE)
		call->fate = FATE_OVER;
	else if (step == STEP_NO_MEMORY ||
		 (step == STEP_AGAIN && !remote_call_begin_step(call, context)))
		remote_settle_fail(call, CACHE_NO_MEMORY, NULL, 1);
	return true;
}

/* An answer to a call whose fate was decided meanwhile only shows how the upstream is. */
static void work_answered(struct remote_engine *engine, struct remote_part *part,
			  const struct remote_answer *answer)
{
	struct remote_call *call = part->call;
	bool is_late = call->fate != FATE_OPEN;
	enum remote_failure failure = answer->failure;
	bool is_well = false;

	if (failure == FAILURE_NONE) {
		remote_tally_latency(engine->context.tally,
				     cache_clock_now_us(engine->clock) - part->sent_at_us);
		if (!is_late && is_foreign(call, answer)) {
			speak_otherwise(engine, call);
			call->under_way--;
			is_well = true;
		} else if (is_late && call->dialect->reads(answer)) {
			call->under_way--;
			is_well = true;
		} else if (call->dialect->reads(answer)) {
			is_well = read_answer(engine, part, answer);
			failure = FAILURE_BAD_ANSWER;
		}
	}
	if (is_well)
		upstream_is_well(engine);
	else
		part_failed(engine, part, answer, failure);
}

static void probe_answered(struct remote_engine *engine, struct remote_call *call,
			   const struct remote_answer *answer)
{
	struct remote_verdict verdict = judge(engine, answer->failure, answer);

	remote_breaker_end_probe(&engine->breaker, (enum remote_probe)call->probe,
				 cache_clock_now_us(engine->clock));
	if (answer->failure == FAILURE_NONE && !verdict.is_outage)
		upstream_is_well(engine);
	else
		engine->last_failure = verdict.sentence;
	call->under_way--;
	call->fate = FATE_OVER;
}

void remote_receive_answer(void *user, struct remote_answer *answer)
{
	struct remote_part *part = user;
	struct remote_call *call = part->call;
	struct remote_engine *engine = call->engine;

	INVARIANT(part->state == PART_SENT && call->under_way > 0);
	remote_tally_add(engine->context.tally, COUNT_BYTES_RECEIVED,
			 answer->body.len + answer->native_bytes);
	if (call->kind == CALL_PROBE)
		probe_answered(engine, call, answer);
	else
		work_answered(engine, part, answer);
	remote_settle_call(engine, call);
}
