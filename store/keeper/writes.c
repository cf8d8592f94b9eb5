/* A set plans first: it looks up what it replaces, tests the condition, and computes by how much
 * bytes and entries would grow. If the growth does not fit, expired entries are removed, and then
 * victims. Entries that the set would replace are pinned, so they are not victims. An eviction for
 * the byte limit does not end as soon as the set fits, but at 80 % of the limit. */
#include "store/keeper/writes.h"

#include <stdlib.h>

#include "store/keeper/room.h"
#include "store/keeper/settings.h"
#include "store/rules.h"

#define INLINE_WRITES 8

/* One item, with the findings of the plan. */
struct item_write {
	struct keeper_entry *old;   /* the entry of the key, or NULL */
	bool old_is_live;           /* false: it has expired, and conditions do not see it */
	struct keeper_entry *fresh; /* the entry to be stored; ours until it is a step */
	char *joined; /* its body if the type is in it; ours until it is a step; else NULL */
};

struct set {
	struct keeper *keeper;
	struct keeper_space *space;
	struct cache_op *op;
	int64_t now_us, order_us;
	struct item_write *writes;
	int64_t used_growth, entry_growth;
	bool is_pressed; /* an eviction for the limit of bytes is needed */
};

/* ---- New entries ---- */

static int64_t past_of(const struct set *set, int64_t then_us)
{
	return order_clock_of_past(&set->keeper->order_clock, then_us, set->now_us);
}

/* Gives a fresh entry the history of its item. */
static void restore(const struct set *set, struct order_node *node,
		    const struct cache_history *history, int64_t order_us)
{
	node->frequency = history->frequency > 0 ? (uint32_t)history->frequency : 1;
	node->last_access_us = rules_is_past(history->last_access_us, set->now_us)
				       ? past_of(set, history->last_access_us)
				       : order_us;
	node->stamp =
		rules_is_past(history->created_at_us, set->now_us)
			? keeper_space_past_stamp(set->space, past_of(set, history->created_at_us))
			: keeper_space_take_stamp(set->space, order_us);
}

/* Gives a fresh entry its history: that of the item, or that of the live entry, which a set uses,
 * or a new one. `order_us`: of this item. */
static void give_history(const struct set *set, struct item_write *write,
			 const struct cache_item *item, int64_t order_us)
{
	struct order_node *node = &write->fresh->node;

	node->last_access_us = order_us;
	if (item->history) {
		restore(set, node, item->history, order_us);
	} else if (write->old && write->old_is_live) {
		node->stamp = write->old->node.stamp;
		node->frequency = write->old->node.frequency;
		node->frequency += node->frequency < UINT32_MAX;
	} else {
		node->stamp = keeper_space_take_stamp(set->space, order_us);
	}
}

/* The body that the driver gets. If the type is too long for a record's head it stands in front of
 * the value, in memory that the caller frees: *ret_joined. No data: out of memory. */
static struct slice body_of(const struct cache_value *value, char **ret_joined)
{
	struct slice type = cache_value_head(value);
	struct slice bytes = cache_value_bytes(value);

	*ret_joined = NULL;
	if (type.len <= RECORD_TYPE_MAX_LEN)
		return bytes;
	if (bytes.len <= CACHE_VALUE_MAX_BYTES - type.len)
		*ret_joined = malloc(type.len + bytes.len);
	if (!*ret_joined)
		return (struct slice){0};
	memcpy(*ret_joined, type.data, type.len);
	memcpy(*ret_joined + type.len, bytes.data, bytes.len);
	return (struct slice){*ret_joined, type.len + bytes.len};
}

static bool make_entry(const struct set *set, struct item_write *write,
		       const struct cache_item *item)
{
	const struct cache_value *value = item->value;
	struct slice body = body_of(value, &write->joined);
	struct slice type = cache_value_head(value);
	struct keeper_record record = {
		.kind = RECORD_ENTRY,
		.entry =
			{
				.size_bytes = item->size_bytes,
				.modified_at_us = set->now_us,
				.expires_at_us = rules_expiry_us(
					item, set->space->settings.default_ttl_s, set->now_us),
				.body_check = keeper_record_check_body(body),
				.frequency = 1,
				.len_bytes = value->len_bytes,
				.etag = value->etag,
				.flags = value->flags,
				.type = write->joined ? (struct slice){0} : type,
				.body_type_len = (uint16_t)(write->joined ? type.len : 0),
			},
	};

	if (!body.data)
		return false;
	write->fresh = keeper_entry_create(item->key, &record,
					   keeper_index_find(&set->space->index, item->key));
	return write->fresh != NULL;
}

