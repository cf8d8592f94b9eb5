#include "store/keeper/expire.h"

#include <stdlib.h>

#include "store/keeper/reads.h"
#include "store/rules.h"

static enum cache_status expire_item(struct keeper *keeper, struct keeper_space *space,
				     const struct cache_op *op, struct cache_item *item,
				     int64_t now_us)
{
	struct keeper_entry *entry = space ? keeper_index_find(&space->index, item->key) : NULL;
	char *body = NULL;

	if (entry &&
	    (!keeper_entry_is_live(entry, now_us) ||
	     keeper_space_is_idle(space, entry, order_clock_at(&keeper->order_clock, now_us))))
		entry = NULL;
	item->status = entry ? CACHE_OK : CACHE_NOT_FOUND;
	if (!rules_condition_holds(op, entry ? &entry->etag : NULL))
		return CACHE_PRECONDITION_FAILED;
	if (!entry)
		return CACHE_OK;
	int64_t expires_at_us = rules_expiry_us(item, space->settings.default_ttl_s, now_us);
	if (expires_at_us == entry->expires_at_us)
		return CACHE_OK;
	enum cache_status status = keeper_reads_body(keeper, op->ns, entry, &body);
	if (status == CACHE_NOT_FOUND) {
		/* The driver has lost it; the next GET removes it. */
		item->status = CACHE_NOT_FOUND;
		return CACHE_OK;
	}
	if (status == CACHE_OK &&
	    !keeper_changes_retime(&keeper->changes, space, entry, expires_at_us, body)) {
		free(body);
		status = CACHE_NO_MEMORY;
	}
	return status;
}

enum cache_status keeper_expire_run(struct keeper *keeper, struct cache_op *op, int64_t now_us)
{
	enum cache_status status = CACHE_OK;

	(void)pthread_rwlock_wrlock(&keeper->gate);
	struct keeper_space *space = keeper_space_find(&keeper->spaces, op->ns);
	for (size_t i = 0; i < op->item_count && status == CACHE_OK; i++)
		status = expire_item(keeper, space, op, &op->items[i], now_us);
	if (status == CACHE_OK)
		status = keeper_changes_commit(keeper);
	else
		keeper_changes_undo(keeper, 0);
	(void)pthread_rwlock_unlock(&keeper->gate);
	return status == CACHE_OK ? rules_status_of_items(op) : status;
}
