#include "backends/memory/namespace.h"

#include <stdlib.h>

#include "backends/memory/mirror/mirror.h"
#include "store/rules.h"

/* Most expired entries that statistics remove from a shard before they count it. The sweeper
 * removes them all, only later. */
#define STATS_EXPIRE_MAX 256

void namespaces_init(struct namespaces *all, const struct backend_config *config,
		     uint64_t max_memory_bytes, const struct memory_mirror *mirror)
{
	(void)pthread_mutex_init(&all->create_lock, NULL);
	all->config = config;
	all->max_memory_bytes = max_memory_bytes;
	all->mirror = mirror;
}

void namespaces_deinit(struct namespaces *all)
{
	struct namespace *ns = atomic_load(&all->first);

	while (ns) {
		struct namespace *next = ns->next;

		for (unsigned i = 0; i < SHARDS; i++)
			shard_deinit(&ns->shards[i]);
		(void)pthread_mutex_destroy(&ns->configure_lock);
		free(ns);
		ns = next;
	}
	(void)pthread_mutex_destroy(&all->create_lock);
}

static struct namespace *_Atomic *bucket_of(struct namespaces *all, struct slice name)
{
	return &all->buckets[entry_hash(name) % NAMESPACE_BUCKETS];
}

/* Dropped or not. */
static struct namespace *find_in(struct namespace *_Atomic *bucket, struct slice name)
{
	/* Pairs with the release in publish: a namespace is complete once it can be found. */
	struct namespace *ns = atomic_load_explicit(bucket, memory_order_acquire);

	while (ns && !(strncmp(ns->name, name.data, name.len) == 0 && ns->name[name.len] == '\0'))
		ns = ns->chain;
	return ns;
}

struct namespace *namespace_find(struct namespaces *all, struct slice name)
{
	struct namespace *ns = find_in(bucket_of(all, name), name);

	return ns && !namespace_is_dropped(ns) ? ns : NULL;
}

void namespace_default_settings(const struct namespaces *all, struct slice name,
				struct namespace_settings *ret)
{
	rules_default_settings(all->config, MEMORY_DEFAULT_POLICY, name, ret);
}

static struct namespace *create(struct namespaces *all, struct slice name,
				const struct namespace_settings *settings)
{
	struct namespace *ns = aligned_alloc(_Alignof(struct namespace), sizeof(*ns));

	if (!ns)
		return NULL;
	*ns = (struct namespace){
		.max_size_bytes = settings->max_size_bytes,
		.capacity = settings->capacity,
		.default_ttl_s = settings->default_ttl_s,
		.policy = (int)settings->policy,
		.stale_ttl_s = settings->stale_ttl_s,
		.max_idle_s = settings->max_idle_s,
		.compression = (int)settings->compression,
		.put_status = settings->put_status,
	};
	if (settings->max_idle_s > 0)
		(void)atomic_fetch_add(&all->idling, 1);
	ns->order_clock = &all->order_clock;
	memcpy(ns->name, name.data, name.len);
	(void)pthread_mutex_init(&ns->configure_lock, NULL);
	for (unsigned i = 0; i < SHARDS; i++) {
		shard_init(&ns->shards[i], settings->policy, &ns->usage, &all->total);
		ns->shards[i].config = all->config;
		ns->shards[i].ns = slice_of(ns->name);
		ns->shards[i].stale_us = settings->stale_ttl_s * US_PER_S;
		ns->shards[i].idle_us = settings->max_idle_s * US_PER_S;
		ns->shards[i].changes.are_noted = all->mirror != NULL;
		ns->shards[i].changes.spill_least_bytes =
			all->mirror ? all->mirror->spill_least_bytes : 0;
		ns->shards[i].changes.wake_flag = &ns->has_changes;
	}
	return ns;
}

static struct namespace *create_new(struct namespaces *all, struct slice name)
{
	struct namespace_settings settings;

	namespace_default_settings(all, name, &settings);
	struct namespace *ns = create(all, name, &settings);
	if (ns)
		namespace_note_settings(ns, NAMESPACE_IS_NEW);
	return ns;
}

static void publish(struct namespaces *all, struct namespace *_Atomic *bucket, struct namespace *ns)
{
	ns->chain = atomic_load_explicit(bucket, memory_order_relaxed);
	ns->next = atomic_load_explicit(&all->first, memory_order_relaxed);
	atomic_store_explicit(bucket, ns, memory_order_release);
	atomic_store_explicit(&all->first, ns, memory_order_release);
	(void)usage_add(&all->total.memory_bytes, sizeof(*ns));
	all->count++;
}

