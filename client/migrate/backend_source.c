/* Entries of a backend: listings in the backend's own order, and some batches of values ahead, so
 * that the way to a server far away is used. Nothing that is read counts as a use. */
#include "client/migrate/backend_source.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_out.h"
#include "client/migrate/backend_read.h"
#include "client/migrate/report.h"
#include "client/target.h"

#define PAGE_ENTRIES   1024
#define PAGE_KEY_BYTES ((size_t)1 << 20)
#define PARTS_AHEAD    8
/* ... unless they have that many bytes. */
#define BYTES_AHEAD (UINT64_C(32) << 20)

/* A get of some entries of the page. */
struct part {
	struct backend_source *source;
	struct cache_op op;
	struct cache_item items[MIGRATE_BATCH_ENTRIES];
	size_t from, count; /* of the page */
	uint64_t bytes;
	bool is_asked, is_done;
};

struct backend_source {
	struct migrate_source source;
	struct backend *backend;
	size_t at; /* of the namespaces */
	struct buffer after;
	bool has_after;

	struct cache_op page;
	bool has_page;
	size_t planned; /* of the page: belongs to a part */
	struct part parts[PARTS_AHEAD];
	size_t first, ahead; /* a ring */
	uint64_t bytes_ahead;
	pthread_mutex_t lock;
	pthread_cond_t part_done;
};

static struct backend_source *backend_source_of(struct migrate_source *source)
{
	return (struct backend_source *)(void *)source;
}

static const char *name_of(const struct backend_source *source)
{
	return source->source.namespaces[source->at].name;
}

/* ---- Pages ---- */

static bool ask_page(struct backend_source *source, struct migrate_failure *failure)
{
	struct cache_op *op = &source->page;

	cache_op_init(op, CACHE_OP_SCAN);
	op->ns = slice_of(name_of(source));
	op->limit = PAGE_ENTRIES;
	op->max_key_bytes = PAGE_KEY_BYTES;
	op->any_order = true;
	op->has_after = source->has_after;
	op->after = buffer_bytes(&source->after);
	if (backend_call(source->backend, op) == CACHE_OK) {
		source->has_page = true;
		source->planned = 0;
		source->source.has_places = !op->order_is_passing;
		return true;
	}
	(void)migrate_fail_op(failure, "cannot list the entries", op->status, op->detail,
			      op->retry_after_s);
	cache_op_deinit(op);
	return false;
}

/* After the last part of the page. */
static void leave_page(struct backend_source *source)
{
	struct cache_op *page = &source->page;

	if (page->complete || page->entry_count == 0) {
		source->at++;
		source->has_after = false;
	} else {
		source->after.len = 0;
		buffer_append(&source->after, page->entries[page->entry_count - 1].key);
		source->has_after = true;
	}
	cache_op_deinit(page);
	source->has_page = false;
}

/* ---- Parts ---- */

static void note_part(struct cache_op *op)
{
	struct part *part = op->user;

	(void)pthread_mutex_lock(&part->source->lock);
	part->is_done = true;
	(void)pthread_cond_signal(&part->source->part_done);
	(void)pthread_mutex_unlock(&part->source->lock);
}

static void ask_part(struct backend_source *source, struct part *part)
{
	for (size_t i = 0; i < part->count; i++)
		part->items[i] =
			(struct cache_item){.key = source->page.entries[part->from + i].key};
	backend_read_fill_get(source->backend, name_of(source), &part->op, part->items,
			      part->count);
	part->op.done = note_part;
	part->op.user = part;
	part->is_asked = true;
	part->is_done = false;
	backend_submit(source->backend, &part->op);
}

/* The next part of the page. */
static void plan_part(struct backend_source *source)
{
	struct part *part = &source->parts[(source->first + source->ahead) % PARTS_AHEAD];
	uint64_t bytes = 0;

	part->source = source;
	part->from = source->planned;
	part->count = 0;
	while (source->planned < source->page.entry_count && part->count < MIGRATE_BATCH_ENTRIES) {
		const struct cache_entry_info *info = &source->page.entries[source->planned];
		uint64_t more = info->size_bytes + info->key.len;

		if (part->count > 0 && bytes + more > MIGRATE_BATCH_BYTES)
			break;
		bytes += more;
		part->count++;
		source->planned++;
	}
	source->ahead++;
	part->bytes = bytes;
	source->bytes_ahead += bytes;
	ask_part(source, part);
}

