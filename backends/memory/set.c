/* How a set keeps every limit at every moment, and a batch whole.
 *
 * Under the locks of the shards that it touches a set plans: it looks up what it replaces, tests
 * the condition, and computes by how much bytes, entries and memory would grow. It then reserves
 * that growth, by compare-and-swap against the limits, and stores only what is reserved; from there
 * on nothing can fail. So sets in different shards, which hold different locks, can never exceed a
 * limit together.
 *
 * If the growth does not fit, the set releases its locks, takes those of all shards, plans again,
 * and evicts in steps (evict.c). Between steps everybody else may change everything, so each step
 * plans again. The entries that it would replace are pinned, so they are not victims.
 *
 * An eviction for the byte limit does not stop as soon as the set fits, but at 80 % of the limit;
 * `pressed` remembers between the steps that one is in progress. */
#include "backends/memory/set.h"

#include <stdlib.h>

#include "backends/memory/evict.h"
#include "backends/memory/mirror/mirror.h"
#include "backends/memory/spill.h"
#include "store/rules.h"

#define INLINE_WRITES 8

/* How often a set waits until all is saved before it evicts; or is refused, if it has no room only
 * because others are quicker to take what is freed. */
#define SAVES_AWAITED         2
#define SAVES_AWAITED_AT_MOST 100

/* One item, with the findings of the plan. */
struct write {
	uint64_t hash;
	struct entry *old;   /* the entry, or NULL */
	bool old_is_stale;   /* it has expired: the set replaces it, and conditions do not see it */
	struct entry *fresh; /* the entry to be stored; ours until it is */
	int64_t expires_at_us;
};

struct set {
	struct namespaces *all;
	struct namespace *ns;
	struct cache_op *op;
	int64_t now_us;
	int64_t order_us; /* of the order clock */
	unsigned shards;  /* that it touches */
	struct write *writes;
	struct entry *trash;
	struct set_outcome outcome;

	/* The plan. */
	int64_t used_growth, entry_growth, memory_growth;
	bool stores_nothing; /* capacity 0 */

	/* The eviction in progress. */
	bool size_pressed, memory_pressed;
};

/* ---- Limits ---- */

static uint64_t max_size_bytes(const struct set *set)
{
	uint64_t max = atomic_load_explicit(&set->ns->max_size_bytes, memory_order_relaxed);

	return max ? max : UINT64_MAX;
}

static uint64_t max_entries(const struct set *set)
{
	int64_t max = atomic_load_explicit(&set->ns->capacity, memory_order_relaxed);

	return max >= 0 ? (uint64_t)max : UINT64_MAX;
}

static uint64_t max_memory_bytes(const struct set *set)
{
	return set->all->max_memory_bytes ? set->all->max_memory_bytes : UINT64_MAX;
}

/* ---- Plan ---- */

static enum cache_status refuse(struct set *set, enum cache_status status, const char *detail)
{
	set->op->detail = detail;
	return status;
}

static int64_t expiry_of(const struct set *set, const struct cache_item *item)
{
	int64_t default_ttl_s = atomic_load_explicit(&set->ns->default_ttl_s, memory_order_relaxed);

	return rules_expiry_us(item, default_ttl_s, set->now_us);
}

/* Plans one item; adds up its growth, and its total size. */
static bool plan_item(struct set *set, struct write *write, const struct cache_item *item,
		      uint64_t *used_sum, uint64_t *memory_sum)
{
	uint64_t memory_bytes = entry_memory_bytes(write->fresh);
	uint64_t used_bytes = entry_used_bytes(write->fresh);

	write->old = shard_find(namespace_shard(set->ns, write->hash), write->hash, item->key,
				(struct shard_time){set->now_us, set->order_us},
				&write->old_is_stale, &set->trash);
	struct entry *old = write->old;
	if (__builtin_add_overflow(*used_sum, used_bytes, used_sum) ||
	    __builtin_add_overflow(set->used_growth, (int64_t)used_bytes, &set->used_growth))
		return false;
	*memory_sum += memory_bytes;
	set->memory_growth += (int64_t)memory_bytes;
	if (old) {
		set->used_growth -= (int64_t)entry_used_bytes(old);
		set->memory_growth -= (int64_t)entry_memory_bytes(old);
	} else {
		set->entry_growth++;
	}
	return true;
}