/* ---- Plan ---- */

static enum cache_status refuse(const struct set *set, enum cache_status status, const char *detail)
{
	set->op->detail = detail;
	return status;
}

/* Plans one item; adds up its growth, and its total size. */
static bool plan_item(struct set *set, struct item_write *write, uint64_t *used_sum)
{
	uint64_t used_bytes = keeper_entry_used_bytes(write->fresh);

	write->old = keeper_index_find(&set->space->index, keeper_entry_key(write->fresh));
	write->old_is_live = write->old && keeper_entry_is_live(write->old, set->now_us) &&
			     !keeper_space_is_idle(set->space, write->old, set->order_us);
	if (__builtin_add_overflow(*used_sum, used_bytes, used_sum) ||
	    __builtin_add_overflow(set->used_growth, (int64_t)used_bytes, &set->used_growth))
		return false;
	if (write->old)
		set->used_growth -= (int64_t)keeper_entry_used_bytes(write->old);
	else
		set->entry_growth++;
	return true;
}

/* Refuses what no eviction can help. */
static enum cache_status plan(struct set *set)
{
	const struct cache_op *op = set->op;
	const struct item_write *first = &set->writes[0];
	uint64_t used_sum = 0;

	set->used_growth = 0;
	set->entry_growth = 0;
	for (size_t i = 0; i < op->item_count; i++)
		if (!plan_item(set, &set->writes[i], &used_sum))
			return CACHE_TOO_LARGE;
	if (!rules_condition_holds(op, first->old_is_live ? &first->old->etag : NULL))
		return CACHE_PRECONDITION_FAILED;
	if (keeper_room_max_entries(set->space) == 0)
		return CACHE_OK;
	if (used_sum > keeper_room_max_bytes(set->space))
		return CACHE_TOO_LARGE;
	if (op->item_count > keeper_room_max_entries(set->space))
		return refuse(set, CACHE_TOO_LARGE, RULES_REFUSAL_BATCH);
	return CACHE_OK;
}

/* ---- Room ---- */

static bool fits(uint64_t now, int64_t growth, uint64_t max)
{
	return growth <= 0 || (now <= max && (uint64_t)growth <= max - now);
}

static bool bytes_fit(const struct set *set)
{
	return fits(set->space->used_bytes, set->used_growth, keeper_room_max_bytes(set->space));
}

static bool all_fits(const struct set *set)
{
	return bytes_fit(set) && fits(set->space->index.count, set->entry_growth,
				      keeper_room_max_entries(set->space));
}

static void pin(const struct set *set, bool pinned)
{
	for (size_t i = 0; i < set->op->item_count; i++)
		if (set->writes[i].old)
			set->writes[i].old->node.pinned = pinned;
}

static enum cache_status evict(struct set *set)
{
	uint64_t max_bytes = keeper_room_max_bytes(set->space);
	size_t removed;

	if (!bytes_fit(set))
		max_bytes = rules_low_water(max_bytes);
	struct keeper_goal goal = {
		.used_bytes = rules_leave_room(max_bytes, set->used_growth),
		.entry_count =
			rules_leave_room(keeper_room_max_entries(set->space), set->entry_growth),
	};
	pin(set, true);
	enum cache_status status = keeper_room_evict(set->keeper, set->space, &goal, set->order_us,
						     SIZE_MAX, &removed);
	pin(set, false);
	return status;
}

/* Removes expired entries, plans again, and evicts. *ret_mark: the steps that stay if the set is
 * refused. */
static enum cache_status make_room(struct set *set, size_t *ret_mark)
{
	size_t removed;
	enum cache_status status =
		keeper_room_expire(set->keeper, set->space, set->now_us, SIZE_MAX, &removed);

	if (status == CACHE_OK) {
		*ret_mark = set->keeper->changes.count;
		status = plan(set);
	}
	if (status == CACHE_OK && !all_fits(set))
		status = evict(set);
	if (status == CACHE_OK && !all_fits(set))
		status = refuse(set, CACHE_NO_SPACE, RULES_REFUSAL_FULL);
	return status;
}

/* ---- Store ---- */

static bool store_item(struct set *set, struct item_write *write, struct cache_item *item,
		       int64_t order_us)
{
	struct slice body = cache_value_bytes(item->value);

	if (write->joined)
		body = (struct slice){write->joined, (size_t)keeper_entry_body_len(write->fresh)};
	give_history(set, write, item, order_us);
	item->value->modified_at_us = set->now_us;
	item->value->expires_at_us = write->fresh->expires_at_us;
	if (!keeper_changes_put(&set->keeper->changes, set->space, write->old, write->old_is_live,
				write->fresh, body, write->joined))
		return false;
	write->fresh = NULL;
	write->joined = NULL;
	return true;
}

