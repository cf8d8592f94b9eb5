#include "backends/sqlite/write/admit.h"

#include <stdlib.h>

#include "backends/sqlite/write/evict.h"

int64_t admit_used_bytes(const struct cache_item *item)
{
	return (int64_t)cache_used_bytes(item->key.len, cache_value_head(item->value).len,
					 item->size_bytes);
}

/* How a set changes the accounts of its namespace. */
struct growth {
	int64_t new_used, replaced_used; /* bytes */
	int64_t new_entries;
	/* The same without replaced entries that are past their stale time: whether those were
	 * swept before must not decide anything. */
	int64_t kept_used, added_entries;
	bool too_big, too_many;
};

/* Live, or in its stale time. */
static bool is_kept(const struct transaction *tx, const struct ns_row *row,
		    const struct found_entry *entry)
{
	return entry->found && !entry->is_idle &&
	       rules_is_kept(entry->expires_us, row->settings.stale_ttl_s, tx->now_us);
}

/* Whether the set does not fit. If nothing is evicted, a set that makes nothing worse fits, even in
 * a namespace that exceeds its limit, as in memory. */
static void compare_with_limits(const struct ns_row *row, struct growth *growth)
{
	int64_t used_of_others = row->used_bytes - growth->replaced_used;

	growth->too_big = used_of_others > ns_row_size_limit(row) - growth->new_used;
	growth->too_many = row->entry_count > ns_row_count_limit(row) - growth->new_entries;
	if (row->settings.policy == EVICT_NONE) {
		growth->too_big &= growth->new_used > growth->kept_used;
		growth->too_many &= growth->added_entries > 0;
	}
}

static enum cache_status measure(const struct transaction *tx, const struct ns_row *row,
				 struct cache_op *op, const struct found_entry *entries,
				 struct growth *ret)
{
	struct growth growth = {0};

	for (size_t i = 0; i < op->item_count; i++) {
		if (__builtin_add_overflow(growth.new_used, admit_used_bytes(&op->items[i]),
					   &growth.new_used))
			return CACHE_TOO_LARGE;
		growth.replaced_used += entries[i].used_bytes;
		growth.new_entries += !entries[i].found;
		if (is_kept(tx, row, &entries[i]))
			growth.kept_used += entries[i].used_bytes;
		else
			growth.added_entries++;
	}
	if (growth.new_used > ns_row_size_limit(row))
		return CACHE_TOO_LARGE;
	if ((int64_t)op->item_count > ns_row_count_limit(row)) {
		op->detail = RULES_REFUSAL_BATCH;
		return CACHE_TOO_LARGE;
	}
	compare_with_limits(row, &growth);
	*ret = growth;
	return CACHE_OK;
}

/* Evicts until the items fit. CONTINUE, FAILED, or APPLIED if there is room. */
static enum applied make_room(struct transaction *tx, struct ns_row *row, struct cache_op *op,
			      const struct found_entry *entries, const struct growth *growth)
{
	bool by_size = growth->too_big || op->progress == 1;
	bool reached = false;
	bool more = false;
	int64_t *spared = malloc(op->item_count * sizeof(*spared));

	if (!spared)
		return applied_fail(tx, op, SQLITE_NOMEM);
	struct eviction_goal goal = {
		.max_used_bytes =
			by_size ? ns_row_size_goal(row) - growth->new_used + growth->replaced_used
				: INT64_MAX,
		.max_entry_count = ns_row_count_limit(row) - growth->new_entries,
		.spared = spared,
	};
	for (size_t i = 0; i < op->item_count; i++)
		if (entries[i].found)
			spared[goal.spared_count++] = entries[i].id;
	int code = evict_to_goal(tx, row, &goal, &reached, &more);
	free(spared);
	if (code != SQLITE_OK)
		return applied_fail(tx, op, code);
	op->progress = !more ? 0 : by_size ? 1 : 2;
	return more ? CONTINUE : APPLIED;
}

/* How many expired entries a set may remove: all sets of a transaction together hardly more than
 * one may remove at all, because there may be a million, also of other namespaces. */
static size_t sweep_room(const struct transaction *tx)
{
	size_t max = tx->store->file.space.removals_max;
	size_t least = max / 64 + 1;

	return tx->removed + least < max ? max - tx->removed : least;
}

enum applied admit_set(struct transaction *tx, struct ns_row *row, struct cache_op *op,
		       struct found_entry *entries)
{
	uint64_t expired_before = row->counted.expirations;
	struct growth growth;
	size_t swept = 0;

	op->status = measure(tx, row, op, entries, &growth);
	if (op->status != CACHE_OK)
		return APPLIED;
	/* An eviction that began in an earlier group continues until its own goal. */
	if (!growth.too_big && !growth.too_many && op->progress == 0)
		return APPLIED;
	/* Expired entries make room first; one of them may be ours, so look and measure again. */
	size_t room = sweep_room(tx);
	int code = sweep_for_room(tx, row, room, &swept);
	if (code == SQLITE_OK && swept > 0)
		code = entries_find_all(tx, row, op, entries);
	if (code != SQLITE_OK)
		return applied_fail(tx, op, code);
	(void)measure(tx, row, op, entries, &growth);
	if (!growth.too_big && !growth.too_many && op->progress == 0)
		return APPLIED;
	/* There may be more of them: live entries do not go before those. */
	if (swept >= room && row->counted.expirations > expired_before)
		return CONTINUE;
	if (row->settings.policy == EVICT_NONE)
		return applied_refuse(op, CACHE_NO_SPACE, RULES_REFUSAL_FULL);
	return make_room(tx, row, op, entries, &growth);
}