static const struct entry *live_entry(const struct write *write)
{
	return write->old_is_stale ? NULL : write->old;
}

/* Refuses what no eviction can help. With the locks of the set's shards. CACHE_NOT_FOUND: the
 * namespace was dropped. */
static enum cache_status plan(struct set *set)
{
	const struct cache_op *op = set->op;
	uint64_t used_sum = 0;
	uint64_t memory_sum = 0;

	set->outcome.is_gone = namespace_is_dropped(set->ns);
	if (set->outcome.is_gone)
		return CACHE_NOT_FOUND;
	set->used_growth = 0;
	set->entry_growth = 0;
	set->memory_growth = 0;
	for (size_t i = 0; i < op->item_count; i++)
		if (!plan_item(set, &set->writes[i], &op->items[i], &used_sum, &memory_sum))
			return CACHE_TOO_LARGE;
	if (op->item_count == 1 && !entry_condition_holds(op, live_entry(&set->writes[0])))
		return CACHE_PRECONDITION_FAILED;
	set->stores_nothing = max_entries(set) == 0;
	if (set->stores_nothing)
		return CACHE_OK;
	if (used_sum > max_size_bytes(set))
		return CACHE_TOO_LARGE;
	if (op->item_count > max_entries(set))
		return refuse(set, CACHE_TOO_LARGE, RULES_REFUSAL_BATCH);
	if (memory_sum > max_memory_bytes(set))
		return refuse(set, CACHE_TOO_LARGE,
			      "the value is larger than the memory that the server may use");
	return CACHE_OK;
}

/* ---- Store ---- */

/* Does under the locks what can fail for lack of memory. */
static bool prepare(struct set *set)
{
	size_t expiring[SHARDS] = {0};
	size_t entries[SHARDS] = {0};
	size_t added[SHARDS] = {0};

	for (size_t i = 0; i < set->op->item_count; i++) {
		const struct write *write = &set->writes[i];

		expiring[shard_index(write->hash)] += write->expires_at_us != 0;
		entries[shard_index(write->hash)]++;
		added[shard_index(write->hash)] += !write->old;
	}
	for (unsigned i = 0; i < SHARDS; i++)
		if (set->shards >> i & 1 &&
		    !shard_prepare(&set->ns->shards[i], entries[i], expiring[i]))
			return false;
	for (size_t i = 0; i < set->op->item_count; i++) {
		const struct write *write = &set->writes[i];

		if (!write->old && !table_reserve(&namespace_shard(set->ns, write->hash)->table,
						  write->hash, added[shard_index(write->hash)]))
			return false;
	}
	return true;
}

/* Reserves all of the growth, or nothing of it and returns false. */
static bool reserve(struct set *set)
{
	struct usage *usage = &set->ns->usage;

	if (!usage_grow(&usage->used_bytes, set->used_growth, max_size_bytes(set)))
		return false;
	if (!usage_grow(&usage->entry_count, set->entry_growth, max_entries(set)))
		goto undo_used;
	if (!usage_grow(&set->all->total.memory_bytes, set->memory_growth, max_memory_bytes(set)))
		goto undo_entries;
	(void)usage_grow(&usage->memory_bytes, set->memory_growth, UINT64_MAX);
	return true;

undo_entries:
	usage_undo(&usage->entry_count, set->entry_growth);
undo_used:
	usage_undo(&usage->used_bytes, set->used_growth);
	return false;
}

static void stamp(const struct set *set, const struct write *write, struct cache_value *value)
{
	value->modified_at_us = set->now_us;
	value->expires_at_us = write->expires_at_us;
}