/* If nothing is stored, an existing entry does not stay either. */
static bool remove_old(struct set *set, const struct item_write *write)
{
	struct keeper_counters *counters = &set->space->counters;

	return !write->old || keeper_changes_remove(&set->keeper->changes, set->space, write->old,
						    write->old_is_live ? &counters->evictions
								       : &counters->expirations);
}

static enum cache_status store(struct set *set)
{
	struct cache_op *op = set->op;
	bool stores = keeper_room_max_entries(set->space) > 0;

	for (size_t i = 0; i < op->item_count; i++) {
		struct item_write *write = &set->writes[i];

		op->items[i].created = !write->old_is_live;
		op->items[i].status = CACHE_OK;
		if (stores ? !store_item(set, write, &op->items[i], set->order_us + (int64_t)i)
			   : !remove_old(set, write))
			return CACHE_NO_MEMORY;
	}
	order_clock_pass(&set->keeper->order_clock, set->order_us, op->item_count);
	return CACHE_OK;
}

static enum cache_status run_set(struct set *set)
{
	size_t mark = set->keeper->changes.count;
	enum cache_status status = CACHE_OK;

	for (size_t i = 0; i < set->op->item_count && status == CACHE_OK; i++) {
		if (!make_entry(set, &set->writes[i], &set->op->items[i]))
			status = CACHE_NO_MEMORY;
	}
	if (status == CACHE_OK)
		status = plan(set);
	if (status == CACHE_OK && keeper_room_max_entries(set->space) > 0 && !all_fits(set))
		status = make_room(set, &mark);
	if (status == CACHE_OK)
		status = store(set);
	if (status != CACHE_OK)
		keeper_changes_undo(set->keeper, mark);
	for (size_t i = 0; i < set->op->item_count; i++) {
		free(set->writes[i].fresh);
		free(set->writes[i].joined);
	}
	return status;
}

enum cache_status keeper_writes_set(struct keeper *keeper, struct cache_op *op, int64_t now_us)
{
	struct item_write inline_writes[INLINE_WRITES] = {0};
	struct set set = {
		.keeper = keeper,
		.op = op,
		.now_us = now_us,
		.order_us = order_clock_at(&keeper->order_clock, now_us),
		.writes = inline_writes,
	};
	enum cache_status status = keeper_settings_space(keeper, op->ns, &set.space);

	if (status == CACHE_OK && op->item_count > INLINE_WRITES) {
		set.writes = calloc(op->item_count, sizeof(*set.writes));
		if (!set.writes)
			status = CACHE_NO_MEMORY;
	}
	if (status == CACHE_OK)
		status = run_set(&set);
	if (set.writes != inline_writes)
		free(set.writes);
	return status;
}

/* ---- Delete ---- */

static enum cache_status delete_item(struct keeper *keeper, struct keeper_space *space,
				     const struct cache_op *op, struct cache_item *item,
				     int64_t now_us)
{
	struct keeper_entry *entry = space ? keeper_index_find(&space->index, item->key) : NULL;
	bool is_live =
		entry && keeper_entry_is_live(entry, now_us) &&
		!keeper_space_is_idle(space, entry, order_clock_at(&keeper->order_clock, now_us));

	item->status = is_live ? CACHE_OK : CACHE_NOT_FOUND;
	if (!rules_condition_holds(op, is_live ? &entry->etag : NULL)) {
		item->status = CACHE_PRECONDITION_FAILED;
		return CACHE_OK;
	}
	if (!entry)
		return CACHE_OK;
	return keeper_changes_remove(&keeper->changes, space, entry,
				     is_live ? &space->counters.deletes
					     : &space->counters.expirations)
		       ? CACHE_OK
		       : CACHE_NO_MEMORY;
}

enum cache_status keeper_writes_delete(struct keeper *keeper, struct cache_op *op, int64_t now_us)
{
	struct keeper_space *space = keeper_space_find(&keeper->spaces, op->ns);
	size_t mark = keeper->changes.count;

	for (size_t i = 0; i < op->item_count; i++)
		if (delete_item(keeper, space, op, &op->items[i], now_us) != CACHE_OK) {
			keeper_changes_undo(keeper, mark);
			return CACHE_NO_MEMORY;
		}
	return rules_status_of_items(op);
}
