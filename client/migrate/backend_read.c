#include "client/migrate/backend_read.h"

/* Entries that may have come between those of a batch, of which a listing of it has room. */
#define LISTED_MORE 64
/* So few are read without a listing. */
#define READ_AT_ONCE 16

bool backend_read_is_passing(enum cache_status status)
{
	return status == CACHE_UNAVAILABLE || status == CACHE_TIMEOUT;
}

bool migrate_fail_op(struct migrate_failure *failure, const char *what, enum cache_status status,
		     const char *detail, unsigned retry_after_s)
{
	(void)migrate_fail(failure,
			   backend_read_is_passing(status) ? CLIENT_UNREACHABLE
			   : status == CACHE_NO_MEMORY     ? CLIENT_LOCAL
							   : CLIENT_REFUSED,
			   "%s: %s", what, detail ? detail : cache_status_text(status));
	failure->is_passing = backend_read_is_passing(status);
	failure->retry_after_s = retry_after_s;
	return false;
}

void backend_read_fill_get(const struct backend *backend, const char *ns, struct cache_op *op,
			   struct cache_item *items, size_t count)
{
	cache_op_init(op, CACHE_OP_GET);
	op->ns = slice_of(ns);
	op->no_touch = true;
	/* Without a layer for them they are refused one by one. */
	op->takes_references = !(backend->ops->bits & BACKEND_BODIES);
	op->items = items;
	op->item_count = count;
}

struct cache_value *backend_read_take_value(struct cache_item *item)
{
	struct cache_value *value = item->value;

	item->value = NULL;
	if (atomic_load(&value->refs) == 1)
		return value;
	struct cache_value *copy = cache_value_create(value->len_bytes, cache_value_head(value));
	if (copy) {
		memcpy(cache_value_data(copy), cache_value_bytes(value).data, value->len_bytes);
		cache_value_seal_known(copy, &value->etag, value->flags);
		copy->modified_at_us = value->modified_at_us;
		copy->expires_at_us = value->expires_at_us;
	}
	cache_value_release(value);
	return copy;
}

/* ---- What has changed ---- */

/* Whether the source still has the version that the batch has. */
static bool is_that(const struct merge_entry *entry, const struct etag *etag, int64_t expires_at_us)
{
	return etag_equal(etag, &entry->item.value->etag) &&
	       expires_at_us == entry->item.history->expires_at_us;
}

/* Sets those that a listing shows to be as they were: most of them, and no value is read for it. */
static bool list_unchanged(struct backend *backend, const struct migrate_batch *batch,
			   bool *ret_same, struct migrate_failure *failure)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_SCAN);
	op.ns = slice_of(batch->ns);
	op.limit = batch->count + LISTED_MORE;
	op.any_order = true;
	op.has_after = batch->has_before;
	op.after = buffer_bytes(&batch->before);
	enum cache_status status = backend_call(backend, &op);
	size_t at = 0;
	for (size_t i = 0; status == CACHE_OK && i < op.entry_count; i++) {
		const struct cache_entry_info *info = &op.entries[i];

		/* In the order of the batch, but for what has moved: that is read. */
		for (size_t j = at; j < batch->count; j++) {
			const struct merge_entry *entry = &batch->entries[j];

			if (!slice_equal(entry->item.key, info->key))
				continue;
			ret_same[j] = is_that(entry, &info->etag, info->expires_at_us);
			at = j + 1;
			break;
		}
	}
	if (status != CACHE_OK)
		(void)migrate_fail_op(failure, "cannot list the entries again", status, op.detail,
				      op.retry_after_s);
	cache_op_deinit(&op);
	return status == CACHE_OK;
}

static bool take_change(const struct merge_entry *entry, struct cache_item *item,
			struct migrate_batch *ret, struct migrate_failure *failure)
{
	struct cache_value *value = item->value;

	if (!value || is_that(entry, &value->etag, value->expires_at_us))
		return true;
	if (value->flags & CACHE_VALUE_REFERENCE) {
		ret->unreadable++;
		return true;
	}
	struct cache_history history = *entry->item.history;
	history.expires_at_us = value->expires_at_us;
	value = backend_read_take_value(item);
	if (value &&
	    migrate_batch_add(ret, entry->item.key, value, &history, 0, value->modified_at_us))
		return true;
	return migrate_fail(failure, CLIENT_LOCAL, "out of memory");
}

/* All at once; one by one if that is refused. */
static bool read_changes(struct backend *backend, const struct migrate_batch *batch,
			 const size_t *which, size_t count, struct migrate_batch *ret,
			 struct migrate_failure *failure)
{
	struct cache_item items[MIGRATE_BATCH_ENTRIES];
	struct cache_op op;

	for (size_t i = 0; i < count; i++)
		items[i] = (struct cache_item){.key = batch->entries[which[i]].item.key};
	backend_read_fill_get(backend, batch->ns, &op, items, count);
	enum cache_status status = backend_call(backend, &op);
	bool good = status == CACHE_OK || status == CACHE_NOT_FOUND;
	bool is_passing = backend_read_is_passing(status);
	for (size_t i = 0; good && i < count; i++)
		good = take_change(&batch->entries[which[i]], &items[i], ret, failure);
	if (is_passing)
		(void)migrate_fail_op(failure, "cannot read entries again", status, op.detail,
				      op.retry_after_s);
	cache_op_deinit(&op);
	if (is_passing || status == CACHE_OK || status == CACHE_NOT_FOUND)
		return good;
	ret->unreadable += count == 1;
	for (size_t i = 0; count > 1 && i < count; i++)
		if (!read_changes(backend, batch, &which[i], 1, ret, failure))
			return false;
	return true;
}

bool backend_read_changes(struct backend *backend, const struct migrate_batch *batch,
			  struct migrate_batch *ret, struct migrate_failure *failure)
{
	bool is_same[MIGRATE_BATCH_ENTRIES] = {false};
	size_t which[MIGRATE_BATCH_ENTRIES], count = 0;

	for (size_t i = 0; i < batch->count; i++)
		count += migrate_batch_is_open(batch, i);
	/* After the first look they are few, and have changed. */
	if ((count == batch->count || count > READ_AT_ONCE) &&
	    !list_unchanged(backend, batch, is_same, failure))
		return false;
	count = 0;
	for (size_t i = 0; i < batch->count; i++)
		if (!is_same[i] && migrate_batch_is_open(batch, i))
			which[count++] = i;
	memcpy(ret->ns, batch->ns, sizeof(ret->ns));
	return count == 0 || read_changes(backend, batch, which, count, ret, failure);
}
