#include "backends/memory/expire.h"

#include <string.h>

#include "store/rules.h"

/* Under the locks of the shards of the op. */
struct expire {
	struct namespace *ns;
	struct cache_op *op;
	struct shard_time time;
	unsigned shards;
	struct entry *trash;
};

/* The live entry of an item; NULL: none. */
static struct entry *live_entry(struct expire *expire, const struct cache_item *item, uint64_t hash)
{
	bool stale;
	struct entry *entry = shard_find(namespace_shard(expire->ns, hash), hash, item->key,
					 expire->time, &stale, &expire->trash);

	return stale ? NULL : entry;
}

/* Does all that can fail. */
static enum cache_status prepare(struct expire *expire)
{
	const struct cache_op *op = expire->op;
	size_t entries[SHARDS] = {0};

	if (op->item_count == 1 && op->items[0].condition.kind != CONDITION_NONE) {
		struct entry *entry =
			live_entry(expire, &op->items[0], entry_hash(op->items[0].key));

		if (!entry_condition_holds(op, entry))
			return CACHE_PRECONDITION_FAILED;
	}
	for (size_t i = 0; i < op->item_count; i++)
		entries[shard_index(entry_hash(op->items[i].key))]++;
	for (unsigned i = 0; i < SHARDS; i++)
		if (entries[i] > 0 && !shard_prepare_retime(&expire->ns->shards[i], entries[i]))
			return CACHE_NO_MEMORY;
	return CACHE_OK;
}

static enum cache_status run(struct expire *expire, bool *ret_wakes)
{
	struct cache_op *op = expire->op;
	int64_t default_ttl_s = atomic_load(&expire->ns->default_ttl_s);
	enum cache_status status = prepare(expire);

	for (size_t i = 0; i < op->item_count && status == CACHE_OK; i++) {
		struct cache_item *item = &op->items[i];
		uint64_t hash = entry_hash(item->key);
		struct entry *entry = live_entry(expire, item, hash);

		item->status = entry ? CACHE_OK : CACHE_NOT_FOUND;
		if (entry)
			*ret_wakes |= shard_retime(
				namespace_shard(expire->ns, hash), hash, entry,
				rules_expiry_us(item, default_ttl_s, expire->time.now_us));
	}
	return status;
}

enum cache_status expire_items(struct namespace *ns, struct cache_op *op, int64_t now_us,
			       bool *ret_wakes)
{
	struct expire expire = {.ns = ns, .op = op, .time = namespace_time(ns, now_us)};
	enum cache_status status;

	*ret_wakes = false;
	for (size_t i = 0; i < op->item_count; i++) {
		expire.shards |= 1U << shard_index(entry_hash(op->items[i].key));
		op->items[i].status = CACHE_NOT_FOUND;
	}
	namespace_lock(ns, expire.shards);
	if (namespace_is_dropped(ns))
		status = entry_condition_holds(op, NULL) ? CACHE_OK : CACHE_PRECONDITION_FAILED;
	else
		status = run(&expire, ret_wakes);
	namespace_unlock(ns, expire.shards);
	entry_free_list(expire.trash);
	return status == CACHE_OK ? rules_status_of_items(op) : status;
}