static void await_part(struct backend_source *source, struct part *part)
{
	(void)pthread_mutex_lock(&source->lock);
	while (!part->is_done)
		(void)pthread_cond_wait(&source->part_done, &source->lock);
	(void)pthread_mutex_unlock(&source->lock);
}

/* ---- Entries ---- */

static bool take_entry(struct backend_source *source, const struct cache_entry_info *info,
		       struct cache_item *item, struct migrate_batch *ret,
		       struct migrate_failure *failure)
{
	if (!item->value) {
		ret->gone++;
		return true;
	}
	if (item->value->flags & CACHE_VALUE_REFERENCE) {
		migrate_report_entry(name_of(source), info->key,
				     "its bytes are in a large-value store: give "
				     "--from-large-values");
		ret->unreadable++;
		return true;
	}
	bool is_same = etag_equal(&info->etag, &item->value->etag);
	struct cache_value *value = backend_read_take_value(item);
	struct cache_history history = {
		.frequency = info->frequency,
		.created_at_us = info->created_at_us,
		.last_access_us = info->last_access_us,
		.expires_at_us = value ? value->expires_at_us : 0,
	};
	if (value && migrate_batch_add(ret, info->key, value, &history,
				       is_same ? info->size_bytes : 0, value->modified_at_us))
		return true;
	return migrate_fail(failure, CLIENT_LOCAL, "out of memory");
}

/* Entry by entry, where the part as a whole was refused. */
static bool take_singly(struct backend_source *source, struct part *part, struct migrate_batch *ret,
			struct migrate_failure *failure)
{
	bool good = true;

	for (size_t i = 0; good && i < part->count; i++) {
		const struct cache_entry_info *info = &source->page.entries[part->from + i];
		struct cache_item item = {.key = info->key};
		struct cache_op op;

		backend_read_fill_get(source->backend, name_of(source), &op, &item, 1);
		enum cache_status status = backend_call(source->backend, &op);
		if (status == CACHE_OK || status == CACHE_NOT_FOUND)
			status = item.status;
		if (status == CACHE_OK || status == CACHE_NOT_FOUND) {
			good = take_entry(source, info, &item, ret, failure);
		} else if (backend_read_is_passing(status)) {
			good = migrate_fail_op(failure, "cannot read entries", status, op.detail,
					       op.retry_after_s);
		} else {
			migrate_report_entry(name_of(source), info->key,
					     op.detail ? op.detail : cache_status_text(status));
			ret->unreadable++;
		}
		cache_op_deinit(&op);
	}
	return good;
}

static bool take_part(struct backend_source *source, struct part *part, struct migrate_batch *ret,
		      struct migrate_failure *failure)
{
	enum cache_status status = part->op.status;

	if (status == CACHE_OK || status == CACHE_NOT_FOUND) {
		for (size_t i = 0; i < part->count; i++)
			if (!take_entry(source, &source->page.entries[part->from + i],
					&part->items[i], ret, failure))
				return false;
		return true;
	}
	if (backend_read_is_passing(status))
		return migrate_fail_op(failure, "cannot read entries", status, part->op.detail,
				       part->op.retry_after_s);
	return take_singly(source, part, ret, failure);
}

/* ---- Places ---- */

/* "NAMESPACE:KEY", the key in base64; without the colon: behind all of that namespace. */
static void write_place(const struct backend_source *source, struct slice key,
			struct migrate_batch *ret)
{
	struct buffer text = {0};

	ret->place.len = 0;
	if (!source->source.has_places)
		return;
	json_out_base64(&text, key);
	buffer_printf(&ret->place, "%s:%.*s", name_of(source), (int)text.len - 2, text.data + 1);
	ret->place.failed |= text.failed;
	buffer_deinit(&text);
}

