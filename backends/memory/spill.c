#include "backends/memory/spill.h"

/* The buckets that the hand passes while the lock is held once. */
#define STEP_BUCKETS 32
/* An entry stays for a second round. */
#define ROUNDS 2
/* What an entry keeps when its value gives up its memory, and more. */
#define KEPT_BYTES 512

static bool spill(struct shard *shard, struct entry *entry, struct entry **trash)
{
	struct entry *head = entry_create_head(entry_key(entry), entry_value(entry));

	if (!head)
		return false;
	entry_tail(head)->size_bytes = entry_size_bytes(entry);
	if (shard_exchange(shard, entry_hash(entry_key(entry)), entry, head, trash))
		return true;
	entry_free_list(head);
	return false;
}

/* The hand passes some buckets. Returns how many entries were spilled. */
static size_t step(struct shard *shard, const struct usage *total, uint64_t goal_bytes,
		   struct entry **trash)
{
	struct entry *entry;
	size_t spilled = 0;

	for (unsigned i = 0; i < STEP_BUCKETS; i++) {
		if (shard->hand >= shard->table.bucket_count)
			shard->hand = 0;
		if (shard->table.bucket_count == 0)
			break;
		for (size_t at = 0; (entry = table_at(&shard->table, shard->hand, at)); at++) {
			if (!noted_may_spill(&shard->changes, entry) ||
			    usage_read(&total->memory_bytes) <= goal_bytes)
				continue;
			if (entry_has(entry, ENTRY_WAS_USED))
				entry_unmark(entry, ENTRY_WAS_USED);
			else
				spilled += spill(shard, entry, trash);
		}
		shard->hand++;
	}
	return spilled;
}

/* Both rounds of one shard, until the goal is reached. */
static size_t spill_shard(struct shard *shard, const struct usage *total, uint64_t goal_bytes)
{
	size_t spilled = 0;
	uint64_t passed = 0;
	uint64_t buckets;

	do {
		struct entry *trash = NULL;

		(void)pthread_mutex_lock(&shard->lock);
		buckets = shard->table.bucket_count;
		spilled += step(shard, total, goal_bytes, &trash);
		(void)pthread_mutex_unlock(&shard->lock);
		entry_free_list(trash);
		passed += STEP_BUCKETS;
	} while (usage_read(&total->memory_bytes) > goal_bytes && passed < ROUNDS * buckets &&
		 usage_read(&shard->changes.spillable_entries) > 0);
	return spilled;
}

size_t spill_some(struct namespaces *all, uint64_t goal_bytes)
{
	const struct usage *total = &all->total;
	/* Begins where the last one may have ended, so that all shards take turns. */
	unsigned first = atomic_fetch_add_explicit(&all->spills, 1, memory_order_relaxed);
	size_t spilled = 0;

	for (unsigned i = 0; i < SHARDS; i++) {
		struct namespace *ns = atomic_load_explicit(&all->first, memory_order_acquire);

		for (; ns; ns = ns->next) {
			struct shard *shard = &ns->shards[(first + i) % SHARDS];

			if (usage_read(&total->memory_bytes) <= goal_bytes)
				return spilled;
			if (usage_read(&shard->changes.spillable_entries) > 0)
				spilled += spill_shard(shard, total, goal_bytes);
		}
	}
	return spilled;
}

bool spill_waits(const struct namespaces *all)
{
	const struct namespace *ns = atomic_load_explicit(&all->first, memory_order_acquire);

	for (; ns; ns = ns->next)
		for (unsigned i = 0; i < SHARDS; i++)
			if (usage_read(&ns->shards[i].changes.unsaved_entries) > 0)
				return true;
	return false;
}

bool spill_will_free(const struct namespaces *all, uint64_t bytes)
{
	const struct namespace *ns = atomic_load_explicit(&all->first, memory_order_acquire);
	uint64_t freed = 0, kept = 0;

	for (; ns; ns = ns->next)
		for (unsigned i = 0; i < SHARDS; i++) {
			const struct noted *changes = &ns->shards[i].changes;

			if (usage_read(&changes->spillable_entries) > 0)
				return true;
			freed += usage_read(&changes->unsaved_bytes);
			kept += KEPT_BYTES * usage_read(&changes->unsaved_entries);
		}
	return freed > kept && freed - kept >= bytes;
}
