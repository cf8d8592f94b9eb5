#include "store/op.h"

#include <stdlib.h>

bool cache_condition_holds(const struct cache_condition *condition, const struct etag *current)
{
	bool match = false;

	for (size_t i = 0; current && i < condition->etag_count && !match; i++)
		match = etag_equal(&condition->etags[i], current);
	switch (condition->kind) {
	case CONDITION_NONE:
		break;
	case CONDITION_ABSENT:
		return !current;
	case CONDITION_PRESENT:
		return current != NULL;
	case CONDITION_MATCH:
		return match;
	case CONDITION_NONE_MATCH:
		return !match;
	}
	return true;
}

const char *cache_op_name(enum cache_op_type type)
{
	static const char *const names[CACHE_OP_TYPES] = {
		[CACHE_OP_GET] = "get",
		[CACHE_OP_SET] = "set",
		[CACHE_OP_DELETE] = "delete",
		[CACHE_OP_EXISTS] = "exists",
		[CACHE_OP_EXPIRE] = "expire",
		[CACHE_OP_CLEAR] = "clear",
		[CACHE_OP_SCAN] = "scan",
		[CACHE_OP_STATS] = "stats",
		[CACHE_OP_CONFIGURE] = "configure",
		[CACHE_OP_SYNC] = "sync",
		[CACHE_OP_CHECK] = "check",
		[CACHE_OP_LEASE_TAKE] = "lease_take",
		[CACHE_OP_LEASE_END] = "lease_end",
	};

	return names[type];
}

void cache_op_init(struct cache_op *op, enum cache_op_type type)
{
	*op = (struct cache_op){
		.type = type,
		.items = &op->one,
		.item_count = 1,
		.one.ttl_s = TTL_DEFAULT,
	};
}

void cache_op_deinit(struct cache_op *op)
{
	if (op->type == CACHE_OP_GET) {
		for (size_t i = 0; i < op->item_count; i++) {
			cache_value_release(op->items[i].value);
			op->items[i].value = NULL;
		}
	}
	for (size_t i = 0; i < op->entry_count; i++)
		free((void *)(uintptr_t)op->entries[i].key.data);
	free(op->entries);
	free(op->stats);
	free(op->branches);
	op->branches = NULL;
	op->branch_count = 0;
	op->entries = NULL;
	op->entry_count = 0;
	op->stats = NULL;
	op->stats_count = 0;
}

/* A write that fails as a whole has done nothing. */
static bool is_refused_write(const struct cache_op *op)
{
	return (op->type == CACHE_OP_SET || op->type == CACHE_OP_DELETE ||
		op->type == CACHE_OP_EXPIRE) &&
	       op->status != CACHE_OK;
}

/* Takes back the values of a GET if one of them is of a form that the caller does not know. */
static enum cache_status refuse_forms(struct cache_op *op, enum cache_status status)
{
	unsigned unknown = (op->takes_references ? 0U : CACHE_VALUE_REFERENCE) |
			   (op->takes_encoded ? 0U : CACHE_VALUE_ZSTD);
	unsigned found = 0;

	for (size_t i = 0; i < op->item_count && !found; i++)
		if (op->items[i].value)
			found = op->items[i].value->flags & unknown;
	if (!found)
		return status;
	for (size_t i = 0; i < op->item_count; i++) {
		cache_value_release(op->items[i].value);
		op->items[i].value = NULL;
	}
	op->detail =
		found & CACHE_VALUE_REFERENCE
			? "the value is in a store for large values; start the server with the "
			  "--large-values of the server that wrote it"
			: "the value is compressed, which this program does not undo";
	return CACHE_UNSUPPORTED;
}

void cache_op_complete(struct cache_op *op, enum cache_status status)
{
	if (op->type == CACHE_OP_GET && !(op->takes_references && op->takes_encoded))
		status = refuse_forms(op, status);
	op->status = status;
	if (op->items == &op->one)
		op->one.status = status;
	for (size_t i = 0; is_refused_write(op) && i < op->item_count; i++)
		op->items[i].status = status;
	op->done(op);
}

void cache_op_complete_partly(struct cache_op *op, enum cache_status status)
{
	op->status = status;
	op->done(op);
}