/* Namespaces are in order: those before the place have been taken. */
static bool go_to(struct backend_source *source, const char *place)
{
	size_t len = strcspn(place, ":");
	struct slice wanted = {.data = place, .len = len};

	if (place[len] != ':' || !target_base64(slice_of(place + len + 1), &source->after))
		return false;
	while (source->at < source->source.namespace_count &&
	       slice_compare(slice_of(name_of(source)), wanted) < 0)
		source->at++;
	source->has_after = source->at < source->source.namespace_count &&
			    slice_equal(slice_of(name_of(source)), wanted);
	return true;
}

/* ---- All of it ---- */

static enum migrate_step next(struct migrate_source *base, struct migrate_batch *ret,
			      struct migrate_failure *failure)
{
	struct backend_source *source = backend_source_of(base);

	for (;;) {
		if (source->at == base->namespace_count)
			return MIGRATE_END;
		if (!source->has_page && !ask_page(source, failure))
			return MIGRATE_FAILED;
		while (source->ahead < PARTS_AHEAD && source->bytes_ahead < BYTES_AHEAD &&
		       source->planned < source->page.entry_count)
			plan_part(source);
		if (source->ahead > 0)
			break;
		leave_page(source);
	}
	struct part *part = &source->parts[source->first];
	if (!part->is_asked)
		ask_part(source, part);
	await_part(source, part);
	(void)snprintf(ret->ns, sizeof(ret->ns), "%s", name_of(source));
	bool good = take_part(source, part, ret, failure);
	cache_op_deinit(&part->op);
	part->is_asked = false;
	if (!good)
		return MIGRATE_FAILED;
	write_place(source, source->page.entries[part->from + part->count - 1].key, ret);
	ret->has_before = part->from > 0 || source->has_after;
	buffer_append(&ret->before, part->from > 0 ? source->page.entries[part->from - 1].key
						   : buffer_bytes(&source->after));
	source->first = (source->first + 1) % PARTS_AHEAD;
	source->ahead--;
	source->bytes_ahead -= part->bytes;
	if (source->ahead == 0 && source->planned == source->page.entry_count)
		leave_page(source);
	return MIGRATE_BATCH;
}

static void close_source(struct migrate_source *base)
{
	struct backend_source *source = backend_source_of(base);

	for (; source->ahead > 0; source->ahead--) {
		struct part *part = &source->parts[source->first];

		if (part->is_asked) {
			await_part(source, part);
			cache_op_deinit(&part->op);
		}
		source->first = (source->first + 1) % PARTS_AHEAD;
	}
	if (source->has_page)
		cache_op_deinit(&source->page);
	buffer_deinit(&source->after);
	(void)pthread_mutex_destroy(&source->lock);
	(void)pthread_cond_destroy(&source->part_done);
	free(base->namespaces);
	free(source);
}

static bool look(struct migrate_source *base, const struct migrate_batch *batch,
		 struct migrate_batch *ret, struct migrate_failure *failure)
{
	return backend_read_changes(backend_source_of(base)->backend, batch, ret, failure);
}

static void interrupt(struct migrate_source *base)
{
	struct backend *backend = backend_source_of(base)->backend;

	if (backend->ops->hurry)
		backend->ops->hurry(backend);
}

static const struct migrate_source_ops source_ops = {
	.next = next,
	.look = look,
	.interrupt = interrupt,
	.close = close_source,
};

struct migrate_source *backend_source_open(struct backend *backend,
					   struct migrate_namespace *namespaces, size_t count,
					   const char *place, struct migrate_failure *failure)
{
	struct backend_source *source = calloc(1, sizeof(*source));

	if (!source) {
		free(namespaces);
		(void)migrate_fail(failure, CLIENT_LOCAL, "out of memory");
		return NULL;
	}
	source->source = (struct migrate_source){
		.ops = &source_ops,
		.namespaces = namespaces,
		.namespace_count = count,
		.has_places = true,
		.is_shared = true,
	};
	for (size_t i = 0; i < count; i++) {
		source->source.total_entries += namespaces[i].entries;
		source->source.total_bytes += namespaces[i].bytes;
	}
	source->backend = backend;
	(void)pthread_mutex_init(&source->lock, NULL);
	(void)pthread_cond_init(&source->part_done, NULL);
	if (!place || go_to(source, place))
		return &source->source;
	(void)migrate_fail(failure, CLIENT_USAGE, "the state is not one of this source");
	close_source(&source->source);
	return NULL;
}
