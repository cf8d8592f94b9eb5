#include "server/log/metrics.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "server/http/routes.h"

/* Statuses with a counter of their own; any other is counted as 0. */
#define STATUS_MAP(X)                                                                              \
	X(200)                                                                                     \
	X(201)                                                                                     \
	X(204)                                                                                     \
	X(207)                                                                                     \
	X(206)                                                                                     \
	X(304)                                                                                     \
	X(400)                                                                                     \
	X(401)                                                                                     \
	X(403)                                                                                     \
	X(404)                                                                                     \
	X(405)                                                                                     \
	X(409)                                                                                     \
	X(412) X(413) X(414) X(415) X(416) X(417) X(429) X(431) X(500) X(501) X(503) X(504) X(507)

enum column {
	COLUMN_OTHER,
#define X(status) COLUMN_##status,
	STATUS_MAP(X)
#undef X
		COLUMNS
};

static const uint16_t status_of[COLUMNS] = {
#define X(status) [COLUMN_##status] = (status),
	STATUS_MAP(X)
#undef X
};

static const uint8_t column_of[600] = {
#define X(status) [status] = COLUMN_##status,
	STATUS_MAP(X)
#undef X
};

#define METHODS ((size_t)HTTP_METHODS)

/* Requests of one route and method. */
struct row {
	_Atomic uint64_t answers[COLUMNS];
	_Atomic uint64_t latency[LATENCY_STEPS];
	_Atomic uint64_t latency_sum_ns;
};

/* The counts of one thread. Each slot has its own pages, which take memory once they are written
 * to. */
struct slot {
	_Atomic uint64_t unanswered;
	_Atomic uint64_t operations[CACHE_OP_TYPES][CACHE_STATUSES];
	struct row rows[]; /* by route (the last one is for none) and method */
};

struct metrics {
	uint64_t id; /* unique in this process, so that a thread cannot mistake one for another */
	unsigned thread_count;
	atomic_uint threads_seen;
	struct slot *slots[]; /* one for each thread; the last for any others together */
};

/* Where the running thread counts. */
static _Thread_local struct {
	uint64_t id; /* of the metrics that `slot` belongs to */
	struct slot *slot;
	bool is_shared;
} own;

/* ---- Life ---- */

static size_t row_count(void)
{
	return (routes_count() + 1) * METHODS;
}

static size_t slot_bytes(void)
{
	return sizeof(struct slot) + row_count() * sizeof(struct row);
}

/* Zeroed by the system. */
static struct slot *create_slot(void)
{
	void *slot = mmap(NULL, slot_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	return slot == MAP_FAILED ? NULL : slot;
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
		if (metrics->slots[i])
			(void)munmap(metrics->slots[i], slot_bytes());
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
	uint64_t ns = duration_ns > 0 ? (uint64_t)duration_ns : 0;
	size_t number = route ? routes_number(route) : routes_count();
	struct row *row =
		&own_slot(metrics)
			 ->rows[number * METHODS + (size_t)__builtin_ctz((unsigned)method)];

	add(&row->answers[status < sizeof(column_of) ? column_of[status] : COLUMN_OTHER], 1);
	add(&row->latency[latency_step(ns)], 1);
	add(&row->latency_sum_ns, ns);
}

void metrics_unanswered(struct metrics *metrics)
{
	add(&own_slot(metrics)->unanswered, 1);
}

void metrics_operation(struct metrics *metrics, enum cache_op_type type, enum cache_status status)
{
	add(&own_slot(metrics)->operations[type][status], 1);
}

/* ---- Reading ---- */

static uint64_t load(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static uint64_t sum_answers(const struct metrics *metrics, size_t row, size_t column)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i <= metrics->thread_count; i++)
		sum += load(&metrics->slots[i]->rows[row].answers[column]);
	return sum;
}

/* Adds what all threads have counted for a row to `latency`. */
static void add_latency(const struct metrics *metrics, size_t row,
			struct latency_histogram *latency)
{
	for (unsigned i = 0; i <= metrics->thread_count; i++) {
		const struct row *counted = &metrics->slots[i]->rows[row];

		for (size_t step = 0; step < LATENCY_STEPS; step++)
			latency->count[step] += load(&counted->latency[step]);
		latency->sum_ns += load(&counted->latency_sum_ns);
	}
}

void metrics_read(struct metrics *metrics, struct server_figures *ret)
{
	*ret = (struct server_figures){0};
	for (unsigned i = 0; i <= metrics->thread_count; i++)
		ret->unanswered += load(&metrics->slots[i]->unanswered);
	for (size_t row = 0; row < row_count(); row++) {
		add_latency(metrics, row, &ret->latency);
		for (size_t column = 0; column < COLUMNS; column++)
			if (status_of[column] >= 500)
				ret->server_errors += sum_answers(metrics, row, column);
	}
}

static const char *route_of(size_t row)
{
	return row / METHODS < routes_count() ? routes_at(row / METHODS)->pattern : "none";
}

static const char *method_of(size_t row)
{
	return router_method_name((enum http_method)(1U << row % METHODS));
}

void metrics_each_answer(struct metrics *metrics,
			 void (*visit)(void *visit_user, const struct answer_count *answers),
			 void *visit_user)
{
	for (size_t at = 0; at < row_count() * COLUMNS; at++) {
		size_t row = at / COLUMNS;
		size_t column = at % COLUMNS;
		struct answer_count answers = {
			.route = route_of(row),
			.method = method_of(row),
			.status = status_of[column],
			.count = sum_answers(metrics, row, column),
		};

		if (answers.count > 0)
			visit(visit_user, &answers);
	}
}

void metrics_each_latency(struct metrics *metrics,
			  void (*visit)(void *visit_user, const struct route_latency *latency),
			  void *visit_user)
{
	for (size_t row = 0; row < row_count(); row++) {
		struct route_latency latency = {.route = route_of(row), .method = method_of(row)};

		add_latency(metrics, row, &latency.latency);
		if (latency_total(&latency.latency) > 0)
			visit(visit_user, &latency);
	}
}

void metrics_each_operation(struct metrics *metrics,
			    void (*visit)(void *visit_user,
					  const struct operation_count *operations),
			    void *visit_user)
{
	for (size_t at = 0; at < (size_t)CACHE_OP_TYPES * CACHE_STATUSES; at++) {
		struct operation_count operations = {
			.type = (enum cache_op_type)(at / CACHE_STATUSES),
			.status = (enum cache_status)(at % CACHE_STATUSES),
		};

		for (unsigned i = 0; i <= metrics->thread_count; i++)
			operations.count += load(
				&metrics->slots[i]->operations[operations.type][operations.status]);
		if (operations.count > 0)
			visit(visit_user, &operations);
	}
}
