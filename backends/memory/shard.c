#include "backends/memory/shard.h"

#include "base/invariant.h"

void shard_init(struct shard *shard, enum eviction_policy policy, struct usage *usage,
		struct usage *total)
{
	*shard = (struct shard){.usage = usage, .total = total};
	(void)pthread_mutex_init(&shard->lock, NULL);
	order_init(&shard->order, policy);
}

void shard_deinit(struct shard *shard)
{
	table_deinit(&shard->table);
	order_deinit(&shard->order);
	expiry_deinit(&shard->expiry);
	noted_deinit(&shard->changes);
	(void)pthread_mutex_destroy(&shard->lock);
}

static void stop_expiring(struct shard *shard, struct entry *entry)
{
	if (entry_value(entry)->expires_at_us == 0)
		return;
	expiry_remove(&shard->expiry, &entry_tail(entry)->expiry);
	usage_subtract(&shard->usage->expiring, 1);
	usage_subtract(&shard->total->expiring, 1);
}

static bool start_expiring(struct shard *shard, struct entry *entry)
{
	int64_t expires_at_us = entry_value(entry)->expires_at_us;

	if (expires_at_us == 0)
		return false;
	expiry_add(&shard->expiry, &entry_tail(entry)->expiry, expires_at_us);
	(void)usage_add(&shard->usage->expiring, 1);
	return usage_add(&shard->total->expiring, 1) == 0;
}

void shard_drop_expired(struct shard *shard, struct entry *entry, struct entry **trash)
{
	shard_tell(shard, CHANGE_EXPIRE, entry_key(entry));
	shard_remove(shard, entry, trash);
	shard->counters.expirations++;
}

struct entry *shard_find(struct shard *shard, uint64_t hash, struct slice key, int64_t now_us,
			 bool *ret_stale, struct entry **trash)
{
	struct entry *entry = table_find(&shard->table, hash, key);

	*ret_stale = entry && entry_is_expired(entry, now_us);
	if (!*ret_stale || !entry_is_expired(entry, now_us - shard->stale_us))
		return entry;
	shard_drop_expired(shard, entry, trash);
	*ret_stale = false;
	return NULL;
}

bool shard_prepare(struct shard *shard, size_t entries, size_t expiring)
{
	expiry_trim(&shard->expiry);
	return table_prepare(&shard->table) && order_prepare(&shard->order) &&
	       noted_reserve(&shard->changes, entries) &&
	       (expiring == 0 || expiry_reserve(&shard->expiry, expiring));
}

bool shard_add(struct shard *shard, uint64_t hash, struct entry *entry)
{
	shard->size_bytes += entry_size_bytes(entry);
	table_add(&shard->table, hash, entry);
	order_add(&shard->order, &entry->order);
	noted_set(&shard->changes, hash, NULL, entry);
	return start_expiring(shard, entry);
}

bool shard_adopt(struct shard *shard, uint64_t hash, struct entry *entry)
{
	shard->size_bytes += entry_size_bytes(entry);
	table_add(&shard->table, hash, entry);
	order_restore(&shard->order, &entry->order);
	noted_adopt(&shard->changes, entry);
	return start_expiring(shard, entry);
}

void shard_exchange(struct shard *shard, uint64_t hash, struct entry *entry, struct entry *fresh,
		    struct entry **trash)
{
	int64_t expires_at_us = entry_value(entry)->expires_at_us;
	int64_t growth = (int64_t)entry_memory_bytes(fresh) - (int64_t)entry_memory_bytes(entry);

	/* Not by stop_expiring: the sweeper must not see that nothing expires. */
	if (expires_at_us != 0) {
		expiry_remove(&shard->expiry, &entry_tail(entry)->expiry);
		expiry_add(&shard->expiry, &entry_tail(fresh)->expiry, expires_at_us);
	}
	table_swap(&shard->table, hash, entry, fresh);
	order_swap(&shard->order, &entry->order, &fresh->order);
	noted_exchange(&shard->changes, entry, fresh);
	(void)usage_grow(&shard->usage->memory_bytes, growth, UINT64_MAX);
	if (growth < 0)
		usage_subtract(&shard->total->memory_bytes, (uint64_t)-growth);
	entry_discard(entry, trash);
}

bool shard_overwrite(struct shard *shard, uint64_t hash, struct entry *entry, struct entry *fresh,
		     int64_t now_us, struct entry **trash)
{
	stop_expiring(shard, entry);
	shard->size_bytes += entry_size_bytes(fresh) - entry_size_bytes(entry);
	table_swap(&shard->table, hash, entry, fresh);
	order_swap(&shard->order, &entry->order, &fresh->order);
	noted_set(&shard->changes, hash, entry, fresh);
	entry_discard(entry, trash);
	order_use(&shard->order, &fresh->order, now_us);
	return start_expiring(shard, fresh);
}

bool shard_replace(struct shard *shard, uint64_t hash, struct entry *entry, struct entry *fresh,
		   struct entry **trash)
{
	stop_expiring(shard, entry);
	shard->size_bytes += entry_size_bytes(fresh) - entry_size_bytes(entry);
	order_remove(&shard->order, &entry->order);
	table_swap(&shard->table, hash, entry, fresh);
	noted_set(&shard->changes, hash, entry, fresh);
	entry_discard(entry, trash);
	shard->counters.expirations++;
	order_add(&shard->order, &fresh->order);
	return start_expiring(shard, fresh);
}

void shard_remove(struct shard *shard, struct entry *entry, struct entry **trash)
{
	uint64_t memory_bytes = entry_memory_bytes(entry);

	INVARIANT(shard->size_bytes >= entry_size_bytes(entry));
	stop_expiring(shard, entry);
	order_remove(&shard->order, &entry->order);
	table_remove(&shard->table, entry_hash(entry_key(entry)), entry);
	usage_subtract(&shard->usage->entry_count, 1);
	shard->size_bytes -= entry_size_bytes(entry);
	usage_subtract(&shard->usage->used_bytes, entry_used_bytes(entry));
	usage_subtract(&shard->usage->memory_bytes, memory_bytes);
	usage_subtract(&shard->total->memory_bytes, memory_bytes);
	expiry_trim(&shard->expiry);
	if (!noted_removal(&shard->changes, entry))
		entry_discard(entry, trash);
}

size_t shard_expire(struct shard *shard, int64_t now_us, size_t max, struct entry **trash)
{
	struct expiry_node *due;
	size_t removed = 0;

	while (removed < max && (due = expiry_due(&shard->expiry, now_us - shard->stale_us))) {
		shard_drop_expired(shard, entry_of_expiry(due), trash);
		removed++;
	}
	return removed;
}
