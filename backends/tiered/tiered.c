/* The wrapper: its operations that need no near cache, and how it is put around a backend. */
#include "backends/tiered/tiered.h"

#include <stdio.h>
#include <stdlib.h>

#include "backends/tiered/learn.h"
#include "backends/tiered/pass.h"
#include "backends/tiered/tiered_news.h"
#include "backends/tiered/tiered_read.h"
#include "backends/tiered/tiered_write.h"

/* ---- Statistics, and what is passed on unchanged ---- */

static void stats_done(struct cache_op *op)
{
	struct pass *pass = op->user;

	for (size_t i = 0; i < op->stats_count; i++) {
		struct near_space *space =
			near_spaces_find(&pass->tiered->spaces, slice_of(op->stats[i].name));

		if (space)
			op->stats[i].hits += atomic_load(&space->hits);
	}
	pass_close(pass);
}

static void tiered_stats(struct backend *backend, struct cache_op *op)
{
	struct pass *pass = pass_open(tiered_of(backend), op, 0);

	if (pass)
		pass_forward(pass, stats_done);
	else
		cache_op_complete(op, CACHE_NO_MEMORY);
}

static void tiered_pass_on(struct backend *backend, struct cache_op *op)
{
	backend_submit(tiered_of(backend)->inner, op);
}

static size_t tiered_gauges(struct backend *backend, struct backend_gauge *ret, size_t max)
{
	struct tiered *tiered = tiered_of(backend);
	struct near_counts counts = near_counts(tiered->near);
	const struct backend_gauge gauges[] = {
		GAUGE_LEVEL("near", "entries", counts.entries, "Entries kept near."),
		GAUGE_LEVEL("near", "bytes", counts.bytes, "Memory that they take."),
		GAUGE_COUNTER("near", "hits", counts.hits, "Reads answered from them."),
		GAUGE_COUNTER("near", "misses", counts.misses,
			      "Reads that went on to the backend."),
		GAUGE_COUNTER("near", "stale", counts.stale,
			      "Values given though too old, as the backend did not answer."),
		GAUGE_COUNTER("near", "fills", counts.fills,
			      "Values taken along from the backend."),
		GAUGE_COUNTER("near", "evictions", counts.evictions,
			      "Entries that gave way to others."),
	};

	return backend_gauges_and_own(tiered->inner, gauges, sizeof(gauges) / sizeof(gauges[0]),
				      ret, max);
}

/* It takes values without headroom only. */
static void tiered_traits(const struct backend *backend, struct slice ns,
			  struct backend_traits *ret)
{
	*ret = backend_traits_of(((const struct tiered *)backend)->inner, ns);
	ret->headroom_record_bytes = 0;
}

/* ---- Wrapping ---- */

static void tiered_hurry(struct backend *backend)
{
	struct backend *inner = tiered_of(backend)->inner;

	if (inner->ops->hurry)
		inner->ops->hurry(inner);
}

/* Without a backend behind it. NULL: out of memory. */
static struct tiered *create(const struct tiered_config *config)
{
	struct tiered *tiered = calloc(1, sizeof(*tiered));

	if (!tiered)
		return NULL;
	tiered->near = near_create(config->max_bytes);
	if (!tiered->near) {
		free(tiered);
		return NULL;
	}
	near_spaces_init(&tiered->spaces);
	(void)pthread_mutex_init(&tiered->lock, NULL);
	(void)pthread_cond_init(&tiered->no_lessons, NULL);
	tiered->config = *config;
	tiered->clock = config->clock ? config->clock : &system_clock;
	return tiered;
}

static void destroy(struct tiered *tiered)
{
	near_destroy(tiered->near);
	near_spaces_deinit(&tiered->spaces);
	(void)pthread_cond_destroy(&tiered->no_lessons);
	(void)pthread_mutex_destroy(&tiered->lock);
	free(tiered);
}

static void tiered_close(struct backend *backend)
{
	struct tiered *tiered = tiered_of(backend);

	learn_end(tiered);
	tiered->inner->ops->close(tiered->inner);
	destroy(tiered);
}

static struct backend *attach(struct tiered *tiered, struct backend *inner)
{
	const struct backend_ops *ops = inner->ops;

	tiered->inner = inner;
	tiered->ops = (struct backend_ops){
		.name = ops->name,
		.default_policy = ops->default_policy,
		.bits = ops->bits,
		.value_max_bytes = ops->value_max_bytes,
		.branch_count = ops->branch_count,
		.traits = ops->traits ? tiered_traits : NULL,
		.get = ops->get ? tiered_get : NULL,
		.set = ops->set ? tiered_write : NULL,
		.remove = ops->remove ? tiered_write : NULL,
		.exists = ops->exists ? tiered_exists : NULL,
		.expire = ops->expire ? tiered_write : NULL,
		.clear = ops->clear ? tiered_clear : NULL,
		.configure = ops->configure ? tiered_clear : NULL,
		.stats = ops->stats ? tiered_stats : NULL,
		.scan = ops->scan ? tiered_pass_on : NULL,
		.sync = ops->sync ? tiered_pass_on : NULL,
		.check = ops->check ? tiered_pass_on : NULL,
		.lease = ops->lease ? tiered_pass_on : NULL,
		.gauges = tiered_gauges,
		.hurry = tiered_hurry,
		.close = tiered_close,
	};
	tiered->backend.ops = &tiered->ops;
	return &tiered->backend;
}

struct backend *tiered_open(const struct backend_ops *ops, const struct backend_config *config,
			    const struct tiered_config *near, char *error, size_t error_size)
{
	struct backend_config inner_config = *config;
	struct tiered *tiered = create(near);

	if (!tiered) {
		(void)snprintf(error, error_size, "out of memory for the near cache (--near-mb)");
		return NULL;
	}
	tiered->news = config->news;
	tiered->news_user = config->news_user;
	inner_config.news = tiered_news;
	inner_config.news_user = tiered;
	inner_config.news_always = true;
	struct backend *inner = ops->open(&inner_config, error, error_size);
	if (inner)
		return attach(tiered, inner);
	destroy(tiered);
	return NULL;
}

struct backend *tiered_wrap(struct backend *inner, const struct tiered_config *config)
{
	struct tiered *tiered = create(config);

	return tiered ? attach(tiered, inner) : NULL;
}

#define OPTION_SETTINGS struct tiered_config
static const struct option rows[] = {
	ROW_MEGABYTES(max_bytes, "near-mb", "STEADYCACHE_NEAR_MB", "0", 0, 1048576,
		      "Memory in MB for a near cache in front of the backend; 0 switches it off."),
	ROW_SECONDS(
		ttl_us, "near-ttl", "STEADYCACHE_NEAR_TTL", "10", 0.001, 86400,
		"Seconds for which the near cache answers without asking the backend; what other "
		"servers write to a Redis that they share ends that at once."),
	ROW_SECONDS(stale_us, "near-stale", "STEADYCACHE_NEAR_STALE", "300", 0, OPTION_LARGE,
		    "Seconds beyond --near-ttl for which it answers while the backend fails."),
};

const struct option_table tiered_options = {
	.after = "reranking-max-size-mb",
	.rows = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
	.settings_size = sizeof(OPTION_SETTINGS),
};