static void set_settings(struct namespaces *all, struct namespace *ns,
			 const struct namespace_settings *settings)
{
	atomic_store(&ns->max_size_bytes, settings->max_size_bytes);
	atomic_store(&ns->capacity, settings->capacity);
	atomic_store(&ns->default_ttl_s, settings->default_ttl_s);
	atomic_store(&ns->policy, (int)settings->policy);
	atomic_store(&ns->stale_ttl_s, settings->stale_ttl_s);
	if (atomic_exchange(&ns->max_idle_s, settings->max_idle_s) != 0)
		(void)atomic_fetch_sub(&all->idling, 1);
	atomic_store(&ns->compression, (int)settings->compression);
	atomic_store(&ns->put_status, settings->put_status);
}

/* Lets a dropped one, which is empty, exist again. With create_lock held. */
static void revive(struct namespaces *all, struct namespace *ns)
{
	struct namespace_settings settings;

	namespace_default_settings(all, slice_of(ns->name), &settings);
	namespace_lock(ns, ALL_SHARDS);
	set_settings(all, ns, &settings);
	for (unsigned i = 0; i < SHARDS; i++)
		order_set_policy(&ns->shards[i].order, settings.policy);
	namespace_note_settings(ns, NAMESPACE_IS_NEW);
	all->count++;
	atomic_store_explicit(&ns->is_dropped, false, memory_order_release);
	namespace_unlock(ns, ALL_SHARDS);
}

enum cache_status namespace_ensure(struct namespaces *all, struct namespace *ns)
{
	return namespace_find_or_create(all, slice_of(ns->name), &ns);
}

void namespace_forget(struct namespaces *all, struct namespace *ns)
{
	struct namespace_settings none = {0};

	/* Nobody may find what a later one of the name must not have. */
	set_settings(all, ns, &none);
	for (unsigned i = 0; i < SHARDS; i++) {
		struct shard *shard = &ns->shards[i];

		shard->counters = (struct shard_counters){0};
		shard->stale_us = 0;
		(void)shard_set_idle(shard, 0);
	}
	namespace_note_drop(ns);
	all->count--;
	(void)atomic_fetch_add(&ns->drops, 1);
	atomic_store_explicit(&ns->is_dropped, true, memory_order_release);
}

enum cache_status namespace_find_or_create(struct namespaces *all, struct slice name,
					   struct namespace **ret)
{
	struct namespace *_Atomic *bucket = bucket_of(all, name);
	enum cache_status status = CACHE_OK;
	unsigned max = all->config->max_namespaces;

	*ret = find_in(bucket, name);
	if (*ret && !namespace_is_dropped(*ret))
		return CACHE_OK;
	(void)pthread_mutex_lock(&all->create_lock);
	*ret = find_in(bucket, name);
	if ((!*ret || namespace_is_dropped(*ret)) && max > 0 && all->count >= max) {
		status = CACHE_TOO_MANY_NAMESPACES;
	} else if (*ret && namespace_is_dropped(*ret)) {
		revive(all, *ret);
	} else if (!*ret) {
		*ret = create_new(all, name);
		if (*ret)
			publish(all, bucket, *ret);
		else
			status = CACHE_NO_MEMORY;
	}
	(void)pthread_mutex_unlock(&all->create_lock);
	return status;
}

struct namespace *namespace_adopt(struct namespaces *all, const struct namespace_stats *stats)
{
	struct slice name = slice_of(stats->name);
	struct namespace *ns = create(all, name, &stats->settings);

	if (!ns)
		return NULL;
	ns->unloaded_entries = stats->entry_count;
	ns->unloaded_bytes = stats->used_bytes;
	(void)usage_add(&ns->usage.entry_count, stats->entry_count);
	(void)usage_add(&ns->usage.used_bytes, stats->used_bytes);
	(void)pthread_mutex_lock(&all->create_lock);
	publish(all, bucket_of(all, name), ns);
	(void)pthread_mutex_unlock(&all->create_lock);
	return ns;
}

void namespace_lock(struct namespace *ns, unsigned set)
{
	for (; set; set &= set - 1)
		(void)pthread_mutex_lock(&ns->shards[__builtin_ctz(set)].lock);
}

