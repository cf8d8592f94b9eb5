/* The dispatcher: what is checked once for every backend, and the small helpers of the contract. */
#include "store/backend.h"

#include <pthread.h>
#include <stdlib.h>

static const char *const policy_names[] = {
	[EVICT_FRECENCY] = "frecency",
	[EVICT_LRU] = "lru",
	[EVICT_FIFO] = "fifo",
	[EVICT_NONE] = "none",
};

const char *eviction_policy_name(enum eviction_policy policy)
{
	return policy_names[policy];
}

bool eviction_policy_parse(struct slice name, enum eviction_policy *ret)
{
	for (unsigned i = 0; i < sizeof(policy_names) / sizeof(policy_names[0]); i++) {
		if (slice_equal(name, slice_of(policy_names[i]))) {
			*ret = (enum eviction_policy)i;
			return true;
		}
	}
	return false;
}

bool namespace_name_is_valid(struct slice name)
{
	if (name.len == 0 || name.len > NAMESPACE_MAX_LEN)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];
		bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9') || c == '_';

		if (!word && (i == 0 || (c != '.' && c != '-')))
			return false;
	}
	return true;
}

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

struct cache_headroom backend_headroom(const struct backend *backend, size_t key_len)
{
	struct cache_headroom headroom = {.record_bytes = backend->ops->headroom_record_bytes};

	headroom.key_len = headroom.record_bytes > 0 ? key_len : 0;
	return headroom;
}

const char *cache_op_name(enum cache_op_type type)
{
	static const char *const names[CACHE_OP_TYPES] = {
		[CACHE_OP_GET] = "get",       [CACHE_OP_SET] = "set",
		[CACHE_OP_DELETE] = "delete", [CACHE_OP_EXISTS] = "exists",
		[CACHE_OP_CLEAR] = "clear",   [CACHE_OP_SCAN] = "scan",
		[CACHE_OP_STATS] = "stats",   [CACHE_OP_CONFIGURE] = "configure",
		[CACHE_OP_SYNC] = "sync",     [CACHE_OP_CHECK] = "check",
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
	op->entries = NULL;
	op->entry_count = 0;
	op->stats = NULL;
	op->stats_count = 0;
}

/* Of a set that fails nothing is stored. */
static bool is_refused_set(const struct cache_op *op)
{
	return op->type == CACHE_OP_SET && op->status != CACHE_OK;
}

void cache_op_complete(struct cache_op *op, enum cache_status status)
{
	op->status = status;
	if (op->items == &op->one)
		op->one.status = status;
	for (size_t i = 0; is_refused_set(op) && i < op->item_count; i++)
		op->items[i].status = status;
	op->done(op);
}

static bool op_has_items(const struct cache_op *op)
{
	return op->type <= CACHE_OP_EXISTS;
}

static bool time_is_valid(int64_t time_us)
{
	return time_us >= 0 && time_us <= HISTORY_MAX_US;
}

static bool history_is_valid(const struct cache_history *history)
{
	return history->frequency <= HISTORY_MAX_FREQUENCY &&
	       time_is_valid(history->created_at_us) && time_is_valid(history->last_access_us) &&
	       (history->expires_at_us == HISTORY_TTL || time_is_valid(history->expires_at_us));
}

/* CACHE_OK, or why the op is not one that a backend may see. */
static enum cache_status check_op(struct cache_op *op)
{
	bool named = op->type != CACHE_OP_SYNC && op->type != CACHE_OP_CHECK;
	bool all_namespaces = op->type == CACHE_OP_STATS && op->ns.len == 0;

	if (named && !all_namespaces && !namespace_name_is_valid(op->ns))
		return CACHE_INVALID;
	if (op->type == CACHE_OP_SCAN && op->limit == 0)
		return CACHE_INVALID;
	if (op->type != CACHE_OP_SET)
		return CACHE_OK;
	for (size_t i = 0; i < op->item_count; i++) {
		struct cache_item *item = &op->items[i];

		if (!item->value || item->ttl_s < TTL_DEFAULT || item->ttl_s > TTL_MAX_S ||
		    (item->history && !history_is_valid(item->history)))
			return CACHE_INVALID;
		if (item->size_bytes < item->value->len_bytes)
			item->size_bytes = item->value->len_bytes;
		if (item->size_bytes > INT64_MAX / 2)
			return CACHE_TOO_LARGE;
	}
	return CACHE_OK;
}

void backend_submit(struct backend *backend, struct cache_op *op)
{
	const struct backend_ops *ops = backend->ops;
	void (*const run[CACHE_OP_TYPES])(struct backend *, struct cache_op *) = {
		[CACHE_OP_GET] = ops->get,       [CACHE_OP_SET] = ops->set,
		[CACHE_OP_DELETE] = ops->remove, [CACHE_OP_EXISTS] = ops->exists,
		[CACHE_OP_CLEAR] = ops->clear,   [CACHE_OP_SCAN] = ops->scan,
		[CACHE_OP_STATS] = ops->stats,   [CACHE_OP_CONFIGURE] = ops->configure,
		[CACHE_OP_SYNC] = ops->sync,     [CACHE_OP_CHECK] = ops->check,
	};
	enum cache_status status = check_op(op);

	if (status != CACHE_OK)
		cache_op_complete(op, status);
	else if (op_has_items(op) && op->item_count == 0)
		cache_op_complete(op, CACHE_OK);
	else if (!run[op->type])
		cache_op_complete(op, CACHE_UNSUPPORTED);
	else
		run[op->type](backend, op);
}

struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t woken;
	bool done;
};

static void wake_waiter(struct cache_op *op)
{
	struct waiter *waiter = op->user;

	(void)pthread_mutex_lock(&waiter->lock);
	waiter->done = true;
	(void)pthread_cond_signal(&waiter->woken);
	(void)pthread_mutex_unlock(&waiter->lock);
}

enum cache_status backend_call(struct backend *backend, struct cache_op *op)
{
	struct waiter waiter = {
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.woken = PTHREAD_COND_INITIALIZER,
	};

	op->done = wake_waiter;
	op->user = &waiter;
	backend_submit(backend, op);
	(void)pthread_mutex_lock(&waiter.lock);
	while (!waiter.done)
		(void)pthread_cond_wait(&waiter.woken, &waiter.lock);
	(void)pthread_mutex_unlock(&waiter.lock);
	return op->status;
}
