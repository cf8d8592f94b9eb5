#include "store/keeper/space.h"

#include <stdlib.h>
#include <xxhash.h>

#include "base/invariant.h"

/* ---- Namespaces ---- */

static struct keeper_space **bucket_of(struct keeper_spaces *all, struct slice name)
{
	return &all->buckets[XXH3_64bits(name.data, name.len) % KEEPER_SPACE_BUCKETS];
}

struct keeper_space *keeper_space_find(const struct keeper_spaces *all, struct slice name)
{
	struct keeper_space *space =
		all->buckets[XXH3_64bits(name.data, name.len) % KEEPER_SPACE_BUCKETS];

	while (space && !slice_equal(slice_of(space->name), name))
		space = space->chain;
	return space;
}

struct keeper_space *keeper_space_create(struct keeper_spaces *all, struct slice name,
					 const struct namespace_settings *settings)
{
	struct keeper_space *space = calloc(1, sizeof(*space));

	if (!space)
		return NULL;
	INVARIANT(name.len <= NAMESPACE_MAX_LEN);
	memcpy(space->name, name.data, name.len);
	space->settings = *settings;
	order_init(&space->order, settings->policy);
	if (!keeper_index_init(&space->index) || !order_prepare(&space->order)) {
		keeper_index_deinit(&space->index);
		free(space);
		return NULL;
	}
	(void)pthread_mutex_init(&space->lock, NULL);
	keeper_space_link(all, space);
	return space;
}

void keeper_space_link(struct keeper_spaces *all, struct keeper_space *space)
{
	struct keeper_space **bucket = bucket_of(all, slice_of(space->name));

	space->chain = *bucket;
	*bucket = space;
	all->count++;
}

void keeper_space_unlink(struct keeper_spaces *all, struct keeper_space *space)
{
	struct keeper_space **at = bucket_of(all, slice_of(space->name));

	while (*at != space)
		at = &(*at)->chain;
	*at = space->chain;
	all->count--;
}

void keeper_space_free(struct keeper_space *space)
{
	keeper_index_deinit(&space->index);
	order_deinit(&space->order);
	expiry_deinit(&space->expiry);
	expiry_deinit(&space->idle);
	(void)pthread_mutex_destroy(&space->lock);
	free(space);
}

void keeper_space_destroy(struct keeper_spaces *all, struct keeper_space *space)
{
	keeper_space_unlink(all, space);
	keeper_space_free(space);
}

struct keeper_space *keeper_space_next(const struct keeper_spaces *all,
				       const struct keeper_space *space)
{
	size_t at = 0;

	if (space && space->chain)
		return space->chain;
	if (space) {
		struct slice name = slice_of(space->name);

		at = XXH3_64bits(name.data, name.len) % KEEPER_SPACE_BUCKETS + 1;
	}
	while (at < KEEPER_SPACE_BUCKETS && !all->buckets[at])
		at++;
	return at < KEEPER_SPACE_BUCKETS ? all->buckets[at] : NULL;
}

bool keeper_space_prepare_idle(struct keeper_space *space,
			       const struct namespace_settings *settings)
{
	size_t count = (size_t)space->index.count;

	return settings->max_idle_s == 0 || count <= space->idle.count ||
	       expiry_reserve(&space->idle, count - space->idle.count);
}

static int64_t idle_due(const struct keeper_space *space, const struct keeper_entry *entry)
{
	return entry->node.last_access_us + space->settings.max_idle_s * US_PER_S;
}

/* Builds the heap anew, in the room that there is, or empties it. */
static void set_idle(struct keeper_space *space)
{
	struct keeper_entry *entry = space->settings.max_idle_s > 0 ? space->index.first[0] : NULL;

	space->idle.count = 0;
	for (; entry; entry = entry->next[0])
		expiry_add(&space->idle, &entry->idle, idle_due(space, entry));
}

void keeper_space_configure(struct keeper_space *space, const struct namespace_settings *settings,
			    unsigned configured)
{
	bool is_other_idle = space->settings.max_idle_s != settings->max_idle_s;

	space->settings = *settings;
	space->configured = configured;
	if (is_other_idle)
		set_idle(space);
	order_set_policy(&space->order, settings->policy);
}

/* ---- Entries ---- */

bool keeper_space_reserve(struct keeper_space *space, bool expires)
{
	return (!expires || expiry_reserve(&space->expiry, 1)) &&
	       (space->settings.max_idle_s == 0 || expiry_reserve(&space->idle, 1));
}