static void answer(const struct write *write, struct cache_item *item)
{
	item->created = !live_entry(write);
	item->status = CACHE_OK;
}

static int64_t past_of(const struct set *set, int64_t then_us)
{
	return order_clock_of_past(set->ns->order_clock, then_us, set->now_us);
}

/* Gives a stored entry the history of its item. */
static void restore(const struct set *set, struct shard *shard, uint64_t hash, struct entry *entry,
		    const struct cache_history *history, int64_t order_us)
{
	order_remove(&shard->order, &entry->order);
	entry->order.frequency = history->frequency > 0 ? (uint32_t)history->frequency : 1;
	entry->order.last_access_us = rules_is_past(history->last_access_us, set->now_us)
					      ? past_of(set, history->last_access_us)
					      : order_us;
	entry->order.stamp =
		rules_is_past(history->created_at_us, set->now_us)
			? namespace_past_stamp(set->ns, past_of(set, history->created_at_us))
			: namespace_take_stamp(set->ns, order_us);
	order_restore(&shard->order, &entry->order);
	shard_restored(shard, hash, entry);
}

/* `order_us`: of this item. */
static void store_item(struct set *set, struct write *write, struct cache_item *item,
		       int64_t order_us)
{
	struct shard *shard = namespace_shard(set->ns, write->hash);
	struct entry *fresh = write->fresh;

	/* If the entry has a copy, the caller's value gets the times too, unless it is part of
	 * another entry. */
	if (!cache_value_is_claimed(item->value))
		stamp(set, write, item->value);
	answer(write, item);
	shard->counters.sets++;
	shard_tell(shard, CHANGE_SET, item->key);
	write->fresh = NULL;
	if (live_entry(write)) {
		set->outcome.wakes |= shard_overwrite(shard, write->hash, write->old, fresh,
						      order_us, &set->trash);
		if (item->history)
			restore(set, shard, write->hash, fresh, item->history, order_us);
		return;
	}
	fresh->order.last_access_us = order_us;
	fresh->order.stamp = namespace_take_stamp(set->ns, order_us);
	if (write->old)
		set->outcome.wakes |=
			shard_replace(shard, write->hash, write->old, fresh, &set->trash);
	else
		set->outcome.wakes |= shard_add(shard, write->hash, fresh);
	if (item->history)
		restore(set, shard, write->hash, fresh, item->history, order_us);
}

/* If nothing is stored, the former value must not be served any more. */
static void remove_old(struct set *set, const struct write *write)
{
	struct shard *shard = namespace_shard(set->ns, write->hash);

	if (write->old && write->old_is_stale) {
		shard_drop_expired(shard, write->old, &set->trash);
	} else if (write->old) {
		shard_tell(shard, CHANGE_EVICT, entry_key(write->old));
		shard_remove(shard, write->old, &set->trash);
		shard->counters.evictions++;
	}
}

/* Carries out the plan. CACHE_NO_SPACE if it does not fit. */
static enum cache_status store(struct set *set)
{
	struct cache_op *op = set->op;

	if (set->stores_nothing) {
		for (size_t i = 0; i < op->item_count; i++) {
			/* Tells a cache in front that nothing is stored. */
			entry_value(set->writes[i].fresh)->modified_at_us = 0;
			answer(&set->writes[i], &op->items[i]);
			remove_old(set, &set->writes[i]);
		}
		return CACHE_OK;
	}
	if (!prepare(set))
		return CACHE_NO_MEMORY;
	if (!reserve(set))
		return CACHE_NO_SPACE;
	for (size_t i = 0; i < op->item_count; i++)
		store_item(set, &set->writes[i], &op->items[i], set->order_us + (int64_t)i);
	order_clock_pass(set->ns->order_clock, set->order_us, op->item_count);
	return CACHE_OK;
}

/* ---- Eviction ---- */

static void pin(struct set *set, bool pinned)
{
	for (size_t i = 0; i < set->op->item_count; i++)
		if (set->writes[i].old)
			set->writes[i].old->order.pinned = pinned;
}

