/* Passes over the entries of a namespace, one shard after the other.
 *
 * While a pass is in a shard the shard's table keeps its number of buckets (table.h). So an entry
 * that stays is in the same bucket from the first step to the last, however much is added and
 * removed between the steps, and is met exactly once.
 *
 * A listing wants the `limit` smallest keys behind a given one. They are collected in a heap with
 * the largest on top, which the next smaller key replaces: n log limit comparisons at worst, and
 * memory for the answer only. There is no sorted index: it would cost every entry more than the
 * rare listing is worth. */
#include "backends/memory/passes.h"

#include <stdlib.h>

#include "backends/memory/evict.h"

/* A step ends after this many entries or buckets. */
#define STEP_ENTRIES 256
#define STEP_BUCKETS 1024

/* Looks at one entry, which it may remove; the shard is locked. False ends the pass. */
typedef bool visit_fn(void *context, struct shard *shard, struct entry *entry,
		      struct entry **trash);

/* Visits buckets from *bucket on for one step. False: the pass is to end. */
static bool visit_step(struct shard *shard, uint32_t *bucket, visit_fn *visit, void *context,
		       struct entry **trash)
{
	size_t entries = 0;

	for (size_t buckets = 0; buckets < STEP_BUCKETS && entries < STEP_ENTRIES; buckets++) {
		if (*bucket >= shard->table.bucket_count)
			break;
		struct entry *entry;
		size_t at = 0;

		while ((entry = table_at(&shard->table, *bucket, at))) {
			if (!visit(context, shard, entry, trash))
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
static bool visit_shard(struct shard *shard, visit_fn *visit, void *context)
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
		goes_on = visit_step(shard, &bucket, visit, context, &trash);
		ends = !goes_on || bucket >= shard->table.bucket_count;
		if (ends)
			shard->table.passes--;
		(void)pthread_mutex_unlock(&shard->lock);
		entry_free_list(trash);
	} while (!ends);
	return goes_on;
}

/* ---- Listing ---- */

struct listing {
	struct cache_op *op;
	size_t capacity;
	int64_t now_us;
};

static void free_key(const struct cache_entry_info *info)
{
	free((void *)(uintptr_t)info->key.data);
}

bool pass_fill_info(struct entry *entry, struct cache_entry_info *ret)
{
	struct slice key = entry_key(entry);
	char *copy = malloc(key.len ? key.len : 1);

	if (!copy)
		return false;
	if (key.len > 0)
		memcpy(copy, key.data, key.len);
	*ret = (struct cache_entry_info){
		.key = {.data = copy, .len = key.len},
		.size_bytes = entry_size_bytes(entry),
		.etag = entry_value(entry)->etag,
		.frequency = entry->frequency,
		.last_access_us = entry->last_access_us,
		.created_at_us = entry_created_at_us(entry),
		.expires_at_us = entry_value(entry)->expires_at_us,
	};
	return true;
}

static bool sorts_after(const struct cache_entry_info *a, const struct cache_entry_info *b)
{
	return slice_compare(a->key, b->key) > 0;
}

static void sift_down(struct cache_entry_info *heap, size_t count, struct cache_entry_info info)
{
	size_t at = 0;

	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < count && sorts_after(&heap[child + 1], &heap[child]))
			child++;
		if (child >= count || !sorts_after(&heap[child], &info))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = info;
}

static void sift_up(struct cache_entry_info *heap, size_t at, struct cache_entry_info info)
{
	for (; at > 0 && sorts_after(&info, &heap[(at - 1) / 2]); at = (at - 1) / 2)
		heap[at] = heap[(at - 1) / 2];
	heap[at] = info;
}

static bool make_heap_room(struct listing *listing)
{
	struct cache_op *op = listing->op;
	size_t capacity = listing->capacity ? listing->capacity * 2 : 32;

	if (op->entry_count < listing->capacity)
		return true;
	struct cache_entry_info *entries = realloc(op->entries, capacity * sizeof(*entries));
	if (!entries)
		return false;
	op->entries = entries;
	listing->capacity = capacity;
	return true;
}

/* Collects the entry if it is among the smallest so far; false: out of memory. */
static bool list_entry(void *context, struct shard *shard, struct entry *entry,
		       struct entry **trash)
{
	struct listing *listing = context;
	struct cache_op *op = listing->op;
	struct slice key = entry_key(entry);
	struct cache_entry_info info;

	(void)shard;
	(void)trash;
	if (entry_is_expired(entry, listing->now_us) || !slice_starts_with(key, op->prefix) ||
	    (op->has_after && slice_compare(key, op->after) <= 0))
		return true;
	if (op->entry_count < op->limit) {
		if (!make_heap_room(listing) || !pass_fill_info(entry, &info))
			return false;
		sift_up(op->entries, op->entry_count++, info);
		return true;
	}
	op->complete = false;
	if (slice_compare(key, op->entries[0].key) > 0)
		return true;
	if (!pass_fill_info(entry, &info))
		return false;
	free_key(&op->entries[0]);
	sift_down(op->entries, op->entry_count, info);
	return true;
}

/* Ends a sorted listing where its keys reach op->max_key_bytes. */
static void shorten(struct cache_op *op)
{
	size_t kept = 0;

	for (size_t bytes = 0; kept < op->entry_count && bytes < op->max_key_bytes; kept++)
		bytes += op->entries[kept].key.len;
	op->complete &= kept == op->entry_count;
	while (op->entry_count > kept)
		free_key(&op->entries[--op->entry_count]);
}

enum cache_status pass_scan(struct namespace *ns, struct cache_op *op, int64_t now_us)
{
	struct listing listing = {.op = op, .now_us = now_us};

	op->complete = true;
	for (unsigned i = 0; i < SHARDS; i++)
		if (!visit_shard(&ns->shards[i], list_entry, &listing))
			return CACHE_NO_MEMORY;
	/* The second half of heap sort: the largest to the end, one after the other. */
	for (size_t end = op->entry_count; end > 1; end--) {
		struct cache_entry_info last = op->entries[end - 1];

		op->entries[end - 1] = op->entries[0];
		sift_down(op->entries, end - 1, last);
	}
	if (op->max_key_bytes > 0)
		shorten(op);
	return CACHE_OK;
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
	for (unsigned i = 0; i < SHARDS; i++)
		(void)visit_shard(&ns->shards[i], clear_entry, &prefix);
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
		.size_bytes = UINT64_MAX,
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
			if (usage_read(&ns->usage.size_bytes) > max_size_bytes)
				goal.size_bytes = eviction_low_water(max_size_bytes);
			removed = evict(ns, &goal, now_us, EVICT_STEP, &trash);
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
