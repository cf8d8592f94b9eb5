#include "backends/remote/tally.h"

#include <stdlib.h>
#include <xxhash.h>

#include "backends/remote/breaker.h"
#include "base/utf8.h"

#define SENTENCE_MAX_LEN 300
/* The average moves by a sixteenth with each answer. */
#define LATENCY_WEIGHT 16

void remote_tally_deinit(struct remote_tally *tally)
{
	for (size_t i = 0; i < TALLY_BUCKETS; i++) {
		while (tally->namespaces[i]) {
			struct remote_ns_counters *next = tally->namespaces[i]->next;

			free(tally->namespaces[i]);
			tally->namespaces[i] = next;
		}
	}
	for (size_t i = 0; i < TALLY_SENTENCES_MAX; i++)
		free(tally->sentences[i]);
}

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

/* ---- Namespaces ---- */

static size_t bucket_of(struct slice name)
{
	return XXH3_64bits(name.data, name.len) % TALLY_BUCKETS;
}

struct remote_ns_counters *remote_tally_namespace(struct remote_tally *tally, struct slice name)
{
	struct remote_ns_counters **bucket = &tally->namespaces[bucket_of(name)];
	struct remote_ns_counters *found = *bucket;

	while (found && !slice_equal(slice_of(found->name), name))
		found = found->next;
	if (found)
		return found;
	if (tally->max_namespaces > 0 && tally->namespace_count >= tally->max_namespaces)
		return &tally->overflow;
	found = calloc(1, sizeof(*found));
	if (!found)
		return &tally->overflow;
	memcpy(found->name, name.data, name.len < NAMESPACE_MAX_LEN ? name.len : NAMESPACE_MAX_LEN);
	found->next = *bucket;
	*bucket = found;
	tally->namespace_count++;
	return found;
}

const struct remote_ns_counters *remote_tally_next(const struct remote_tally *tally,
						   const struct remote_ns_counters *ns)
{
	size_t bucket = 0;

	if (ns && ns->next)
		return ns->next;
	if (ns)
		bucket = bucket_of(slice_of(ns->name)) + 1;
	while (bucket < TALLY_BUCKETS && !tally->namespaces[bucket])
		bucket++;
	return bucket < TALLY_BUCKETS ? tally->namespaces[bucket] : NULL;
}

void remote_tally_items(struct remote_tally *tally, const struct cache_op *op,
			const struct cache_item *items)
{
	if (op->type > CACHE_OP_DELETE || op->no_touch)
		return;
	struct remote_ns_counters *counters = remote_tally_namespace(tally, op->ns);
	for (size_t i = 0; i < op->item_count; i++) {
		bool ok = items[i].status == CACHE_OK;

		counters->stale_hits += op->type == CACHE_OP_GET && items[i].stale;
		if (op->type == CACHE_OP_GET && ok)
			counters->hits++;
		else if (op->type == CACHE_OP_GET)
			counters->misses++;
		else if (op->type == CACHE_OP_SET && ok)
			counters->sets++;
		else if (op->type == CACHE_OP_DELETE && ok)
			counters->deletes++;
	}
}

void remote_tally_fill(struct remote_tally *tally, struct namespace_stats *stats)
{
	const struct remote_ns_counters *counters =
		remote_tally_namespace(tally, slice_of(stats->name));

	if (counters == &tally->overflow)
		return;
	stats->hits = counters->hits;
	stats->misses = counters->misses;
	stats->stale_hits = counters->stale_hits;
	stats->sets = counters->sets;
	stats->deletes = counters->deletes;
	stats->evictions = counters->evictions;
	stats->expirations = counters->expirations;
}

void remote_tally_raise(struct namespace_stats *stats, uint64_t evictions, uint64_t expirations)
{
	if (stats->evictions < evictions)
		stats->evictions = evictions;
	if (stats->expirations < expirations)
		stats->expirations = expirations;
}

/* ---- Sentences ---- */

const char *remote_tally_keep(struct remote_tally *tally, struct slice sentence)
{
	if (sentence.len == 0 || sentence.len > SENTENCE_MAX_LEN || !utf8_is_valid(sentence))
		return NULL;
	for (size_t i = 0; i < sentence.len; i++)
		if ((unsigned char)sentence.data[i] < ' ')
			return NULL;
	for (size_t i = 0; i < TALLY_SENTENCES_MAX; i++) {
		char **kept = &tally->sentences[i];

		if (!*kept)
			*kept = strndup(sentence.data, sentence.len);
		if (!*kept || slice_equal(slice_of(*kept), sentence))
			return *kept;
	}
	return NULL;
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
	static const char *const states[] = {
		[BREAKER_CLOSED] = "closed",
		[BREAKER_OPEN] = "open",
		[BREAKER_HALF_OPEN] = "half_open",
	};
	size_t count = 0;

	if (max < 1 + COUNTERS + FAILURE_KINDS)
		return 0;
	ret[count++] = (struct backend_gauge){
		.group = GROUP,
		.name = "breaker",
		.text = states[atomic_load(&tally->breaker_state)],
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
