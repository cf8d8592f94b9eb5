#include "backends/memory/clear.h"

#include <stdlib.h>

#include "backends/memory/visit.h"
#include "base/invariant.h"

/* ---- By prefix ---- */

/* What was stored that long before a clear began may have been told of after it: a set reads the
 * clock before it waits for its lock. */
#define TOLD_AFTER_US (10 * US_PER_S)

struct clearing {
	struct slice prefix;
	int64_t recent_us,
		recent_order_us; /* by either clock: perhaps stored after the beginning */
};

static bool clear_entry(void *context, struct shard *shard, struct entry *entry,
			struct entry **trash)
{
	const struct clearing *clearing = context;

	if (!slice_starts_with(entry_key(entry), clearing->prefix))
		return true;
	if (entry_value(entry)->modified_at_us >= clearing->recent_us ||
	    entry->order.last_access_us >= clearing->recent_order_us)
		shard_tell(shard, CHANGE_DELETE, entry_key(entry));
	shard_remove(shard, entry, trash);
	shard->counters.deletes++;
	return true;
}

void clear_prefix(struct namespace *ns, struct slice prefix, int64_t now_us)
{
	struct clearing clearing = {
		.prefix = prefix,
		.recent_us = now_us - TOLD_AFTER_US,
		.recent_order_us = order_clock_at(ns->order_clock, now_us) - TOLD_AFTER_US,
	};
	struct visitor visitor = {.visit = clear_entry, .context = &clearing};

	shard_tell(&ns->shards[0], CHANGE_CLEAR, prefix);
	(void)visit_entries(ns, &visitor);
}

/* ---- All at once ---- */

/* With all shards locked. */
static void take(struct namespaces *all, struct namespace *ns, struct cleared *cleared)
{
	uint64_t entry_count = 0;

	cleared->tombstones = NULL;
	shard_tell(&ns->shards[0], CHANGE_CLEAR, (struct slice){0});
	for (unsigned i = 0; i < SHARDS; i++) {
		struct shard *shard = &ns->shards[i];

		shard_empty(shard, &cleared->tables[i], namespace_policy(ns), &cleared->tombstones);
		shard->counters.deletes += cleared->tables[i].entry_count;
		entry_count += cleared->tables[i].entry_count;
	}
	/* With all locks held the usage is exactly that of the entries. */
	INVARIANT(entry_count == usage_read(&ns->usage.entry_count));
	uint64_t memory_bytes = atomic_exchange(&ns->usage.memory_bytes, 0);
	usage_subtract(&all->total.memory_bytes, memory_bytes);
	usage_subtract(&all->total.expiring, atomic_exchange(&ns->usage.expiring, 0));
	atomic_store(&ns->usage.entry_count, 0);
	atomic_store(&ns->usage.used_bytes, 0);
}

void clear_take(struct namespaces *all, struct namespace *ns, struct cleared *cleared)
{
	namespace_lock(ns, ALL_SHARDS);
	take(all, ns, cleared);
	namespace_note_clear(ns);
	namespace_unlock(ns, ALL_SHARDS);
	namespace_forbid_runs(ns);
}

bool clear_drop(struct namespaces *all, struct namespace *ns, struct cleared *cleared)
{
	(void)pthread_mutex_lock(&all->create_lock);
	bool exists = !namespace_is_dropped(ns);
	if (exists) {
		namespace_lock(ns, ALL_SHARDS);
		take(all, ns, cleared);
		namespace_forget(all, ns);
		namespace_unlock(ns, ALL_SHARDS);
		namespace_forbid_runs(ns);
	}
	(void)pthread_mutex_unlock(&all->create_lock);
	return exists;
}

void clear_free(struct cleared *cleared)
{
	while (cleared) {
		struct cleared *next = cleared->next;

		for (unsigned i = 0; i < SHARDS; i++)
			table_deinit(&cleared->tables[i]);
		entry_free_list(cleared->tombstones);
		free(cleared);
		cleared = next;
	}
}