/* Adds an entry to all structures but the index. */
static void join_orders(struct keeper_space *space, struct keeper_entry *entry)
{
	order_restore(&space->order, &entry->node);
	if (entry->expires_at_us != 0)
		expiry_add(&space->expiry, &entry->expiry, entry->expires_at_us);
	if (space->settings.max_idle_s > 0)
		expiry_add(&space->idle, &entry->idle, idle_due(space, entry));
	space->size_bytes += entry->size_bytes;
	space->used_bytes += keeper_entry_used_bytes(entry);
}

static void leave_orders(struct keeper_space *space, struct keeper_entry *entry)
{
	INVARIANT(space->used_bytes >= keeper_entry_used_bytes(entry));
	order_remove(&space->order, &entry->node);
	if (entry->expires_at_us != 0)
		expiry_remove(&space->expiry, &entry->expiry);
	if (space->settings.max_idle_s > 0)
		expiry_remove(&space->idle, &entry->idle);
	keeper_space_forget_use(entry);
	space->size_bytes -= entry->size_bytes;
	space->used_bytes -= keeper_entry_used_bytes(entry);
}

void keeper_space_add(struct keeper_space *space, struct keeper_entry *entry)
{
	keeper_index_add(&space->index, entry);
	join_orders(space, entry);
}

void keeper_space_remove(struct keeper_space *space, struct keeper_entry *entry)
{
	keeper_index_remove(&space->index, entry);
	leave_orders(space, entry);
}

void keeper_space_replace(struct keeper_space *space, struct keeper_entry *old,
			  struct keeper_entry *fresh)
{
	keeper_index_replace(&space->index, old, fresh);
	leave_orders(space, old);
	join_orders(space, fresh);
}

void keeper_space_retime(struct keeper_space *space, struct keeper_entry *entry,
			 int64_t expires_at_us)
{
	if (entry->expires_at_us != 0)
		expiry_remove(&space->expiry, &entry->expiry);
	entry->expires_at_us = expires_at_us;
	if (expires_at_us != 0)
		expiry_add(&space->expiry, &entry->expiry, expires_at_us);
}

void keeper_space_use(struct keeper_space *space, struct keeper_entry *entry, int64_t order_us)
{
	order_use(&space->order, &entry->node, order_us);
	keeper_space_note_use(space, entry);
}

void keeper_space_note_use(struct keeper_space *space, struct keeper_entry *entry)
{
	if (entry->used_at || entry->is_uncertain)
		return;
	entry->used_next = space->used;
	entry->used_at = &space->used;
	if (entry->used_next)
		entry->used_next->used_at = &entry->used_next;
	space->used = entry;
}

void keeper_space_forget_use(struct keeper_entry *entry)
{
	if (!entry->used_at)
		return;
	*entry->used_at = entry->used_next;
	if (entry->used_next)
		entry->used_next->used_at = entry->used_at;
	entry->used_at = NULL;
	entry->used_next = NULL;
}

struct keeper_entry *keeper_space_due(const struct keeper_space *space, int64_t now_us)
{
	struct expiry_node *node =
		expiry_due(&space->expiry, now_us - space->settings.stale_ttl_s * US_PER_S);

	return node ? (struct keeper_entry *)(void *)((char *)node -
						      offsetof(struct keeper_entry, expiry))
		    : NULL;
}

bool keeper_space_look_idle(struct keeper_space *space, int64_t order_us, struct keeper_entry **ret)
{
	struct expiry_node *node = expiry_due(&space->idle, order_us);

	*ret = NULL;
	if (!node)
		return false;
	struct keeper_entry *entry =
		(struct keeper_entry *)(void *)((char *)node - offsetof(struct keeper_entry, idle));
	if (keeper_space_is_idle(space, entry, order_us)) {
		*ret = entry;
		return true;
	}
	/* It was used since it was last looked at. */
	expiry_remove(&space->idle, node);
	expiry_add(&space->idle, node, idle_due(space, entry));
	return true;
}

/* ---- Stamps ---- */

uint64_t keeper_space_take_stamp(struct keeper_space *space, int64_t order_us)
{
	uint64_t earliest = (uint64_t)(order_us > 0 ? order_us : 0) << KEEPER_STAMP_TICK_BITS;

	space->last_stamp = earliest > space->last_stamp ? earliest : space->last_stamp + 1;
	return space->last_stamp;
}

uint64_t keeper_space_past_stamp(struct keeper_space *space, int64_t created_at_us)
{
	unsigned tick = space->past_stamps++ & ((1U << KEEPER_STAMP_TICK_BITS) - 1);

	return ((uint64_t)created_at_us << KEEPER_STAMP_TICK_BITS) | tick;
}
