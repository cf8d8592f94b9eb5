#include "steadytext/backend_sink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/merge.h"

static struct backend *backend_of(struct steadytext_sink *sink)
{
	return ((struct steadytext_backend_sink *)(void *)sink)->backend;
}

static bool fail(char *reason, size_t reason_size, const char *what, enum cache_status status,
		 const char *detail)
{
	(void)snprintf(reason, reason_size, "%s: %s", what,
		       detail ? detail : cache_status_text(status));
	return false;
}

/* ---- Entries ---- */

/* What merges need of one batch. */
struct merging {
	struct merge_entry entries[STEADYTEXT_BATCH_ENTRIES];
	struct cache_history histories[STEADYTEXT_BATCH_ENTRIES];
};

/* False: out of memory. */
static bool fill(struct backend *backend, const struct steadytext_batch *batch, size_t i,
		 struct merging *merging)
{
	const struct steadytext_entry *entry = &batch->entries[i];
	uint64_t frequency = entry->frequency;

	merging->histories[i] = (struct cache_history){
		.frequency = frequency < HISTORY_MAX_FREQUENCY ? frequency : HISTORY_MAX_FREQUENCY,
		.created_at_us = earlier_us(entry->last_access_us, HISTORY_MAX_US),
		.last_access_us = earlier_us(entry->last_access_us, HISTORY_MAX_US),
		.expires_at_us = HISTORY_TTL,
	};
	merging->entries[i].item = (struct cache_item){
		.key = entry->key,
		.value = cache_value_copy_with_headroom(
			entry->value, SLICE(CONTENT_TYPE_TEXT),
			backend_headroom(backend, slice_of(batch->ns), entry->key.len)),
		.size_bytes = entry->value.len,
		.ttl_s = TTL_DEFAULT,
		.history = &merging->histories[i],
	};
	return merging->entries[i].item.value != NULL;
}

/* Refuses what the backend could not keep, before it is sent. */
static void refuse_too_large(uint64_t max, struct merge_entry *entry)
{
	if (max == 0 || entry->item.value->len_bytes <= max)
		return;
	entry->outcome = MERGE_FAILED;
	entry->status = CACHE_TOO_LARGE;
	entry->detail = "the value is larger than this backend keeps (--large-values)";
}

static void note(const struct merge_entry *entry, struct steadytext_batch *batch, size_t i)
{
	batch->outcomes[i] = STEADYTEXT_REFUSED;
	if (entry->outcome == MERGE_FAILED)
		(void)snprintf(batch->reasons[i], sizeof(batch->reasons[i]), "%s",
			       entry->detail ? entry->detail : cache_status_text(entry->status));
	else if (entry->outcome == MERGE_KEPT)
		batch->outcomes[i] = STEADYTEXT_KEPT;
	else if (batch->is_dry || entry->item.value->modified_at_us != 0)
		batch->outcomes[i] = STEADYTEXT_STORED;
	else
		(void)snprintf(batch->reasons[i], sizeof(batch->reasons[i]),
			       "the namespace may hold no entries (its capacity is 0)");
}

static bool merge(struct backend *backend, struct steadytext_batch *batch, struct merging *merging,
		  char *reason, size_t reason_size)
{
	struct backend_traits traits = backend_traits_of(backend, slice_of(batch->ns));
	struct merge merge = {
		.backend = backend,
		.policy = MERGE_KEEP,
		.is_dry = batch->is_dry,
		.ns = slice_of(batch->ns),
		.entries = merging->entries,
		.count = batch->count,
	};
	bool is_good = true;

	if (traits.bits & BACKEND_KEEPS_NOTHING) {
		(void)snprintf(reason, reason_size, "the store keeps nothing (--disable-cache)");
		return false;
	}
	for (size_t i = 0; is_good && i < batch->count; i++) {
		is_good = fill(backend, batch, i, merging);
		if (is_good)
			refuse_too_large(traits.value_max_bytes, &merging->entries[i]);
	}
	if (!is_good)
		return fail(reason, reason_size, "cannot store entries", CACHE_NO_MEMORY, NULL);
	enum cache_status status = merge_run(&merge);
	if (status != CACHE_OK)
		return fail(reason, reason_size, "cannot store entries", status, merge.detail);
	batch->history_lost = merge.history_lost;
	for (size_t i = 0; i < batch->count; i++)
		note(&merging->entries[i], batch, i);
	return true;
}

