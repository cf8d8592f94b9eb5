/* The dispatcher: the checks that every backend needs, once. */
#include "store/backend.h"

#include "store/op_wait.h"

struct backend_traits backend_traits_of(const struct backend *backend, struct slice ns)
{
	const struct backend_ops *ops = backend->ops;
	struct backend_traits traits = {
		.bits = ops->bits,
		.headroom_record_bytes = ops->headroom_record_bytes,
		.value_max_bytes = ops->value_max_bytes,
	};

	if (ops->traits && ns.len > 0)
		ops->traits(backend, ns, &traits);
	return traits;
}

struct cache_headroom backend_headroom(const struct backend *backend, struct slice ns,
				       size_t key_len)
{
	struct cache_headroom headroom = {
		.record_bytes = backend_traits_of(backend, ns).headroom_record_bytes,
	};

	headroom.key_len = headroom.record_bytes > 0 ? key_len : 0;
	return headroom;
}

size_t backend_gauges_and_own(struct backend *inner, const struct backend_gauge *own,
			      size_t own_count, struct backend_gauge *ret, size_t max)
{
	size_t count = inner->ops->gauges ? inner->ops->gauges(inner, ret, max) : 0;

	for (size_t i = 0; i < own_count && count < max; i++)
		ret[count++] = own[i];
	return count;
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

static bool is_lease(const struct cache_op *op)
{
	return op->type == CACHE_OP_LEASE_TAKE || op->type == CACHE_OP_LEASE_END;
}

static bool lease_is_valid(const struct cache_op *op)
{
	const struct cache_lease *lease = &op->lease;
	bool is_end = op->type == CACHE_OP_LEASE_END;

	if (op->items != &op->one || lease->token.len > LEASE_TOKEN_MAX_LEN)
		return false;
	if (is_end || lease->token.len == 0)
		return !is_end || lease->token.len > 0;
	return lease->ttl_us > 0 && lease->ttl_us <= LEASE_MAX_US;
}

static int64_t bounded_ttl_s(int64_t ttl_s)
{
	if (ttl_s < 0)
		return 0;
	return ttl_s < TTL_MAX_S ? ttl_s : TTL_MAX_S;
}

static void bound_settings(struct namespace_settings *settings)
{
	settings->default_ttl_s = bounded_ttl_s(settings->default_ttl_s);
	settings->stale_ttl_s = bounded_ttl_s(settings->stale_ttl_s);
	settings->max_idle_s = bounded_ttl_s(settings->max_idle_s);
}

/* CACHE_OK, or why no backend may see the op. */
static enum cache_status check_op(struct cache_op *op)
{
	bool named = op->type != CACHE_OP_SYNC && op->type != CACHE_OP_CHECK;
	bool all_namespaces = op->type == CACHE_OP_STATS && op->ns.len == 0;

	if (named && !all_namespaces && !namespace_name_is_valid(op->ns))
		return CACHE_INVALID;
	if (op->type == CACHE_OP_SCAN && op->limit == 0)
		return CACHE_INVALID;
	if (op->type == CACHE_OP_CONFIGURE)
		bound_settings(&op->settings);
	if (is_lease(op) && !lease_is_valid(op))
		return CACHE_INVALID;
	if (op->type == CACHE_OP_CLEAR && op->drop && op->prefix.len > 0)
		return CACHE_INVALID;
	for (size_t i = 0; op->type == CACHE_OP_EXPIRE && i < op->item_count; i++)
		if (op->items[i].ttl_s < TTL_DEFAULT || op->items[i].ttl_s > TTL_MAX_S)
			return CACHE_INVALID;
	if (op->type != CACHE_OP_SET)
		return CACHE_OK;
	for (size_t i = 0; i < op->item_count; i++) {
		struct cache_item *item = &op->items[i];

		if (!item->value || item->ttl_s < TTL_DEFAULT || item->ttl_s > TTL_MAX_S ||
		    (item->history && !history_is_valid(item->history)))
			return CACHE_INVALID;
		uint64_t len_bytes = cache_value_whole_len(item->value);
		/* That of a reference is the size of what it stands for. */
		if (item->size_bytes < len_bytes && !(item->value->flags & CACHE_VALUE_REFERENCE))
			item->size_bytes = len_bytes;
		if (item->size_bytes > INT64_MAX / 2)
			return CACHE_TOO_LARGE;
	}
	return CACHE_OK;
}

static bool has_body(const struct cache_op *op)
{
	for (size_t i = 0; op->type == CACHE_OP_SET && i < op->item_count; i++)
		if (cache_value_body(op->items[i].value))
			return true;
	return false;
}

/* A CONFIGURE of a limit; one that takes a limit away needs nothing. */
static bool sets_limit(const struct cache_op *op)
{
	return ((op->settings_mask & SETTING_MAX_SIZE) && op->settings.max_size_bytes > 0) ||
	       ((op->settings_mask & SETTING_CAPACITY) &&
		op->settings.capacity != CAPACITY_UNLIMITED);
}

/* The bits without which `op` is refused; 0: none. */
static unsigned needed_bits(const struct cache_op *op)
{
	bool is_conditional = op->item_count == 1 && op->items[0].condition.kind != CONDITION_NONE;
	bool sets_stale_time =
		(op->settings_mask & SETTING_STALE_TTL) && op->settings.stale_ttl_s > 0;

	bool sets_idle_time = (op->settings_mask & SETTING_MAX_IDLE) && op->settings.max_idle_s > 0;

	switch (op->type) {
	case CACHE_OP_SET:
	case CACHE_OP_DELETE:
	case CACHE_OP_EXPIRE:
		return (is_conditional ? BACKEND_CONDITIONS : 0U) |
		       (has_body(op) ? BACKEND_BODIES : 0U);
	case CACHE_OP_CONFIGURE:
		return (sets_stale_time ? BACKEND_STALE : 0U) |
		       (sets_idle_time ? BACKEND_IDLE : 0U) |
		       (sets_limit(op) ? BACKEND_LIMITS : 0U);
	case CACHE_OP_SCAN:
		return op->any_order ? 0 : BACKEND_ORDERED_SCAN;
	case CACHE_OP_CLEAR:
		return op->prefix.len > 0 ? BACKEND_PREFIX_CLEAR : 0;
	case CACHE_OP_STATS:
		return BACKEND_STATS;
	case CACHE_OP_LEASE_TAKE:
	case CACHE_OP_LEASE_END:
		return BACKEND_LEASES;
	default:
		return 0;
	}
}

/* Refuses an op that needs `bits`, which the backend lacks. */
static void refuse(struct cache_op *op, unsigned bits)
{
	static const struct {
		unsigned bit;
		const char *sentence;
	} refusals[] = {
		{BACKEND_CONDITIONS, "this backend knows no conditional writes"},
		{BACKEND_STALE, "this backend serves nothing that has expired"},
		{BACKEND_IDLE, "this backend does not know how long an entry was not used; leave "
			       "max_idle out"},
		{BACKEND_ORDERED_SCAN, "this backend does not list keys in their order"},
		{BACKEND_PREFIX_CLEAR, "this backend clears whole namespaces only"},
		{BACKEND_STATS, "this backend keeps no statistics"},
		{BACKEND_LEASES, "this backend knows no leases"},
		{BACKEND_BODIES, "this server keeps no large values; start it with --large-values"},
		{BACKEND_LIMITS, "this backend keeps no limits of size or capacity; leave them "
				 "out, or set max_size_mb to 0 and capacity to -1"},
	};

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (refusals[i].bit & bits)
			op->detail = refusals[i].sentence;
	cache_op_complete(op, CACHE_UNSUPPORTED);
}

void backend_submit(struct backend *backend, struct cache_op *op)
{
	const struct backend_ops *ops = backend->ops;
	void (*const run[CACHE_OP_TYPES])(struct backend *, struct cache_op *) = {
		[CACHE_OP_GET] = ops->get,
		[CACHE_OP_SET] = ops->set,
		[CACHE_OP_DELETE] = ops->remove,
		[CACHE_OP_EXISTS] = ops->exists,
		[CACHE_OP_EXPIRE] = ops->expire,
		[CACHE_OP_CLEAR] = ops->clear,
		[CACHE_OP_SCAN] = ops->scan,
		[CACHE_OP_STATS] = ops->stats,
		[CACHE_OP_CONFIGURE] = ops->configure,
		[CACHE_OP_SYNC] = ops->sync,
		[CACHE_OP_CHECK] = ops->check,
		[CACHE_OP_LEASE_TAKE] = ops->lease,
		[CACHE_OP_LEASE_END] = ops->lease,
	};
	enum cache_status status = check_op(op);
	unsigned need = status == CACHE_OK ? needed_bits(op) : 0;

	if (status != CACHE_OK)
		cache_op_complete(op, status);
	else if (cache_op_has_items(op->type) && op->item_count == 0)
		cache_op_complete(op, CACHE_OK);
	else if ((need & ops->bits) != need)
		refuse(op, need & ~ops->bits);
	else if (!run[op->type])
		cache_op_complete(op, CACHE_UNSUPPORTED);
	else
		run[op->type](backend, op);
}

enum cache_status backend_call(struct backend *backend, struct cache_op *op)
{
	struct op_wait wait = OP_WAIT_INITIALIZER;

	op_wait_add(&wait, op);
	backend_submit(backend, op);
	op_wait_end(&wait);
	return op->status;
}
