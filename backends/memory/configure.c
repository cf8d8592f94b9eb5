#include "backends/memory/configure.h"

#include "backends/memory/evict.h"
#include "store/rules.h"

static void set_policy(struct namespace *ns, enum eviction_policy policy)
{
	atomic_store(&ns->policy, (int)policy);
	/* One shard after the other: an eviction in between takes the best of the shards'
	 * candidates, by each shard's own order, old or new. */
	for (unsigned i = 0; i < SHARDS; i++) {
		struct shard *shard = &ns->shards[i];

		(void)pthread_mutex_lock(&shard->lock);
		order_set_policy(&shard->order, policy);
		(void)pthread_mutex_unlock(&shard->lock);
	}
}

/* Entries that a shorter time makes due go with the next sweep. */
static void set_stale_ttl(struct namespace *ns, int64_t stale_ttl_s)
{
	atomic_store(&ns->stale_ttl_s, stale_ttl_s);
	for (unsigned i = 0; i < SHARDS; i++) {
		(void)pthread_mutex_lock(&ns->shards[i].lock);
		ns->shards[i].stale_us = stale_ttl_s * US_PER_S;
		(void)pthread_mutex_unlock(&ns->shards[i].lock);
	}
}

/* Evicts until the limits hold; for the byte limit down to 80 %, as a set does. */
static void enforce_limits(struct namespace *ns, int64_t now_us)
{
	uint64_t max_size_bytes = atomic_load(&ns->max_size_bytes);
	int64_t capacity = atomic_load(&ns->capacity);
	struct evict_goal goal = {
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
			removed = evict_step(ns, &goal, order_clock_at(ns->order_clock, now_us),
					     EVICT_STEP, &trash);
		}
		namespace_unlock(ns, ALL_SHARDS);
		entry_free_list(trash);
	} while (removed == EVICT_STEP);
}

static bool set_shards_idle(struct namespace *ns, int64_t max_idle_s)
{
	bool is_done = true;

	for (unsigned i = 0; i < SHARDS && is_done; i++) {
		(void)pthread_mutex_lock(&ns->shards[i].lock);
		is_done = shard_set_idle(&ns->shards[i], max_idle_s * US_PER_S);
		(void)pthread_mutex_unlock(&ns->shards[i].lock);
	}
	return is_done;
}

/* What a shorter time makes due goes with the next sweep. */
static bool set_max_idle(struct namespaces *all, struct namespace *ns, int64_t max_idle_s)
{
	int64_t before_s = atomic_load(&ns->max_idle_s);

	if (!set_shards_idle(ns, max_idle_s)) {
		/* Where it was changed there is room for the former one. */
		(void)set_shards_idle(ns, before_s);
		return false;
	}
	atomic_store(&ns->max_idle_s, max_idle_s);
	if (before_s == 0 && max_idle_s > 0)
		(void)atomic_fetch_add(&all->idling, 1);
	else if (before_s > 0 && max_idle_s == 0)
		(void)atomic_fetch_sub(&all->idling, 1);
	return true;
}

/* With configure_lock held. */
static enum cache_status configure(struct namespaces *all, struct namespace *ns,
				   const struct cache_op *op, int64_t now_us)
{
	const struct namespace_settings *settings = &op->settings;
	enum cache_status status = namespace_ensure(all, ns);

	if (status != CACHE_OK)
		return status;
	if (op->settings_mask & SETTING_MAX_IDLE && !set_max_idle(all, ns, settings->max_idle_s))
		return CACHE_NO_MEMORY;
	if (op->settings_mask & SETTING_MAX_SIZE)
		atomic_store(&ns->max_size_bytes, settings->max_size_bytes);
	if (op->settings_mask & SETTING_CAPACITY)
		atomic_store(&ns->capacity, settings->capacity);
	if (op->settings_mask & SETTING_DEFAULT_TTL)
		atomic_store(&ns->default_ttl_s, settings->default_ttl_s);
	if (op->settings_mask & SETTING_STALE_TTL)
		set_stale_ttl(ns, settings->stale_ttl_s);
	if (op->settings_mask & SETTING_COMPRESSION)
		atomic_store(&ns->compression, (int)settings->compression);
	if (op->settings_mask & SETTING_PUT_STATUS)
		atomic_store(&ns->put_status, settings->put_status);
	if (op->settings_mask & SETTING_POLICY && settings->policy != namespace_policy(ns))
		set_policy(ns, settings->policy);
	namespace_note_settings(ns, op->settings_mask);
	enforce_limits(ns, now_us);
	return CACHE_OK;
}

enum cache_status configure_namespace(struct namespaces *all, struct namespace *ns,
				      const struct cache_op *op, int64_t now_us)
{
	(void)pthread_mutex_lock(&ns->configure_lock);
	enum cache_status status = configure(all, ns, op, now_us);
	(void)pthread_mutex_unlock(&ns->configure_lock);
	return status;
}
