#include "backends/redis/scatter_stats.h"

#include <stdlib.h>
#include <string.h>

#include "backends/redis/batch.h"
#include "backends/redis/scatter.h"

/* Children under way at once, if namespaces do not have more partitions. */
#define WAVE_MAX 256U

/* A STATS of all asks for the names, then for some namespaces at a time. */
struct survey {
	unsigned part_count;
	unsigned wave;                 /* namespaces */
	struct namespace_stats *named; /* owned; their names only */
	size_t named_count, at;
};

/* ---- Sums ---- */

static void add_settings(struct namespace_settings *sum, const struct namespace_settings *part)
{
	bool is_limited = sum->max_size_bytes > 0 && part->max_size_bytes > 0;
	bool has_capacity = sum->capacity >= 0 && part->capacity >= 0;

	sum->max_size_bytes = is_limited ? sum->max_size_bytes + part->max_size_bytes : 0;
	sum->capacity = has_capacity ? sum->capacity + part->capacity : CAPACITY_UNLIMITED;
}

void redis_scatter_add_stats(struct namespace_stats *sum, const struct namespace_stats *part,
			     unsigned count)
{
	if (count == 0) {
		*sum = *part;
		return;
	}
	double uses = sum->avg_frequency * (double)sum->entry_count +
		      part->avg_frequency * (double)part->entry_count;

	add_settings(&sum->settings, &part->settings);
	sum->entry_count += part->entry_count;
	sum->total_size_bytes += part->total_size_bytes;
	sum->used_bytes += part->used_bytes;
	sum->avg_frequency = sum->entry_count > 0 ? uses / (double)sum->entry_count : 0;
	if (sum->max_frequency < part->max_frequency)
		sum->max_frequency = part->max_frequency;
	sum->evictions += part->evictions;
	sum->expirations += part->expirations;
}

/* The sum over the partitions of a namespace, `first` and those behind it. Whether any exists. */
static bool sum_up(const struct cache_op *first, unsigned part_count, struct namespace_stats *ret)
{
	const struct namespace_settings *told = NULL;

	for (unsigned p = 0; p < part_count; p++) {
		redis_scatter_add_stats(ret, &first[p].stats[0], p);
		/* One that nobody has written to does not know what was configured. */
		if (!told && first[p].progress != PHASE_ABSENT)
			told = &first[p].stats[0].settings;
	}
	if (!told)
		return false;
	ret->settings.default_ttl_s = told->default_ttl_s;
	ret->settings.policy = told->policy;
	ret->settings.stale_ttl_s = told->stale_ttl_s;
	ret->settings.max_idle_s = told->max_idle_s;
	ret->settings.compression = told->compression;
	ret->settings.put_status = told->put_status;
	return true;
}

/* ---- Of one namespace ---- */

static void finish_one(struct redis_scatter *scatter)
{
	const struct cache_op *failed = redis_scatter_failed(scatter);
	const struct survey *survey = scatter->more;
	struct cache_op *op = scatter->op;
	enum cache_status status = CACHE_OK;

	if (!failed) {
		op->stats = calloc(1, sizeof(*op->stats));
		status = op->stats ? CACHE_OK : CACHE_NO_MEMORY;
	}
	if (!failed && op->stats) {
		(void)sum_up(scatter->children, survey->part_count, op->stats);
		op->stats_count = 1;
	}
	redis_scatter_end(scatter, status, failed);
}

/* ---- Of all ---- */

static void end_all(struct redis_scatter *scatter, enum cache_status status,
		    const struct cache_op *failed)
{
	struct survey *survey = scatter->more;

	free(survey->named);
	redis_scatter_end(scatter, status, failed);
}

static void ask_next(struct redis_scatter *scatter)
{
	struct survey *survey = scatter->more;
	size_t left = survey->named_count - survey->at;
	size_t count = left < survey->wave ? left : survey->wave;

	for (size_t i = 0; i < count; i++)
		for (unsigned p = 0; p < survey->part_count; p++)
			redis_scatter_add(scatter, p)->ns =
				slice_of(survey->named[survey->at + i].name);
	redis_scatter_send(scatter);
}

static void finish_wave(struct redis_scatter *scatter)
{
	const struct cache_op *failed = redis_scatter_failed(scatter);
	struct survey *survey = scatter->more;
	struct cache_op *op = scatter->op;

	for (size_t i = 0; !failed && i < scatter->count; i += survey->part_count)
		if (sum_up(&scatter->children[i], survey->part_count, &op->stats[op->stats_count]))
			op->stats_count++;
	survey->at += scatter->count / survey->part_count;
	if (failed || survey->at == survey->named_count) {
		end_all(scatter, CACHE_OK, failed);
		return;
	}
	redis_scatter_reset(scatter);
	ask_next(scatter);
}

static void finish_names(struct redis_scatter *scatter)
{
	const struct cache_op *failed = redis_scatter_failed(scatter);
	struct cache_op *child = &scatter->children[0];
	struct survey *survey = scatter->more;
	struct cache_op *op = scatter->op;

	survey->named = child->stats;
	survey->named_count = child->stats_count;
	child->stats = NULL;
	if (!failed)
		op->stats = calloc(survey->named_count + 1, sizeof(*op->stats));
	if (failed || !op->stats || survey->named_count == 0) {
		end_all(scatter, op->stats ? CACHE_OK : CACHE_NO_MEMORY, failed);
		return;
	}
	redis_scatter_reset(scatter);
	scatter->finish = finish_wave;
	ask_next(scatter);
}

void redis_scatter_stats(struct backend *backend, struct cache_op *op, unsigned part_count)
{
	bool is_of_all = op->ns.len == 0;
	unsigned wave = is_of_all && part_count < WAVE_MAX ? WAVE_MAX / part_count : 1;
	struct redis_scatter *scatter =
		redis_scatter_create(backend, op, (size_t)wave * part_count, sizeof(struct survey),
				     is_of_all ? finish_names : finish_one);

	if (!scatter)
		return;
	struct survey *survey = scatter->more;
	survey->part_count = part_count;
	survey->wave = wave;
	for (unsigned p = 0; p < (is_of_all ? 1 : part_count); p++)
		(void)redis_scatter_add(scatter, p);
	redis_scatter_send(scatter);
}
