#include "backends/large/s3/call.h"

#include <stdlib.h>
#include <string.h>

#include "backends/aws/sigv4.h"
#include "backends/large/s3/wire.h"
#include "backends/remote/backoff.h"
#include "base/clock.h"

/* Bodies beyond this are sent when the store asks for them. */
#define ASK_BYTES ((uint64_t)1 << 20)
/* How often a patient call looks whether the breaker has closed. */
#define LOOK_US (US_PER_S / 20)

static struct s3_call *call_of_exchange(struct s3_exchange *exchange)
{
	return (struct s3_call *)((char *)exchange - offsetof(struct s3_call, exchange));
}

static struct s3_call *call_of_timer(struct s3_timer *timer)
{
	return (struct s3_call *)((char *)timer - offsetof(struct s3_call, timer));
}

static void publish(struct s3_store *store)
{
	atomic_store_explicit(&store->breaker_state, remote_breaker_state(&store->breaker),
			      memory_order_relaxed);
	atomic_store_explicit(&store->in_flight, store->io.line.in_flight, memory_order_relaxed);
	atomic_store_explicit(&store->waiting, store->io.line.waiting, memory_order_relaxed);
}

/* ---- What an end means ---- */

static void tell_breaker(struct s3_call *call, const struct s3_verdict *verdict)
{
	struct s3_store *store = call->store;
	bool opened = false;

	if (verdict->failure == FAILURE_RESET)
		opened = remote_breaker_broke_off(&store->breaker, call->exchange.started_us,
						  store->io.now_us);
	else if (verdict->is_outage)
		opened = remote_breaker_failure(&store->breaker, store->io.now_us);
	else if (call->exchange.outcome.status > 0)
		(void)remote_breaker_success(&store->breaker);
	if (opened) {
		s3_count(store, S3_COUNT_OPENED, 1);
		s3_timer_set(&store->io, &store->probe_timer, store->io.now_us);
	}
	publish(store);
}

void s3_call_count(struct s3_call *call, const struct s3_verdict *verdict)
{
	if (verdict->failure < FAILURE_KINDS)
		(void)atomic_fetch_add_explicit(&call->store->failures[verdict->failure], 1,
						memory_order_relaxed);
}

/* It is under way no more. Its query is the caller's. */
static struct buffer take_out(struct s3_call *call)
{
	struct s3_store *store = call->store;
	struct buffer query = call->query;

	s3_timer_clear(&store->io, &call->timer);
	call->is_under_way = false;
	call->query = (struct buffer){0};
	if (call->previous)
		call->previous->next = call->next;
	else
		store->first_call = call->next;
	if (call->next)
		call->next->previous = call->previous;
	publish(store);
	return query;
}

static void end(struct s3_call *call, const struct s3_verdict *of)
{
	struct s3_verdict verdict = *of; /* it may be in the call */
	struct buffer query = take_out(call);

	call->done(call, &verdict);
	buffer_deinit(&query);
}

/* A verdict on what was not sent. */
static struct s3_verdict refused(const struct s3_call *call)
{
	struct s3_verdict verdict = {
		.status = CACHE_UNAVAILABLE,
		.sentence = "the object store did not answer the last requests; the next is sent "
			    "as soon as it does",
		.failure = FAILURE_REFUSED,
		.retry_after_s = 1,
	};

	if (call->last.sentence) {
		verdict.status = call->last.status;
		verdict.sentence = call->last.sentence;
	}
	return verdict;
}

static bool is_in_time(const struct s3_call *call, int64_t at_us)
{
	return at_us < call->until_us && at_us < call->store->hurry_until_us;
}

/* Tries again if that makes sense; else the end. */
static void settle(struct s3_call *call, const struct s3_verdict *verdict)
{
	struct s3_store *store = call->store;
	int64_t at_us = store->io.now_us +
			remote_backoff_us(call->tries, remote_backoff_random(&store->io.random));

	if (verdict->retry_after_s > 0)
		at_us = store->io.now_us + (int64_t)verdict->retry_after_s * US_PER_S;
	bool may = verdict->may_retry && !call->is_probe && is_in_time(call, at_us) &&
		   (call->is_patient || call->tries < S3_TRIES);
	if (!may) {
		end(call, verdict);
		return;
	}
	call->last = *verdict;
	s3_timer_set(&store->io, &call->timer, at_us);
}

