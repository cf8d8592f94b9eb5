/* Passes over the entries of a namespace, one shard after the other.
 *
 * While a pass is in a shard the shard's table keeps its number of buckets (table.h). So an entry
 * that stays is in the same bucket from the first step to the last, however much is added and
 * removed between the steps, and is met exactly once.
 *
 * A pass waits for memory more than for anything else: nearly every entry is in no cache. So the
 * entries of the buckets ahead are asked for while those of one are looked at. */
#include "backends/memory/passes.h"

#include "backends/memory/evict.h"
#include "store/rules.h"

/* A step ends after this many entries or buckets. */
#define STEP_ENTRIES 256
#define STEP_BUCKETS 1024
/* How far ahead entries are asked for. */
#define BUCKETS_AHEAD 3

/* Visits buckets from *bucket on for one step. False: the pass is to end. */
static bool visit_step(struct shard *shard, uint32_t *bucket, const struct visitor *visitor,
		       struct entry **trash)
{
	size_t entries = 0;

	for (size_t buckets = 0; buckets < STEP_BUCKETS && entries < STEP_ENTRIES; buckets++) {
		if (*bucket >= shard->table.bucket_count)
			break;
		struct entry *entry;
		size_t at = 0;

		table_prefetch(&shard->table, *bucket + BUCKETS_AHEAD);
		while ((entry = table_at(&shard->table, *bucket, at))) {
			if (!visitor->visit(visitor->context, shard, entry, trash))
				return false;
			/* One that was removed gave its place to another. */
			at += table_at(&shard->table, *bucket, at) == entry;
			entries++;
		}
		(*bucket)++;
	}
	return true;
}

/* False: the visitor ended the pass. */
static bool visit_shard(struct shard *shard, const struct visitor *visitor)
{
	uint32_t bucket = 0;
	bool goes_on;
	bool ends;

	(void)pthread_mutex_lock(&shard->lock);
	shard->table.passes++;
	(void)pthread_mutex_unlock(&shard->lock);
	do {
		struct entry *trash = NULL;

		(void)pthread_mutex_lock(&shard->lock);
		goes_on = visit_step(shard, &bucket, visitor, &trash);
		ends = !goes_on || bucket >= shard->table.bucket_count;
		if (ends)
			shard->table.passes--;
		(void)pthread_mutex_unlock(&shard->lock);
		entry_free_list(trash);
		if (visitor->between)
			visitor->between(visitor->context);
	} while (!ends);
	return goes_on;
}

bool pass_visit(struct namespace *ns, const struct visitor *visitor)
{
	for (unsigned i = 0; i < SHARDS; i++)
		if (!visit_shard(&ns->shards[i], visitor))
			return false;
	return true;
}

/* ---- Clearing by prefix ---- */

static bool clear_entry(void *context, struct shard *shard, struct entry *entry,
			struct entry **trash)
{
	const struct slice *prefix = context;

	if (slice_starts_with(entry_key(entry), *prefix)) {
		shard_remove(shard, entry, trash);
		shard->counters.deletes++;
	}
	return true;
}

void pass_clear(struct namespace *ns, struct slice prefix)
{
	struct visitor visitor = {.visit = clear_entry, .context = &prefix};

	(void)pass_visit(ns, &visitor);
}

/* ---- Settings ---- */

static void set_policy(struct namespace *ns, enum eviction_policy policy)
{
	atomic_store(&ns->policy, (int)policy);
	/* One shard after the other: an eviction in between takes the best of the candidates that
	 * the shards have by their own order, old or new. */
	for (unsigned i = 0; i < SHARDS; i++) {
		struct shard *shard = &ns->shards[i];

		(void)pthread_mutex_lock(&shard->lock);
		order_set_policy(&shard->order, policy);
		(void)pthread_mutex_unlock(&shard->lock);
	}
}

static int64_t clamp_ttl_s(int64_t ttl_s)
{
	return ttl_s < TTL_MAX_S ? ttl_s : TTL_MAX_S;
}

/* What a shorter one makes due goes with the next sweep. */
static void set_stale_ttl(struct namespace *ns, int64_t stale_ttl_s)
{
	atomic_store(&ns->stale_ttl_s, stale_ttl_s);
	for (unsigned i = 0; i < SHARDS; i++) {
		(void)pthread_mutex_lock(&ns->shards[i].lock);
		ns->shards[i].stale_us = stale_ttl_s * US_PER_S;
		(void)pthread_mutex_unlock(&ns->shards[i].lock);
	}
}

/* Evicts until the limits hold; for the byte limit down to the same 80 % as a set does. */
static void enforce_limits(struct namespace *ns, int64_t now_us)
{
	uint64_t max_size_bytes = atomic_load(&ns->max_size_bytes);
	int64_t capacity = atomic_load(&ns->capacity);
	struct eviction_goal goal = {
		.used_bytes = UINT64_MAX,
		.entry_count = capacity >= 0 ? (uint64_t)capacity : UINT64_MAX,
		.total_memory_bytes = UINT64_MAX,
	};
	size_t removed;

	if (max_size_bytes == 0)
		max_size_bytes = UINT64_MAX;
	do {
		struct entry *trash = NULL;

		namespace_lock(ns, ALL_SHARDS);
		removed = namespace_expire(ns, now_us, EVICT_STEP, &trash);
		if (removed < EVICT_STEP) {
			if (usage_read(&ns->usage.used_bytes) > max_size_bytes)
				goal.used_bytes = rules_low_water(max_size_bytes);
			removed = evict(ns, &goal, order_clock_at(ns->order_clock, now_us),
					EVICT_STEP, &trash);
		}
		namespace_unlock(ns, ALL_SHARDS);
		entry_free_list(trash);
	} while (removed == EVICT_STEP);
}

void pass_configure(struct namespace *ns, const struct cache_op *op, int64_t now_us)
{
	const struct namespace_settings *settings = &op->settings;

	(void)pthread_mutex_lock(&ns->configure_lock);
	if (op->settings_mask & SETTING_MAX_SIZE)
		atomic_store(&ns->max_size_bytes, settings->max_size_bytes);
	if (op->settings_mask & SETTING_CAPACITY)
		atomic_store(&ns->capacity, settings->capacity);
	if (op->settings_mask & SETTING_DEFAULT_TTL)
		atomic_store(&ns->default_ttl_s, clamp_ttl_s(settings->default_ttl_s));
	if (op->settings_mask & SETTING_STALE_TTL)
		set_stale_ttl(ns, clamp_ttl_s(settings->stale_ttl_s));
	if (op->settings_mask & SETTING_POLICY && settings->policy != namespace_policy(ns))
		set_policy(ns, settings->policy);
	enforce_limits(ns, now_us);
	(void)pthread_mutex_unlock(&ns->configure_lock);
}
