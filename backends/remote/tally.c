#include "backends/remote/tally.h"

/* The average moves by a sixteenth of the difference with each answer. */
#define LATENCY_WEIGHT 16

void remote_tally_failure(struct remote_tally *tally, enum remote_failure failure,
			  uint64_t how_many)
{
	if (failure < FAILURE_KINDS)
		(void)atomic_fetch_add_explicit(&tally->failures[failure], how_many,
						memory_order_relaxed);
}

void remote_tally_add(struct remote_tally *tally, enum remote_counter counter, uint64_t how_many)
{
	(void)atomic_fetch_add_explicit(&tally->counters[counter], how_many, memory_order_relaxed);
}

void remote_tally_set(struct remote_tally *tally, enum remote_counter counter, uint64_t value)
{
	atomic_store_explicit(&tally->counters[counter], value, memory_order_relaxed);
}

void remote_tally_set_breaker(struct remote_tally *tally, enum remote_breaker_state state)
{
	atomic_store_explicit(&tally->breaker_state, (int)state, memory_order_relaxed);
}

static uint64_t read_counter(const struct remote_tally *tally, enum remote_counter counter)
{
	return atomic_load_explicit(&tally->counters[counter], memory_order_relaxed);
}

void remote_tally_latency(struct remote_tally *tally, int64_t us)
{
	uint64_t now = us > 0 ? (uint64_t)us : 0;
	uint64_t average = read_counter(tally, COUNT_LATENCY_AVG_US);

	if (average > 0)
		average = (average * (LATENCY_WEIGHT - 1) + now) / LATENCY_WEIGHT;
	else
		average = now;
	remote_tally_set(tally, COUNT_LATENCY_AVG_US, average);
	if (now > read_counter(tally, COUNT_LATENCY_MAX_US))
		remote_tally_set(tally, COUNT_LATENCY_MAX_US, now);
}

/* ---- Gauges ---- */

#define GROUP "upstream"

size_t remote_tally_gauges(const struct remote_tally *tally, struct backend_gauge *ret, size_t max)
{
	static const struct backend_gauge counters[] = {
#define X(id, the_name, does_count, the_help)                                                      \
	[COUNT_##id] = {                                                                           \
		.group = GROUP, .name = (the_name), .counts = (does_count), .help = (the_help)},
		REMOTE_COUNTER_MAP(X)
#undef X
	};
	static const struct backend_gauge failures[] = {
#define X(id, the_name, the_help)                                                                  \
	[FAILURE_##id] = {.group = GROUP, .name = (the_name), .counts = true, .help = (the_help)},
		REMOTE_FAILURE_MAP(X)
#undef X
	};
	size_t count = 0;

	if (max < 1 + COUNTERS + FAILURE_KINDS)
		return 0;
	ret[count++] = (struct backend_gauge){
		.group = GROUP,
		.name = "breaker",
		.text = remote_breaker_state_name(
			(enum remote_breaker_state)atomic_load(&tally->breaker_state)),
		.help = "Whether it is asked: closed (yes), open (no), half_open (it is tried).",
	};
	for (size_t i = 0; i < COUNTERS; i++) {
		ret[count] = counters[i];
		ret[count++].value = (double)read_counter(tally, (enum remote_counter)i);
	}
	for (size_t i = 0; i < FAILURE_KINDS; i++) {
		ret[count] = failures[i];
		ret[count++].value =
			(double)atomic_load_explicit(&tally->failures[i], memory_order_relaxed);
	}
	return count;
}