/* s3_exchange.done */
static void on_done(struct s3_exchange *exchange)
{
	struct s3_call *call = call_of_exchange(exchange);
	struct s3_store *store = call->store;
	struct s3_verdict verdict;

	if (call->refusal)
		verdict = (struct s3_verdict){.status = CACHE_UNAVAILABLE,
					      .sentence = call->refusal,
					      .failure = FAILURE_AUTH};
	else
		verdict = s3_verdict_of(&exchange->outcome, &store->details);
	if (call->len > 0)
		s3_count(store, S3_COUNT_SENT, exchange->sent_bytes);
	if (verdict.is_refused)
		aws_credentials_refused(store->credentials);
	/* A receiver that has heard enough is no failure of the store. */
	if (exchange->ends) {
		verdict.may_retry = false;
	} else {
		s3_call_count(call, &verdict);
		tell_breaker(call, &verdict);
	}
	/* A long one has its time for each byte, and so for each of its first tries. */
	if (call->is_long && !exchange->outcome.is_late && call->tries < S3_TRIES)
		call->until_us = store->io.now_us + store->timeout_us;
	settle(call, &verdict);
}

/* ---- The way there ---- */

/* s3_exchange.prepare */
static bool on_prepare(struct s3_exchange *exchange, struct s3_message *ret)
{
	struct s3_call *call = call_of_exchange(exchange);
	struct buffer lines = {0};
	struct s3_line_of_request request = {
		.method = call->method,
		.key = call->key,
		.query = buffer_bytes(&call->query),
		.payload_hash = call->payload_hash ? call->payload_hash : SIGV4_EMPTY_HASH,
		/* A refusal of a long body is heard before all of it is sent. */
		.asks_first = call->len > ASK_BYTES,
	};
	bool is_ready;

	s3_count(call->store, S3_COUNT_REQUESTS, 1);
	s3_count(call->store, S3_COUNT_RETRIES, call->tries > 1);
	if (call->add_headers)
		call->add_headers(call, &lines);
	request.headers = buffer_bytes(&lines);
	is_ready = !lines.failed && !call->query.failed &&
		   s3_wire_write(call->store, &request, ret, &call->refusal);
	ret->file = call->file;
	ret->from = call->from;
	ret->len = call->len;
	ret->body = call->body;
	buffer_deinit(&lines);
	publish(call->store);
	return is_ready;
}

/* s3_exchange.receive */
static bool on_receive(struct s3_exchange *exchange, struct slice bytes)
{
	struct s3_call *call = call_of_exchange(exchange);

	return call->receive(call, bytes);
}

/* s3_exchange.yield */
static void on_yield(struct s3_exchange *exchange)
{
	struct s3_call *call = call_of_exchange(exchange);

	call->yield(call);
}

static void launch(struct s3_call *call)
{
	struct s3_store *store = call->store;
	struct s3_exchange *exchange = &call->exchange;

	call->tries++;
	call->refusal = NULL;
	exchange->prepare = on_prepare;
	exchange->receive = call->receive ? on_receive : NULL;
	exchange->yield = call->yield ? on_yield : NULL;
	exchange->done = on_done;
	exchange->idle_us = call->timeout_us ? call->timeout_us : store->timeout_us;
	exchange->deadline_us = call->is_long ? INT64_MAX : call->until_us;
	exchange->is_urgent = call->is_probe;
	exchange->outcome.is_xml = call->has_xml;
	s3_exchange_start(&store->io.line, exchange, store->io.now_us);
}

/* Its time has come, unless the breaker is against it. */
static void on_timer(struct s3_timer *timer)
{
	struct s3_call *call = call_of_timer(timer);
	struct s3_store *store = call->store;
	int64_t look_us = store->io.now_us + LOOK_US;

	if (!store->breaker.is_open || call->is_probe) {
		launch(call);
		return;
	}
	if (call->is_patient && is_in_time(call, look_us)) {
		s3_timer_set(&store->io, timer, look_us);
		return;
	}
	struct s3_verdict verdict = refused(call);
	s3_call_count(call, &verdict);
	end(call, &verdict);
}

void s3_call_start(struct s3_store *store, struct s3_call *call)
{
	call->store = store;
	call->tries = 0;
	call->last = (struct s3_verdict){0};
	call->until_us =
		store->io.now_us + (call->timeout_us ? call->timeout_us : store->timeout_us);
	call->is_under_way = true;
	call->timer.run = on_timer;
	call->previous = NULL;
	call->next = store->first_call;
	if (store->first_call)
		store->first_call->previous = call;
	store->first_call = call;
	s3_timer_set(&store->io, &call->timer, store->io.now_us);
}

void s3_call_cancel(struct s3_call *call)
{
	struct buffer query;

	if (!call->is_under_way)
		return;
	s3_exchange_cancel(&call->exchange);
	query = take_out(call);
	buffer_deinit(&query);
}

void s3_call_end_all(struct s3_store *store)
{
	static const struct s3_verdict ended = {.status = CACHE_UNAVAILABLE,
						.sentence = "the server is about to end"};
	struct s3_call *call;

	while ((call = store->first_call)) {
		s3_exchange_cancel(&call->exchange);
		end(call, &ended);
	}
}

void s3_call_progress(struct s3_call *call)
{
	call->tries = 1;
	call->until_us = call->exchange.moved_us + call->store->timeout_us;
}