static bool put(struct steadytext_sink *sink, struct steadytext_batch *batch, char *reason,
		size_t reason_size)
{
	struct merging *merging = calloc(1, sizeof(*merging));

	if (!merging)
		return fail(reason, reason_size, "cannot store entries", CACHE_NO_MEMORY, NULL);
	bool is_good = merge(backend_of(sink), batch, merging, reason, reason_size);
	for (size_t i = 0; i < batch->count; i++)
		cache_value_release(merging->entries[i].item.value);
	free(merging);
	return is_good;
}

/* ---- The namespace ---- */

static bool evicted(struct steadytext_sink *sink, const char *ns, uint64_t *ret, char *reason,
		    size_t reason_size)
{
	struct backend *backend = backend_of(sink);
	struct cache_op op;

	*ret = 0;
	if (!(backend_traits_of(backend, slice_of(ns)).bits & BACKEND_STATS))
		return true;
	cache_op_init(&op, CACHE_OP_STATS);
	op.ns = slice_of(ns);
	enum cache_status status = backend_call(backend, &op);
	if (status == CACHE_OK && op.stats_count > 0)
		*ret = op.stats[0].evictions;
	bool is_good = status == CACHE_OK ||
		       fail(reason, reason_size, "cannot read the statistics", status, op.detail);
	cache_op_deinit(&op);
	return is_good;
}

static bool settle(struct steadytext_sink *sink, const char *ns, struct steadytext_settled *ret,
		   char *reason, size_t reason_size)
{
	struct backend *backend = backend_of(sink);
	struct backend_traits traits = backend_traits_of(backend, slice_of(ns));
	struct cache_op op;

	ret->survives = (traits.bits & BACKEND_PERSISTS) != 0;
	if (!backend->ops->sync)
		return true;
	cache_op_init(&op, CACHE_OP_SYNC);
	enum cache_status status = backend_call(backend, &op);
	/* Of several backends only the namespace's counts. */
	if (status != CACHE_OK && traits.branch > 0 && traits.branch <= op.branch_count)
		status = op.branches[traits.branch - 1].status;
	bool is_good = status == CACHE_OK ||
		       fail(reason, reason_size, "cannot make entries last", status, op.detail);
	cache_op_deinit(&op);
	return is_good;
}

/* ---- Marks ---- */

static bool get_mark(struct steadytext_sink *sink, const char *key, bool *ret_found,
		     struct buffer *ret, char *reason, size_t reason_size)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_GET);
	op.ns = SLICE(STEADYTEXT_MARKS);
	op.one.key = slice_of(key);
	op.no_touch = true;
	enum cache_status status = backend_call(backend_of(sink), &op);
	*ret_found = status == CACHE_OK;
	if (status == CACHE_OK)
		buffer_append(ret, cache_value_bytes(op.one.value));
	bool is_good = status == CACHE_OK || status == CACHE_NOT_FOUND ||
		       fail(reason, reason_size, "cannot read what was imported before", status,
			    op.detail);
	cache_op_deinit(&op);
	return is_good;
}

static bool set_mark(struct steadytext_sink *sink, const char *key, struct slice text, char *reason,
		     size_t reason_size)
{
	struct backend *backend = backend_of(sink);
	struct slice ns = SLICE(STEADYTEXT_MARKS);
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_SET);
	op.ns = ns;
	op.one.key = slice_of(key);
	op.one.ttl_s = 0;
	op.one.value = cache_value_copy_with_headroom(
		text, SLICE("application/json"), backend_headroom(backend, ns, op.one.key.len));
	op.one.size_bytes = text.len;
	enum cache_status status = op.one.value ? backend_call(backend, &op) : CACHE_NO_MEMORY;
	bool is_good =
		status == CACHE_OK ||
		fail(reason, reason_size, "cannot note what was imported", status, op.detail);
	cache_value_release(op.one.value);
	return is_good;
}

static const struct steadytext_sink_ops sink_ops = {
	.put = put,
	.evicted = evicted,
	.settle = settle,
	.get_mark = get_mark,
	.set_mark = set_mark,
};

void steadytext_backend_sink_init(struct steadytext_backend_sink *ret, struct backend *backend,
				  const struct steadytext_limits *limits)
{
	*ret = (struct steadytext_backend_sink){
		.sink = {.ops = &sink_ops, .limits = *limits},
		.backend = backend,
	};
}
