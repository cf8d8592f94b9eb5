/* What every backend decides alike, in one place. The Worker (worker/) has the same rules in SQL;
 * the contract's suite checks both. */
#ifndef STEADYCACHE_STORE_RULES_H
#define STEADYCACHE_STORE_RULES_H

#include "store/backend.h"

/* ---- Settings ---- */

/* The settings of `ns` until something is configured: 100 MiB, any number of entries, no TTL and
 * the backend's own `policy`, as changed by config->defaults. `config` is that of open. */
void rules_default_settings(const struct backend_config *config, enum eviction_policy policy,
			    struct slice ns, struct namespace_settings *ret);

/* What an eviction for a byte limit goes down to: floor(0.8 * max_bytes). An eviction for a number
 * of entries ends as soon as the set fits. */
static inline uint64_t rules_low_water(uint64_t max_bytes)
{
	return max_bytes / 5 * 4 + max_bytes % 5 * 4 / 5;
}

/* What must be left of `limit` so that `growth` more fits, within the range of a uint64_t.
 * UINT64_MAX is no limit. */
static inline uint64_t rules_leave_room(uint64_t limit, int64_t growth)
{
	if (limit == UINT64_MAX)
		return limit;
	if (growth < 0)
		return limit + (uint64_t)-growth;
	return limit > (uint64_t)growth ? limit - (uint64_t)growth : 0;
}

/* ---- Histories ---- */

/* Whether a time of a history is in the past. One that is not counts as now. */
static inline bool rules_is_past(int64_t then_us, int64_t now_us)
{
	return then_us > 0 && then_us < now_us;
}

/* ---- Expiry ---- */

/* When the entry of a SET expires; 0: never. A history that has a time takes precedence, then the
 * item's own TTL, then the namespace's. */
static inline int64_t rules_expiry_us(const struct cache_item *item, int64_t default_ttl_s,
				      int64_t now_us)
{
	int64_t ttl_s = item->ttl_s == TTL_DEFAULT ? default_ttl_s : item->ttl_s;

	if (item->history && item->history->expires_at_us != HISTORY_TTL)
		return item->history->expires_at_us;
	return ttl_s > 0 ? now_us + ttl_s * US_PER_S : 0;
}

/* An entry is live until the microsecond in which it expires. */
static inline bool rules_is_live(int64_t expires_at_us, int64_t now_us)
{
	return expires_at_us == 0 || expires_at_us > now_us;
}

/* Live, or in its stale time. */
static inline bool rules_is_kept(int64_t expires_at_us, int64_t stale_ttl_s, int64_t now_us)
{
	return expires_at_us == 0 || expires_at_us + stale_ttl_s * US_PER_S > now_us;
}

/* Whether an entry that was last used then has not been used for `max_idle_us` (0: it may be
 * however long). Both times are of the clock by which entries are ordered. */
static inline bool rules_is_idle(int64_t last_access_us, int64_t max_idle_us, int64_t order_us)
{
	return max_idle_us > 0 && last_access_us + max_idle_us <= order_us;
}

/* ---- Conditions ---- */

/* Whether the condition of an op's item allows a write if the live entry has the tag `current`
 * (NULL: there is none). Conditions are ignored in a batch. */
static inline bool rules_condition_holds(const struct cache_op *op, const struct etag *current)
{
	const struct cache_condition *condition = &op->items[0].condition;

	return op->item_count != 1 || condition->kind == CONDITION_NONE ||
	       cache_condition_holds(condition, current);
}

/* ---- Answers ---- */

/* The status of a GET, SET, DELETE or EXISTS whose items have theirs: that of the item if the op is
 * of `one`, or if a condition has refused the only one; CACHE_OK for a batch. */
static inline enum cache_status rules_status_of_items(const struct cache_op *op)
{
	enum cache_status first = op->items[0].status;

	if (op->items == &op->one || (op->item_count == 1 && first == CACHE_PRECONDITION_FAILED))
		return first;
	return CACHE_OK;
}

/* Completes it with that status. */
static inline void rules_complete_items(struct cache_op *op)
{
	cache_op_complete(op, rules_status_of_items(op));
}

/* Sorts op->stats of a STATS of all namespaces by name, as the contract wants them. */
void rules_sort_stats(struct cache_op *op);

/* Why a SET is refused, as op->detail: with CACHE_NO_SPACE, and with CACHE_TOO_LARGE. */
#define RULES_REFUSAL_FULL                                                                         \
	"the namespace is full and its eviction is \"none\"; delete entries or raise its limits"
#define RULES_REFUSAL_BATCH "the batch has more items than the namespace may hold entries"

#endif