static struct evict_goal goal_of(struct set *set)
{
	uint64_t size = max_size_bytes(set);
	uint64_t memory = max_memory_bytes(set);

	set->size_pressed |= !usage_fits(&set->ns->usage.used_bytes, set->used_growth, size);
	set->memory_pressed |=
		!usage_fits(&set->all->total.memory_bytes, set->memory_growth, memory);
	if (set->size_pressed && size != UINT64_MAX)
		size = rules_low_water(size);
	if (set->memory_pressed)
		memory = evict_memory_low_water(memory);
	return (struct evict_goal){
		.used_bytes = rules_leave_room(size, set->used_growth),
		.entry_count = rules_leave_room(max_entries(set), set->entry_growth),
		.total_memory_bytes = rules_leave_room(memory, set->memory_growth),
	};
}

enum step { STEP_DONE, STEP_AGAIN, STEP_NEEDS_MEMORY };

static bool lacks_memory(const struct set *set)
{
	return !usage_fits(&set->all->total.memory_bytes, set->memory_growth,
			   max_memory_bytes(set));
}

/* Whether memory lacks room only until what others have set is saved: then nothing is evicted. */
static bool is_ahead_of_copy(const struct set *set)
{
	uint64_t used = usage_read(&set->all->total.memory_bytes);
	uint64_t max = max_memory_bytes(set);
	uint64_t room = used < max ? max - used : 0;

	/* The growth exceeds the room. */
	return set->all->mirror && lacks_memory(set) &&
	       spill_will_free(set->all,
			       (used > max ? used - max : 0) + (uint64_t)set->memory_growth - room);
}

/* Has the set wait, or refuses it. */
static enum cache_status await_copy(struct set *set)
{
	set->outcome.waits = set->op->progress < SAVES_AWAITED_AT_MOST;
	if (set->outcome.waits)
		return CACHE_NO_SPACE;
	return refuse(set, CACHE_UNAVAILABLE,
		      "memory is full of what is not written to the database yet; try again");
}

/* One attempt with all shards locked. */
static enum step try_evicting(struct set *set, enum cache_status *status,
			      struct evict_goal *ret_goal)
{
	/* A plan of ten thousand items costs more than 512 victims: then evict more at a time. */
	size_t max = set->op->item_count > EVICT_STEP ? set->op->item_count : EVICT_STEP;

	*status = plan(set);
	if (*status != CACHE_OK)
		return STEP_DONE;
	if (is_ahead_of_copy(set)) {
		*status = await_copy(set);
		return STEP_DONE;
	}
	if (namespace_expire(set->ns, set->now_us, max, &set->trash) == max)
		return STEP_AGAIN;
	*ret_goal = goal_of(set);
	pin(set, true);
	size_t removed = evict_step(set->ns, ret_goal, set->order_us, max, &set->trash);
	pin(set, false);
	if (removed == max && !evict_goal_met(set->ns, ret_goal))
		return STEP_AGAIN;
	*status = store(set);
	if (*status != CACHE_NO_SPACE ||
	    !usage_fits(&set->ns->usage.used_bytes, set->used_growth, max_size_bytes(set)) ||
	    !usage_fits(&set->ns->usage.entry_count, set->entry_growth, max_entries(set)))
		return STEP_DONE;
	return STEP_NEEDS_MEMORY;
}

static enum cache_status set_evicting(struct set *set)
{
	struct evict_goal goal = {0};
	enum cache_status status;
	enum step step;

	do {
		namespace_lock(set->ns, ALL_SHARDS);
		step = try_evicting(set, &status, &goal);
		namespace_unlock(set->ns, ALL_SHARDS);
		entry_free_list(set->trash);
		set->trash = NULL;
		if (step == STEP_NEEDS_MEMORY &&
		    evict_elsewhere(set->all, set->ns, goal.total_memory_bytes, set->now_us) == 0)
			return refuse(set, status, "the server's memory limit is reached");
	} while (step != STEP_DONE);
	if (status == CACHE_NO_SPACE && !set->outcome.waits)
		return refuse(set, status, RULES_REFUSAL_FULL);
	return status;
}