void namespace_unlock(struct namespace *ns, unsigned set)
{
	for (; set; set &= set - 1)
		(void)pthread_mutex_unlock(&ns->shards[__builtin_ctz(set)].lock);
}

uint64_t namespace_take_stamp(struct namespace *ns, int64_t order_us)
{
	uint64_t earliest = (uint64_t)(order_us > 0 ? order_us : 0) << STAMP_TICK_BITS;
	uint64_t last = atomic_load_explicit(&ns->last_stamp, memory_order_relaxed);
	uint64_t stamp;

	do {
		stamp = earliest > last ? earliest : last + 1;
	} while (!atomic_compare_exchange_weak_explicit(
		&ns->last_stamp, &last, stamp, memory_order_relaxed, memory_order_relaxed));
	return stamp;
}

uint64_t namespace_past_stamp(struct namespace *ns, int64_t created_at_us)
{
	unsigned tick = atomic_fetch_add_explicit(&ns->past_stamps, 1, memory_order_relaxed);

	return ((uint64_t)created_at_us << STAMP_TICK_BITS) |
	       (tick & ((1U << STAMP_TICK_BITS) - 1));
}

size_t namespace_expire(struct namespace *ns, int64_t now_us, size_t max, struct entry **trash)
{
	struct shard_time time = namespace_time(ns, now_us);
	size_t removed = 0;

	for (unsigned i = 0; i < SHARDS && removed < max; i++)
		removed += shard_expire(&ns->shards[i], time, max - removed, trash);
	return removed;
}

static void add_shard_stats(struct shard *shard, struct shard_time time, uint64_t *frequency_sum,
			    struct namespace_stats *stats)
{
	struct entry *trash = NULL;

	(void)pthread_mutex_lock(&shard->lock);
	(void)shard_expire(shard, time, STATS_EXPIRE_MAX, &trash);
	const struct shard_counters *counters = &shard->counters;
	uint64_t max_frequency = order_max_frequency(&shard->order);
	if (stats->max_frequency < max_frequency)
		stats->max_frequency = max_frequency;
	stats->entry_count += shard->table.entry_count;
	stats->total_size_bytes += shard->size_bytes;
	*frequency_sum += shard->order.frequency_sum;
	stats->hits += counters->hits;
	stats->misses += counters->misses;
	stats->sets += counters->sets;
	stats->deletes += counters->deletes;
	stats->evictions += counters->evictions;
	stats->expirations += counters->expirations;
	stats->stale_hits += counters->stale_hits;
	(void)pthread_mutex_unlock(&shard->lock);
	entry_free_list(trash);
}

void namespace_settings_of(const struct namespace *ns, struct namespace_settings *ret)
{
	*ret = (struct namespace_settings){
		.max_size_bytes = atomic_load(&ns->max_size_bytes),
		.capacity = atomic_load(&ns->capacity),
		.default_ttl_s = atomic_load(&ns->default_ttl_s),
		.policy = namespace_policy(ns),
		.max_idle_s = atomic_load(&ns->max_idle_s),
		.stale_ttl_s = atomic_load(&ns->stale_ttl_s),
		.compression = (enum compression)atomic_load(&ns->compression),
		.put_status = atomic_load(&ns->put_status),
	};
}

static void add_up(struct namespace *ns, int64_t now_us, struct namespace_stats *ret)
{
	struct shard_time time = namespace_time(ns, now_us);
	uint64_t frequency_sum = 0;

	*ret = (struct namespace_stats){0};
	namespace_settings_of(ns, &ret->settings);
	memcpy(ret->name, ns->name, sizeof(ret->name));
	for (unsigned i = 0; i < SHARDS; i++)
		add_shard_stats(&ns->shards[i], time, &frequency_sum, ret);
	ret->used_bytes = usage_read(&ns->usage.used_bytes);
	if (ret->entry_count > 0)
		ret->avg_frequency = (double)frequency_sum / (double)ret->entry_count;
}

bool namespace_stats(struct namespace *ns, int64_t now_us, struct namespace_stats *ret)
{
	unsigned drops;

	/* Not some shards of one, and some of the next of its name. */
	do {
		drops = atomic_load(&ns->drops);
		if (namespace_is_dropped(ns))
			return false;
		add_up(ns, now_us, ret);
	} while (atomic_load(&ns->drops) != drops);
	return true;
}
