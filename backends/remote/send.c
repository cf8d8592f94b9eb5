#include "backends/remote/send.h"

#include "backends/remote/receive.h"
#include "backends/remote/settings.h"
#include "backends/remote/settle.h"
#include "backends/remote/tally.h"
#include "base/invariant.h"

void remote_send_begin(struct remote_engine *engine, struct remote_call *call)
{
	call->engine = engine;
	call->dialect = *engine->dialect;
	*engine->last_call = call;
	engine->last_call = &call->next;
	if (call->kind == CALL_WORK) {
		call->slots = 1;
		engine->in_flight++;
	}
	if (remote_call_begin_step(call, &engine->context))
		return;
	remote_settle_fail(call, CACHE_NO_MEMORY, NULL, 1);
	remote_settle_call(engine, call);
}

/* The trace of a request is that of the first of its operations that has one: one header holds
 * one. */
static const struct cache_trace *trace_of(const struct remote_call *call)
{
	for (const struct remote_job *job = call->jobs.first; job; job = job->next)
		for (const struct remote_job *each = job; each; each = each->twins)
			if (each->op && each->op->trace)
				return each->op->trace;
	return NULL;
}

/* CACHE_OK: the request is in flight. Otherwise why it is not, perhaps with a sentence. */
static enum cache_status submit(struct remote_engine *engine, struct remote_part *part,
				struct remote_request *request, const char **ret_sentence)
{
	struct remote_tally *tally = engine->context.tally;
	struct remote_call *call = part->call;
	enum cache_status status = CACHE_OK;

	if (!call->dialect->write(&engine->context, call, (size_t)(part - call->parts), request))
		status = CACHE_NO_MEMORY;
	else if (call->dialect->sign)
		status = call->dialect->sign(&engine->context, request, ret_sentence);
	if (status == CACHE_OK && (request->body.failed || request->headers.failed))
		status = CACHE_NO_MEMORY;
	if (status != CACHE_OK) {
		remote_request_deinit(request);
		return status;
	}
	remote_tally_add(tally, call->kind == CALL_PROBE ? COUNT_PROBES : COUNT_REQUESTS, 1);
	remote_tally_add(tally, COUNT_BYTES_SENT, request->body.len);
	return engine->transport->ops->submit(engine->transport, request) ? CACHE_OK
									  : CACHE_NO_MEMORY;
}

static void send_part(struct remote_engine *engine, struct remote_part *part)
{
	struct remote_call *call = part->call;
	int64_t now_us = cache_clock_now_us(engine->clock);
	const char *sentence = NULL;
	struct remote_request request = {
		.method = "POST",
		.is_repeatable = call->is_idempotent,
		.timeout_us = call->deadline_us - now_us,
		.trace = trace_of(call),
		.done = remote_receive_answer,
		.user = part,
	};

	if (!remote_call_has_ops(call)) {
		call->fate = FATE_OVER;
		return;
	}
	if (part->state == PART_WAITS)
		call->waiting--;
	else
		call->unsent++;
	part->state = PART_SENT;
	part->attempts++;
	part->sent_at_us = now_us;
	call->under_way++;
	if (part == call->parts)
		for (struct remote_job *job = call->jobs.first; job; job = job->next)
			job->is_sent = true;
	enum cache_status status = submit(engine, part, &request, &sentence);
	if (status == CACHE_OK)
		return;
	call->under_way--;
	if (call->kind == CALL_PROBE)
		remote_breaker_end_probe(&engine->breaker, (enum remote_probe)call->probe, now_us);
	remote_settle_fail(call, status, sentence, 1);
}

/* Sends the parts of `call` whose retry is due; returns when the next one is. */
static int64_t send_retries(struct remote_engine *engine, struct remote_call *call, int64_t now_us)
{
	int64_t next_us = INT64_MAX;

	for (size_t i = 0; call->waiting > 0 && i < call->unsent; i++) {
		struct remote_part *part = &call->parts[i];

		if (part->state != PART_WAITS || call->fate != FATE_OPEN)
			continue;
		if (part->retry_at_us <= now_us)
			send_part(engine, part);
		else if (part->retry_at_us < next_us)
			next_us = part->retry_at_us;
	}
	return next_us;
}

int64_t remote_send_due(struct remote_engine *engine, int64_t now_us)
{
	int64_t next_us = INT64_MAX;
	struct remote_call *next;

	for (struct remote_call *call = engine->calls; call; call = next) {
		next = call->next;
		if (call->fate == FATE_OPEN && call->not_before_us > now_us)
			next_us = earlier_us(next_us, call->not_before_us);
		else if (call->fate == FATE_OPEN && call->unsent == 0)
			send_part(engine, &call->parts[0]);
		if (call->fate == FATE_OPEN) {
			int64_t retry_us = send_retries(engine, call, now_us);

			if (retry_us < next_us)
				next_us = retry_us;
		}
		remote_settle_call(engine, call);
	}
	return next_us;
}

/* Whether `call` may have one more request in flight. */
static bool take_slot(struct remote_engine *engine, struct remote_call *call)
{
	if (call->under_way + call->waiting < call->slots)
		return true;
	if (engine->in_flight >= engine->context.settings->max_in_flight)
		return false;
	call->slots++;
	engine->in_flight++;
	return true;
}

int64_t remote_send_further(struct remote_engine *engine, int64_t now_us)
{
	int64_t next_us = INT64_MAX;
	struct remote_call *next;

	for (struct remote_call *call = engine->calls; call; call = next) {
		next = call->next;
		if (call->not_before_us > now_us)
			continue;
		if (call->fate == FATE_OPEN && call->unsent < call->part_count &&
		    engine->hold_until_us > now_us)
			next_us = engine->hold_until_us;
		while (call->fate == FATE_OPEN && call->unsent < call->part_count &&
		       next_us == INT64_MAX && take_slot(engine, call))
			send_part(engine, &call->parts[call->unsent]);
		remote_settle_call(engine, call);
	}
	return next_us;
}