/* ---- A store with a copy ---- */

static enum cache_status try_once(struct set *set)
{
	namespace_lock(set->ns, set->shards);
	enum cache_status status = plan(set);
	if (status == CACHE_OK)
		status = store(set);
	namespace_unlock(set->ns, set->shards);
	return status;
}

/* Values that the copy has give up their memory before anything is evicted. CACHE_NO_SPACE: it must
 * wait, or something must be evicted. */
static enum cache_status set_spilling(struct set *set)
{
	const struct memory_mirror *mirror = set->all->mirror;
	enum cache_status status = CACHE_NO_SPACE;

	while (status == CACHE_NO_SPACE && lacks_memory(set)) {
		uint64_t goal = rules_leave_room(evict_memory_low_water(max_memory_bytes(set)),
						 set->memory_growth);

		if (spill_some(set->all, goal) == 0)
			break;
		status = try_once(set);
	}
	if (status != CACHE_NO_SPACE)
		return status;
	/* What is not loaded yet may be what has to go; what is not saved yet cannot be spilled. */
	set->outcome.waits =
		atomic_load(&mirror->is_loading) ||
		(lacks_memory(set) && set->op->progress < SAVES_AWAITED && spill_waits(set->all));
	return status;
}

/* ---- The operation ---- */

/* Makes the entry of an item, which may copy megabytes: before any lock is taken. */
static enum cache_status prepare_write(struct set *set, struct write *write,
				       const struct cache_item *item)
{
	int64_t expires_at_us = expiry_of(set, item);
	bool has_tail = expires_at_us != 0 || item->size_bytes != item->value->len_bytes;

	if (item->key.len > ENTRY_KEY_MAX_LEN)
		return refuse(set, CACHE_TOO_LARGE, "the key is longer than 1 GiB");
	write->hash = entry_hash(item->key);
	write->expires_at_us = expires_at_us;
	write->fresh = entry_create(item->key, item->value, has_tail);
	if (!write->fresh)
		return CACHE_NO_MEMORY;
	stamp(set, write, entry_value(write->fresh));
	if (has_tail)
		entry_tail(write->fresh)->size_bytes = item->size_bytes;
	set->shards |= 1U << shard_index(write->hash);
	return CACHE_OK;
}

static enum cache_status run(struct set *set)
{
	enum cache_status status = CACHE_OK;
	struct cache_op *op = set->op;
	size_t prepared = 0;

	for (; prepared < op->item_count && status == CACHE_OK; prepared++) {
		set->writes[prepared] = (struct write){0};
		status = prepare_write(set, &set->writes[prepared], &op->items[prepared]);
	}
	if (status == CACHE_OK)
		status = try_once(set);
	if (status == CACHE_NO_SPACE && set->all->mirror)
		status = set_spilling(set);
	if (status == CACHE_NO_SPACE && !set->outcome.waits)
		status = set_evicting(set);

	for (size_t i = 0; i < prepared; i++)
		entry_free_list(set->writes[i].fresh);
	entry_free_list(set->trash);
	return status;
}

enum cache_status set_items(struct namespaces *all, struct namespace *ns, struct cache_op *op,
			    int64_t now_us, struct set_outcome *ret)
{
	struct write inline_writes[INLINE_WRITES];
	struct set set = {
		.all = all,
		.ns = ns,
		.op = op,
		.now_us = now_us,
		.order_us = order_clock_at(&all->order_clock, now_us),
	};
	enum cache_status status = CACHE_NO_MEMORY;

	set.writes = op->item_count <= INLINE_WRITES ? inline_writes
						     : malloc(op->item_count * sizeof(*set.writes));
	if (set.writes)
		status = run(&set);
	if (set.writes != inline_writes)
		free(set.writes);
	*ret = set.outcome;
	return status;
}
