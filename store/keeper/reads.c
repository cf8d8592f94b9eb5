#include "store/keeper/reads.h"

#include <stdlib.h>

#include "store/keeper/outcome.h"
#include "store/rules.h"

/* Now, and the same by the order clock. */
struct moment {
	int64_t now_us, order_us;
};

static struct moment moment_of(struct keeper *keeper, int64_t now_us)
{
	return (struct moment){now_us, order_clock_at(&keeper->order_clock, now_us)};
}

/* Others may use the entry at the same time. */
static bool is_idle(struct keeper_space *space, const struct keeper_entry *entry, int64_t order_us)
{
	if (space->settings.max_idle_s == 0)
		return false;
	(void)pthread_mutex_lock(&space->lock);
	bool is_it = keeper_space_is_idle(space, entry, order_us);
	(void)pthread_mutex_unlock(&space->lock);
	return is_it;
}

/* The entry that answers an item, or NULL; sets the item's status. */
static struct keeper_entry *look_up(struct keeper_space *space, const struct cache_op *op,
				    struct cache_item *item, struct moment moment)
{
	struct keeper_entry *entry = space ? keeper_index_find(&space->index, item->key) : NULL;
	int64_t now_us = moment.now_us;

	if (entry && is_idle(space, entry, moment.order_us))
		entry = NULL;
	bool is_live = entry && keeper_entry_is_live(entry, now_us);
	item->stale = entry && !is_live && op->serve_stale &&
		      rules_is_kept(entry->expires_at_us, space->settings.stale_ttl_s, now_us);
	item->status = is_live || item->stale ? CACHE_OK : CACHE_NOT_FOUND;
	return item->status == CACHE_OK ? entry : NULL;
}

/* Asks the driver for the body of an entry, of keeper_entry_body_len() bytes. DRIVER_CORRUPT also
 * if it is not what was stored. */
static enum driver_status fetch_body(struct keeper *keeper, struct slice ns,
				     const struct keeper_entry *entry, char *room)
{
	uint64_t len = keeper_entry_body_len(entry);
	enum driver_status status =
		keeper->ops->get(keeper->driver, ns, keeper_entry_key(entry), room, len);

	if (status == DRIVER_OK &&
	    keeper_record_check_body((struct slice){room, (size_t)len}) != entry->body_check)
		status = DRIVER_CORRUPT;
	return status;
}

/* A value whose type is in the body. NULL: out of memory, or *ret_status says why. */
static struct cache_value *fetch_with_type(struct keeper *keeper, struct slice ns,
					   const struct keeper_entry *entry,
					   enum driver_status *ret_status)
{
	uint64_t len = keeper_entry_body_len(entry);
	char *body = len <= SIZE_MAX ? malloc((size_t)len) : NULL;
	struct cache_value *value = NULL;

	if (!body)
		return NULL;
	*ret_status = fetch_body(keeper, ns, entry, body);
	if (*ret_status == DRIVER_OK)
		value = cache_value_create(entry->len_bytes,
					   (struct slice){body, entry->body_type_len});
	if (value)
		memcpy(cache_value_data(value), body + entry->body_type_len, entry->len_bytes);
	free(body);
	return value;
}

/* Asks the driver for the value of an entry. CACHE_OK, CACHE_NOT_FOUND if it has lost it,
 * CACHE_CORRUPT if it is not what was stored, or a failure. */
static enum cache_status fetch(struct keeper *keeper, struct slice ns,
			       const struct keeper_entry *entry, struct cache_value **ret)
{
	enum driver_status status = DRIVER_NO_MEMORY;
	struct cache_value *value;

	if (entry->body_type_len > 0) {
		value = fetch_with_type(keeper, ns, entry, &status);
		if (!value && status == DRIVER_OK)
			status = DRIVER_NO_MEMORY;
	} else {
		value = cache_value_create(entry->len_bytes, keeper_entry_type(entry));
		if (value)
			status = fetch_body(keeper, ns, entry, cache_value_data(value));
	}
	if (status != DRIVER_OK) {
		cache_value_release(value);
		return keeper_outcome(keeper, status);
	}
	cache_value_seal_known(value, &entry->etag, entry->flags);
	value->modified_at_us = entry->modified_at_us;
	value->expires_at_us = entry->expires_at_us;
	*ret = value;
	return CACHE_OK;
}

enum cache_status keeper_reads_body(struct keeper *keeper, struct slice ns,
				    const struct keeper_entry *entry, char **ret)
{
	uint64_t len = keeper_entry_body_len(entry);
	char *body = len < SIZE_MAX ? malloc((size_t)len + 1) : NULL;

	if (!body)
		return CACHE_NO_MEMORY;
	enum driver_status status = fetch_body(keeper, ns, entry, body);
	if (status == DRIVER_OK) {
		*ret = body;
		return CACHE_OK;
	}
	free(body);
	return keeper_outcome(keeper, status);
}

