#include "client/migrate/backend_sink.h"

#include <stdlib.h>

#include "client/migrate/backend_read.h"
#include "client/migrate/report.h"

/* Batches at a time: far away, so that the way is used; here, so that one is prepared while another
 * is committed. */
#define LANES_REMOTE 8
#define LANES_HERE   2

/* What a verification may differ by: some backends keep whole seconds. */
#define EXPIRY_TOLERANCE_US (2 * US_PER_S)
/* Values read at a time to be compared, bytes. */
#define FOUND_BYTES (UINT64_C(64) << 20)

struct backend_sink {
	struct migrate_sink sink;
	struct backend *backend;
	bool is_alone;
};

static struct backend_sink *backend_sink_of(struct migrate_sink *sink)
{
	return (struct backend_sink *)(void *)sink;
}

/* ---- Storing ---- */

/* Refuses what the backend could not keep, before it is sent. */
static void refuse_too_large(const struct backend *backend, struct migrate_batch *batch)
{
	uint64_t max = backend->ops->value_max_bytes;

	for (size_t i = 0; max > 0 && i < batch->count; i++) {
		struct merge_entry *entry = &batch->entries[i];

		if (entry->outcome != MERGE_UNDECIDED || entry->item.value->len_bytes <= max)
			continue;
		entry->outcome = MERGE_FAILED;
		entry->status = CACHE_TOO_LARGE;
		entry->detail = "the value is larger than this backend keeps; give "
				"--to-large-values";
	}
}

static bool put(struct migrate_sink *base, struct migrate_batch *batch,
		struct migrate_failure *failure)
{
	struct backend_sink *sink = backend_sink_of(base);
	struct merge merge = {
		.backend = sink->backend,
		.policy = base->policy,
		.is_alone = sink->is_alone,
		.is_dry = base->is_dry,
		.ns = slice_of(batch->ns),
		.entries = batch->entries,
		.count = batch->count,
	};

	refuse_too_large(sink->backend, batch);
	enum cache_status status = merge_run(&merge);
	batch->history_lost += merge.history_lost;
	return status == CACHE_OK || migrate_fail_op(failure, "cannot store entries", status,
						     merge.detail, merge.retry_after_s);
}

/* ---- Looking ---- */

static void note_found(const struct cache_item *item, struct migrate_found *ret)
{
	const struct cache_value *value = item->value;

	*ret = (struct migrate_found){.exists = item->status == CACHE_OK && value};
	if (!ret->exists)
		return;
	ret->etag = value->etag;
	ret->modified_us = value->modified_at_us;
	ret->expires_at_us = value->expires_at_us;
	ret->tolerance_us = EXPIRY_TOLERANCE_US;
	struct slice head = cache_value_head(value);
	memcpy(ret->head, head.data, head.len);
}

static bool find_some(struct backend_sink *sink, const struct migrate_batch *batch, size_t from,
		      size_t count, struct migrate_found *ret, struct migrate_failure *failure)
{
	struct cache_item items[MIGRATE_BATCH_ENTRIES];
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_GET);
	op.ns = slice_of(batch->ns);
	op.no_touch = true;
	op.takes_references = !(sink->backend->ops->bits & BACKEND_BODIES);
	op.max_value_bytes = count > 1 ? FOUND_BYTES : 0;
	op.items = items;
	op.item_count = count;
	for (size_t i = 0; i < count; i++)
		items[i] = (struct cache_item){.key = batch->entries[from + i].item.key};
	enum cache_status status = backend_call(sink->backend, &op);
	bool good = status == CACHE_OK || status == CACHE_NOT_FOUND;
	for (size_t i = 0; good && i < count; i++)
		note_found(&items[i], &ret[from + i]);
	if (!good)
		(void)migrate_fail_op(failure, "cannot read back", status, op.detail,
				      op.retry_after_s);
	cache_op_deinit(&op);
	/* Larger than those that it is compared with. */
	if (status == CACHE_TOO_LARGE && count > 1) {
		good = true;
		for (size_t i = 0; good && i < count; i++)
			good = find_some(sink, batch, from + i, 1, ret, failure);
	}
	return good;
}

static bool find(struct migrate_sink *base, const struct migrate_batch *batch,
		 struct migrate_found *ret, struct migrate_failure *failure)
{
	return batch->count == 0 ||
	       find_some(backend_sink_of(base), batch, 0, batch->count, ret, failure);
}

/* ---- Namespaces ---- */

static bool has_namespace(struct backend_sink *sink, const char *name, bool *ret,
			  struct migrate_failure *failure)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_STATS);
	enum cache_status status = backend_call(sink->backend, &op);
	*ret = false;
	for (size_t i = 0; status == CACHE_OK && i < op.stats_count; i++)
		*ret |= strcmp(op.stats[i].name, name) == 0;
	if (status != CACHE_OK)
		(void)migrate_fail_op(failure, "cannot list the namespaces", status, op.detail,
				      op.retry_after_s);
	cache_op_deinit(&op);
	return status == CACHE_OK;
}

static bool configure(struct migrate_sink *base, const struct migrate_namespace *ns, bool replaces,
		      struct migrate_failure *failure)
{
	struct backend_sink *sink = backend_sink_of(base);
	bool exists = false;
	struct cache_op op;

	if (!(sink->backend->ops->bits & BACKEND_STATS))
		return migrate_fail(failure, CLIENT_REFUSED, "this backend keeps no settings");
	if (!replaces && !has_namespace(sink, ns->name, &exists, failure))
		return false;
	if (exists || base->is_dry)
		return true;
	cache_op_init(&op, CACHE_OP_CONFIGURE);
	op.ns = slice_of(ns->name);
	op.settings = ns->settings;
	op.settings_mask = ns->mask;
	enum cache_status status = backend_call(sink->backend, &op);
	if (status != CACHE_OK)
		(void)migrate_fail_op(failure, "cannot set the namespace's settings", status,
				      op.detail, op.retry_after_s);
	cache_op_deinit(&op);
	return status == CACHE_OK;
}

/* ---- All of it ---- */

static bool settle(struct migrate_sink *base, struct migrate_failure *failure)
{
	struct backend_sink *sink = backend_sink_of(base);
	struct cache_op op;

	if (!sink->backend->ops->sync || base->is_dry)
		return true;
	cache_op_init(&op, CACHE_OP_SYNC);
	enum cache_status status = backend_call(sink->backend, &op);
	if (status != CACHE_OK)
		(void)migrate_fail_op(failure, "cannot make what was stored last", status,
				      op.detail, op.retry_after_s);
	cache_op_deinit(&op);
	return status == CACHE_OK;
}

static void close_sink(struct migrate_sink *base)
{
	free(backend_sink_of(base));
}

static const struct migrate_sink_ops sink_ops = {
	.put = put,
	.find = find,
	.configure = configure,
	.settle = settle,
	.finish = settle,
	.close = close_sink,
};

struct migrate_sink *backend_sink_open(struct backend *backend, bool is_alone,
				       struct migrate_failure *failure)
{
	struct backend_sink *sink = calloc(1, sizeof(*sink));

	if (!sink) {
		(void)migrate_fail(failure, CLIENT_LOCAL, "out of memory");
		return NULL;
	}
	sink->sink.ops = &sink_ops;
	sink->sink.stamps = true;
	sink->sink.lanes = backend->ops->bits & BACKEND_REMOTE ? LANES_REMOTE : LANES_HERE;
	sink->backend = backend;
	sink->is_alone = is_alone;
	return &sink->sink;
}
