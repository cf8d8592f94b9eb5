#include "handlers/batch/call_items.h"

#include <stdio.h>
#include <stdlib.h>

#include "handlers/batch/call_value.h"
#include "handlers/respond/error.h"

static bool allocate_items(struct request *request, struct response *response, size_t count)
{
	struct call *call = request->state;

	if (count > request->context->max_batch_items) {
		respond_error(request, response, 413,
			      "the batch has %zu items; the server takes up to %zu "
			      "(STEADYCACHE_MAX_BATCH)",
			      count, request->context->max_batch_items);
		return false;
	}
	call->items = calloc(count + 1, sizeof(*call->items));
	if (!call->items) {
		call_respond_no_memory(request, response);
		return false;
	}
	request->op.items = call->items;
	request->op.item_count = count;
	for (size_t i = 0; i < count; i++)
		call->items[i].ttl_s = TTL_DEFAULT;
	return true;
}

static int compare_items(const void *a, const void *b)
{
	const struct cache_item *left = *(struct cache_item *const *)a;
	const struct cache_item *right = *(struct cache_item *const *)b;
	int order = slice_compare(left->key, right->key);

	return order != 0 ? order : (left > right) - (left < right);
}

/* Keeps one item of each key, the first or the last, in the order of the request. */
static bool remove_duplicates(struct request *request, struct response *response, bool keep_last)
{
	struct cache_op *op = &request->op;
	struct cache_item **sorted = malloc((op->item_count + 1) * sizeof(struct cache_item *));
	size_t kept = 0;

	if (!sorted) {
		call_respond_no_memory(request, response);
		return false;
	}
	for (size_t i = 0; i < op->item_count; i++)
		sorted[i] = &op->items[i];
	qsort(sorted, op->item_count, sizeof(struct cache_item *), compare_items);
	for (size_t i = 1; i < op->item_count; i++)
		if (slice_equal(sorted[i - 1]->key, sorted[i]->key)) {
			/* CACHE_INVALID marks a removed item; of a run the first (or last)
			 * stays. */
			if (keep_last) {
				sorted[i - 1]->status = CACHE_INVALID;
			} else {
				sorted[i]->status = CACHE_INVALID;
			}
		}
	free(sorted);
	for (size_t i = 0; i < op->item_count; i++) {
		if (op->items[i].status == CACHE_INVALID) {
			cache_value_release(op->items[i].value);
			continue;
		}
		if (kept != i)
			op->items[kept] = op->items[i];
		kept++;
	}
	op->item_count = kept;
	return true;
}

bool call_items_read_keys(struct request *request, struct response *response)
{
	const struct call *call = request->state;
	const struct scan_list *list = &call->list;

	if (!json_in_list(request, response, list, "a string") ||
	    !allocate_items(request, response, list->count))
		return false;
	for (size_t i = 0; i < list->count; i++)
		if (!call_value_item_key(request, response, "", &list->found[i],
					 &request->op.items[i].key))
			return false;
	return remove_duplicates(request, response, false);
}

/* The name of the item at `index` in errors. */
struct item_path {
	char text[40];
};

static struct item_path path_of(size_t index)
{
	struct item_path path;

	(void)snprintf(path.text, sizeof(path.text), "items[%zu].", index);
	return path;
}

/* A member that this route does not know is never found. */
static const struct scan_member *member_of(const struct scan_list *list, size_t item, size_t member)
{
	static const struct scan_member none;

	return member < list->member_count ? &list->found[item * list->member_count + member]
					   : &none;
}

static bool read_item(struct request *request, struct response *response,
		      const struct scan_list *list, size_t index)
{
	struct cache_item *item = &request->op.items[index];
	struct item_path path = path_of(index);
	const struct item_fields fields = {
		.value = member_of(list, index, SCANNED_ITEM_VALUE),
		.size = member_of(list, index, SCANNED_ITEM_SIZE),
		.ttl = member_of(list, index, SCANNED_ITEM_TTL),
		.content_type = member_of(list, index, SCANNED_ITEM_CONTENT_TYPE),
		.encoding = member_of(list, index, SCANNED_ITEM_ENCODING),
		.headers = member_of(list, index, SCANNED_ITEM_HEADERS),
	};

	return call_value_item_key(request, response, path.text,
				   member_of(list, index, SCANNED_ITEM_KEY), &item->key) &&
	       call_value_fill_item(request, response, path.text, &fields, item);
}

/* Reads the `items` array into the op's items; of two with one key the later stays. */
static bool read_items(struct request *request, struct response *response)
{
	const struct call *call = request->state;
	const struct scan_list *list = &call->list;

	if (!json_in_list(request, response, list, "an object") ||
	    !allocate_items(request, response, list->count))
		return false;
	for (size_t i = 0; i < list->count; i++)
		if (!read_item(request, response, list, i))
			return false;
	return remove_duplicates(request, response, true);
}

enum handler_step call_items_start_get(struct request *request, struct response *response)
{
	if (!call_open_batch(request, response, CACHE_OP_GET) ||
	    !call_items_read_keys(request, response))
		return STEP_RESPOND;
	return STEP_SUBMIT;
}

enum handler_step call_items_start_set(struct request *request, struct response *response)
{
	if (!call_open_batch(request, response, CACHE_OP_SET) || !read_items(request, response))
		return STEP_RESPOND;
	return STEP_SUBMIT;
}

enum handler_step call_items_start_delete(struct request *request, struct response *response)
{
	if (!call_open_batch(request, response, CACHE_OP_DELETE) ||
	    !call_items_read_keys(request, response))
		return STEP_RESPOND;
	return STEP_SUBMIT;
}