/* ---- Get ---- */

#define INLINE_ITEMS 16

struct get {
	struct keeper *keeper;
	struct keeper_space *space; /* or NULL */
	struct cache_op *op;
	struct keeper_entry **found; /* of each item, or NULL */
};

/* Finds the entries of all items. False: their values are larger than the op allows. */
static bool find_items(const struct get *get, int64_t now_us)
{
	struct moment moment = moment_of(get->keeper, now_us);
	uint64_t max = get->op->max_value_bytes;
	uint64_t sum = 0;

	for (size_t i = 0; i < get->op->item_count; i++) {
		get->found[i] = look_up(get->space, get->op, &get->op->items[i], moment);
		sum += get->found[i] ? get->found[i]->len_bytes : 0;
	}
	return max == 0 || sum <= max;
}

static void release_values(struct cache_op *op, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		cache_value_release(op->items[i].value);
		op->items[i].value = NULL;
	}
}

static enum cache_status fetch_items(const struct get *get, bool *ret_lost)
{
	for (size_t i = 0; i < get->op->item_count; i++) {
		struct cache_item *item = &get->op->items[i];
		enum cache_status status = CACHE_OK;

		item->value = NULL;
		if (get->found[i])
			status = fetch(get->keeper, get->op->ns, get->found[i], &item->value);
		if (status == CACHE_NOT_FOUND) {
			item->status = CACHE_NOT_FOUND;
			item->stale = false;
			*ret_lost = true;
		} else if (status != CACHE_OK) {
			release_values(get->op, i);
			return status;
		}
	}
	return CACHE_OK;
}

/* Counts hits and misses, and the uses in the order of the items. */
static void count_items(const struct get *get, int64_t now_us)
{
	struct keeper_space *space = get->space;
	struct order_clock *clock = &get->keeper->order_clock;
	int64_t order_us = order_clock_at(clock, now_us);

	order_clock_pass(clock, order_us, get->op->item_count);
	(void)pthread_mutex_lock(&space->lock);
	for (size_t i = 0; i < get->op->item_count; i++) {
		const struct cache_item *item = &get->op->items[i];

		space->counters.misses += item->status != CACHE_OK;
		if (item->status != CACHE_OK)
			continue;
		space->counters.hits++;
		space->counters.stale_hits += item->stale;
		keeper_space_use(space, get->found[i], order_us + (int64_t)i);
	}
	(void)pthread_mutex_unlock(&space->lock);
}

static enum cache_status run_get(const struct get *get, int64_t now_us, bool *ret_lost)
{
	if (!find_items(get, now_us))
		return CACHE_TOO_LARGE;
	enum cache_status status = fetch_items(get, ret_lost);
	if (status != CACHE_OK)
		return status;
	if (get->space && !get->op->no_touch)
		count_items(get, now_us);
	return rules_status_of_items(get->op);
}

enum cache_status keeper_reads_get(struct keeper *keeper, struct cache_op *op, int64_t now_us,
				   bool *ret_lost)
{
	struct keeper_entry *inline_found[INLINE_ITEMS];
	struct get get = {
		.keeper = keeper,
		.space = keeper_space_find(&keeper->spaces, op->ns),
		.op = op,
		.found = inline_found,
	};
	enum cache_status status = CACHE_NO_MEMORY;

	if (op->item_count > INLINE_ITEMS)
		get.found = malloc(op->item_count * sizeof(struct keeper_entry *));
	if (get.found)
		status = run_get(&get, now_us, ret_lost);
	if (get.found != inline_found)
		free(get.found);
	return status;
}

enum cache_status keeper_reads_exists(struct keeper *keeper, struct cache_op *op, int64_t now_us)
{
	struct keeper_space *space = keeper_space_find(&keeper->spaces, op->ns);
	struct moment moment = moment_of(keeper, now_us);

	for (size_t i = 0; i < op->item_count; i++)
		(void)look_up(space, op, &op->items[i], moment);
	return rules_status_of_items(op);
}

/* ---- Values that the driver has lost ---- */

static bool is_lost(struct keeper *keeper, struct slice ns, const struct keeper_entry *entry)
{
	struct cache_value *value = NULL;
	enum cache_status status = fetch(keeper, ns, entry, &value);

	cache_value_release(value);
	return status == CACHE_NOT_FOUND;
}

void keeper_reads_drop_lost(struct keeper *keeper, const struct cache_op *op)
{
	struct keeper_space *space = keeper_space_find(&keeper->spaces, op->ns);

	for (size_t i = 0; space && i < op->item_count; i++) {
		struct keeper_entry *entry = keeper_index_find(&space->index, op->items[i].key);

		if (entry && !op->items[i].value && is_lost(keeper, op->ns, entry))
			(void)keeper_changes_remove(&keeper->changes, space, entry,
						    &space->counters.evictions);
	}
	(void)keeper_changes_commit(keeper);
}
