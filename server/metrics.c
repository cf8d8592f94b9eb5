#include "server/metrics.h"

#include <stdatomic.h>
#include <stdlib.h>

#define CACHE_LINE_BYTES 64
#define METHODS          ((size_t)6) /* bits of enum http_method */
#define CLASSES          ((size_t)5)
#define ROUTE_KINDS      (METHODS * CLASSES)

/* What one thread has counted. Each begins on a cache line of its own. */
struct slot {
	_Atomic uint64_t latency[LATENCY_STEPS];
	_Atomic uint64_t latency_sum_ns;
	_Atomic uint64_t unanswered;
	/* By route (the last one stands for none), method, class of status. */
	_Atomic uint64_t answers[];
};

struct metrics {
	uint64_t id; /* of no other in this process, so that threads do not take one for another */
	unsigned thread_count;
	atomic_uint threads_seen;
	struct slot *slots[]; /* one for each thread, the last for any others together */
};

/* Where the running thread counts. */
static _Thread_local struct {
	uint64_t id; /* of the metrics that `slot` belongs to */
	struct slot *slot;
	bool is_shared;
} own;

/* ---- Life ---- */

static size_t answers_count(void)
{
	return (route_count + 1) * ROUTE_KINDS;
}

static struct slot *create_slot(void)
{
	size_t size = sizeof(struct slot) + answers_count() * sizeof(_Atomic uint64_t);

	size = (size + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES * CACHE_LINE_BYTES;
	struct slot *slot = aligned_alloc(CACHE_LINE_BYTES, size);

	if (slot)
		memset(slot, 0, size);
	return slot;
}

struct metrics *metrics_create(unsigned threads)
{
	static _Atomic uint64_t last_id;
	struct metrics *metrics =
		calloc(1, sizeof(*metrics) + (threads + 1) * sizeof(metrics->slots[0]));

	if (!metrics)
		return NULL;
	metrics->id = atomic_fetch_add(&last_id, 1) + 1;
	metrics->thread_count = threads;
	for (unsigned i = 0; i <= threads; i++) {
		metrics->slots[i] = create_slot();
		if (!metrics->slots[i]) {
			metrics_destroy(metrics);
			return NULL;
		}
	}
	return metrics;
}

void metrics_destroy(struct metrics *metrics)
{
	if (!metrics)
		return;
	for (unsigned i = 0; i <= metrics->thread_count; i++)
		free(metrics->slots[i]);
	free(metrics);
}

/* ---- Counting ---- */

static void take_slot(struct metrics *metrics)
{
	unsigned number = atomic_fetch_add(&metrics->threads_seen, 1);

	own.is_shared = number >= metrics->thread_count;
	own.slot = metrics->slots[own.is_shared ? metrics->thread_count : number];
	own.id = metrics->id;
}

static struct slot *own_slot(struct metrics *metrics)
{
	if (__builtin_expect(own.id != metrics->id, 0))
		take_slot(metrics);
	return own.slot;
}

/* A counter that only this thread writes needs no locked addition. */
static void add(_Atomic uint64_t *counter, uint64_t number)
{
	if (__builtin_expect(own.is_shared, 0))
		(void)atomic_fetch_add_explicit(counter, number, memory_order_relaxed);
	else
		atomic_store_explicit(counter,
				      atomic_load_explicit(counter, memory_order_relaxed) + number,
				      memory_order_relaxed);
}

void metrics_answered(struct metrics *metrics, const struct route *route, enum http_method method,
		      unsigned status, int64_t duration_ns)
{
	struct slot *slot = own_slot(metrics);
	uint64_t ns = duration_ns > 0 ? (uint64_t)duration_ns : 0;
	size_t row = route ? (size_t)(route - routes) : route_count;
	size_t column = (size_t)__builtin_ctz((unsigned)method) * CLASSES + status / 100 - 1;

	add(&slot->answers[row * ROUTE_KINDS + column], 1);
	add(&slot->latency[latency_step(ns)], 1);
	add(&slot->latency_sum_ns, ns);
}

void metrics_unanswered(struct metrics *metrics)
{
	add(&own_slot(metrics)->unanswered, 1);
}

/* ---- Reading ---- */

static uint64_t load(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static uint64_t sum_answers(const struct metrics *metrics, size_t at)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i <= metrics->thread_count; i++)
		sum += load(&metrics->slots[i]->answers[at]);
	return sum;
}

void metrics_read(struct metrics *metrics, struct server_figures *ret)
{
	*ret = (struct server_figures){0};
	for (unsigned i = 0; i <= metrics->thread_count; i++) {
		const struct slot *slot = metrics->slots[i];

		for (size_t step = 0; step < LATENCY_STEPS; step++)
			ret->latency.count[step] += load(&slot->latency[step]);
		ret->latency.sum_ns += load(&slot->latency_sum_ns);
		ret->unanswered += load(&slot->unanswered);
	}
	for (size_t at = CLASSES - 1; at < answers_count(); at += CLASSES)
		ret->server_errors += sum_answers(metrics, at);
}

void metrics_each_answer(struct metrics *metrics,
			 void (*visit)(void *visit_user, const struct answer_count *answers),
			 void *visit_user)
{
	for (size_t at = 0; at < answers_count(); at++) {
		size_t row = at / ROUTE_KINDS;
		unsigned method = (unsigned)(at % ROUTE_KINDS / CLASSES);
		struct answer_count answers = {
			.route = row < route_count ? routes[row].pattern : "none",
			.method = router_method_name((enum http_method)(1U << method)),
			.status_class = (unsigned)(at % CLASSES) + 1,
			.count = sum_answers(metrics, at),
		};

		if (answers.count > 0)
			visit(visit_user, &answers);
	}
}
