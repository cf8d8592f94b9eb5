#include "backends/d1/api.h"

#include "backends/d1/api_wire.h"
#include "backends/d1/defaults.h"
#include "base/utf8.h"
#include "store/rules.h"

static enum cache_status refuse(struct cache_op *op, const char *sentence)
{
	op->detail = sentence;
	return CACHE_UNSUPPORTED;
}

/* Whether /api/batch/get can name this key: the original loses `__proto__`, and jansson allows no
 * NUL in the name of a member. */
static bool batches_key(struct slice key)
{
	return !slice_equal(key, SLICE("__proto__")) &&
	       (key.len == 0 || !memchr(key.data, '\0', key.len));
}

static enum cache_status accept_get(struct cache_op *op)
{
	for (size_t i = 0; i < op->item_count; i++) {
		if (!utf8_is_valid(op->items[i].key))
			return refuse(op,
				      "the original D1 Worker takes no keys that are not UTF-8; "
				      "deploy the Worker of steadycache");
		if (op->item_count > 1 && !batches_key(op->items[i].key))
			return refuse(op,
				      "the original D1 Worker cannot get such a key in a batch; "
				      "get it alone, or deploy the Worker of steadycache");
	}
	return CACHE_OK;
}

static enum cache_status accept_set(const struct remote_context *context, struct cache_op *op)
{
	struct namespace_settings defaults;

	d1_defaults_of(context, op->ns, &defaults);
	for (size_t i = 0; i < op->item_count; i++) {
		const struct cache_item *item = &op->items[i];

		if (item->value->flags & CACHE_VALUE_REFERENCE) {
			op->detail = D1_NO_REFERENCES;
			return CACHE_TOO_LARGE;
		}
		if (item->value->flags & CACHE_VALUE_ZSTD)
			return refuse(op, D1_NO_COMPRESSION);
		if (!utf8_is_valid(item->key))
			return refuse(op,
				      "the original D1 Worker takes no keys that are not UTF-8; "
				      "deploy the Worker of steadycache");
		if (!(item->value->flags & CACHE_VALUE_UTF8) ||
		    !slice_equal(cache_value_head(item->value), SLICE(CONTENT_TYPE_TEXT)))
			return refuse(op, "the original D1 Worker keeps only UTF-8 of the type "
					  "text/plain; charset=utf-8; deploy the Worker of "
					  "steadycache");
		if (rules_expiry_us(item, defaults.default_ttl_s, 0) != 0)
			return refuse(op,
				      "the original D1 Worker knows no time to live; deploy the "
				      "Worker of steadycache");
		if (op->item_count == 1 && item->condition.kind != CONDITION_NONE)
			return refuse(op, "the original D1 Worker knows no conditional writes; "
					  "deploy the Worker of steadycache");
	}
	return CACHE_OK;
}

static enum cache_status api_accepts(const struct remote_context *context, struct cache_op *op)
{
	switch (op->type) {
	case CACHE_OP_GET:
		return accept_get(op);
	case CACHE_OP_SET:
		return accept_set(context, op);
	case CACHE_OP_EXPIRE:
		return refuse(op, "the original D1 Worker knows no time to live; deploy the "
				  "Worker of steadycache");
	case CACHE_OP_CLEAR:
		if (op->drop)
			return refuse(op, "the original D1 Worker cannot remove a cache; clear it, "
					  "or deploy the Worker of steadycache");
		if (op->prefix.len == 0)
			return CACHE_OK;
		return refuse(op, "the original D1 Worker clears only whole caches; deploy the "
				  "Worker of steadycache");
	case CACHE_OP_STATS:
		if (op->ns.len > 0)
			return CACHE_OK;
		return refuse(op, "the original D1 Worker cannot list its caches; ask for the "
				  "statistics of one");
	case CACHE_OP_CONFIGURE:
		if ((op->settings_mask & ~(unsigned)SETTING_MAX_SIZE) == 0)
			return CACHE_OK;
		return refuse(op,
			      "the original D1 Worker knows no limit but max_size_mb; deploy the "
			      "Worker of steadycache");
	case CACHE_OP_CHECK:
		return CACHE_OK;
	case CACHE_OP_DELETE:
	case CACHE_OP_EXISTS:
	case CACHE_OP_SCAN:
	default:
		return refuse(op, "the original D1 Worker cannot delete, list or look whether an "
				  "entry exists; deploy the Worker of steadycache");
	}
}

/* Gets of one cache go together. Each set goes alone: one that the Worker refuses would fail the
 * others too. */
static bool api_joins(const struct remote_call *call, const struct remote_job *job)
{
	const struct cache_op *first = call->jobs.first->op;

	return first->type == CACHE_OP_GET && job->op->type == CACHE_OP_GET &&
	       slice_equal(first->ns, job->op->ns) && batches_key(first->items[0].key) &&
	       batches_key(job->op->items[0].key);
}

static void api_discard(struct remote_call *call)
{
	call->state = NULL;
}

const struct remote_dialect d1_api_dialect = {
	.accepts = api_accepts,
	.joins = api_joins,
	.write = d1_api_wire_write,
	.reads = d1_api_wire_reads,
	.read = d1_api_wire_read,
	.discard = api_discard,
};
