/* A GET has found heads in memory: the file has their bytes. While it is asked, an entry may be
 * set, removed or written again. So what the file gives counts only if it is the version that
 * memory had: the same ETag, and the same time at which it was stored; when it expires memory knows
 * better. Otherwise the whole op is
 * looked up again, so that a batch is still one view of the store. */
#include "backends/persist/fetch.h"

#include <stdlib.h>

#include "backends/memory/memory.h"
#include "backends/memory/mirror/copy.h"
#include "store/rules.h"

/* How often an op is looked up again: each time somebody else has changed an entry of it. */
#define ATTEMPTS_MAX 16

struct fetch {
	struct persist *persist;
	struct cache_op *op; /* the GET */
	struct cache_op asked;
	size_t *places; /* of its items in the GET */
	struct cache_item items[];
};

static bool is_head(const struct cache_item *item)
{
	return item->value && item->value->flags & CACHE_VALUE_HEAD;
}

static void drop_values(struct cache_op *op)
{
	for (size_t i = 0; i < op->item_count; i++) {
		cache_value_release(op->items[i].value);
		op->items[i].value = NULL;
	}
}

static void fail(struct cache_op *op, enum cache_status status, const char *detail)
{
	drop_values(op);
	op->detail = detail;
	cache_op_complete(op, status);
}

static bool is_version(const struct cache_value *head, const struct cache_value *value)
{
	return value && etag_equal(&head->etag, &value->etag) &&
	       head->modified_at_us == value->modified_at_us;
}

/* Whether the file has given what memory has named. */
static bool is_right(const struct fetch *fetch)
{
	for (size_t i = 0; i < fetch->asked.item_count; i++)
		if (!is_version(fetch->op->items[fetch->places[i]].value, fetch->items[i].value))
			return false;
	return true;
}

static void take_values(struct fetch *fetch)
{
	struct cache_op *op = fetch->op;
	struct namespace *ns = mirror_find(fetch->persist->all, op->ns);

	for (size_t i = 0; i < fetch->asked.item_count; i++) {
		struct cache_item *item = &op->items[fetch->places[i]];
		struct cache_value *head = item->value;

		item->value = fetch->items[i].value;
		fetch->items[i].value = NULL;
		item->value->expires_at_us = head->expires_at_us;
		if (!op->no_touch && ns) /* otherwise it was dropped meanwhile */
			mirror_promote(fetch->persist->all, ns, item->key, head, item->value);
		cache_value_release(head);
	}
}

static void finish(struct cache_op *asked)
{
	struct fetch *fetch = asked->user;
	struct persist *persist = fetch->persist;
	struct cache_op *op = fetch->op;
	enum cache_status status = asked->status;
	const char *detail = asked->detail;
	bool is_answered = status == CACHE_OK || status == CACHE_NOT_FOUND;
	bool ok = is_answered && is_right(fetch);

	if (ok)
		take_values(fetch);
	cache_op_deinit(asked);
	free(fetch);
	if (ok) {
		rules_complete_items(op);
	} else if (!is_answered) {
		fail(op, status, detail);
	} else if (++op->progress > ATTEMPTS_MAX) {
		fail(op, CACHE_UNAVAILABLE,
		     "the database does not have the value that memory has named; try again");
	} else {
		drop_values(op);
		memory_get_again(persist->memory, op);
	}
}

void fetch_run(struct persist *persist, struct cache_op *op)
{
	struct fetch *fetch = NULL;
	size_t count = 0;

	for (size_t i = 0; i < op->item_count; i++)
		count += is_head(&op->items[i]);
	fetch = malloc(sizeof(*fetch) + count * (sizeof(fetch->items[0]) + sizeof(size_t)));
	if (!fetch) {
		fail(op, CACHE_NO_MEMORY, NULL);
		return;
	}
	fetch->persist = persist;
	fetch->op = op;
	fetch->places = (size_t *)(void *)&fetch->items[count];
	cache_op_init(&fetch->asked, CACHE_OP_GET);
	fetch->asked.ns = op->ns;
	fetch->asked.items = fetch->items;
	fetch->asked.item_count = count;
	fetch->asked.no_touch = true;
	fetch->asked.takes_references = true;
	fetch->asked.takes_encoded = true;
	fetch->asked.max_value_bytes = op->max_value_bytes;
	fetch->asked.user = fetch;
	fetch->asked.done = finish;
	count = 0;
	for (size_t i = 0; i < op->item_count; i++) {
		if (!is_head(&op->items[i]))
			continue;
		fetch->items[count] = (struct cache_item){.key = op->items[i].key};
		fetch->places[count++] = i;
	}
	atomic_fetch_add(&persist->counts.fetches, 1);
	persist->file->ops->get(persist->file, &fetch->asked);
}
