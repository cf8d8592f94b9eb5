#include "backends/redis/scatter_items.h"

#include <stdlib.h>

#include "backends/redis/scatter.h"
#include "backends/redis/slot.h"
#include "backends/remote/backend.h"

/* What the children have: the items by partition, in each in the order of the op. */
struct spread {
	struct cache_item *items;
	size_t *places; /* of each in the op */
	size_t *ends;   /* behind the last one of each partition */
};

/* ---- The end ---- */

/* Takes over what came for item `i` of `child`. */
static void take_item(struct cache_op *op, const struct cache_op *child, size_t i, size_t place)
{
	struct cache_item *from = &child->items[i];
	struct cache_item *to = &op->items[place];

	to->status = child->status == CACHE_OK ? from->status : child->status;
	to->created = from->created;
	to->stale = from->stale;
	if (op->type == CACHE_OP_GET) {
		to->value = from->value;
		from->value = NULL;
	}
}

static bool is_beyond(const struct cache_op *op)
{
	uint64_t bytes = 0;

	if (op->type != CACHE_OP_GET || op->max_value_bytes == 0)
		return false;
	for (size_t i = 0; i < op->item_count; i++)
		bytes += op->items[i].value ? op->items[i].value->len_bytes : 0;
	return bytes > op->max_value_bytes;
}

static void release_values(struct cache_op *op)
{
	for (size_t i = 0; op->type == CACHE_OP_GET && i < op->item_count; i++) {
		cache_value_release(op->items[i].value);
		op->items[i].value = NULL;
	}
}

static void finish(struct redis_scatter *scatter)
{
	const struct cache_op *failed = redis_scatter_failed(scatter);
	struct cache_op *op = scatter->op;
	const struct spread *spread = scatter->more;
	const size_t *place = spread->places;
	enum cache_status status = CACHE_OK;

	for (size_t c = 0; c < scatter->count; c++)
		for (size_t i = 0; i < scatter->children[c].item_count; i++)
			take_item(op, &scatter->children[c], i, *place++);
	if (!failed && is_beyond(op))
		status = CACHE_TOO_LARGE;
	if (failed || status != CACHE_OK)
		release_values(op);
	redis_scatter_end(scatter, status, failed);
}

/* ---- The beginning ---- */

static bool is_of_one_part(const struct cache_op *op, unsigned part_count)
{
	unsigned first = redis_slot_part_of(op->items[0].key, part_count);

	for (size_t i = 1; i < op->item_count; i++)
		if (redis_slot_part_of(op->items[i].key, part_count) != first)
			return false;
	return true;
}

static void sort(const struct cache_op *op, struct spread *spread, unsigned part_count)
{
	size_t *ends = spread->ends; /* zeroed */
	size_t sum = 0;

	for (size_t i = 0; i < op->item_count; i++)
		ends[redis_slot_part_of(op->items[i].key, part_count)]++;
	for (unsigned p = 0; p < part_count; p++) {
		size_t count = ends[p];

		ends[p] = sum;
		sum += count;
	}
	for (size_t i = 0; i < op->item_count; i++) {
		size_t *end = &ends[redis_slot_part_of(op->items[i].key, part_count)];

		spread->places[*end] = i;
		spread->items[*end] = op->items[i];
		/* It counts in an operation of one item only, and the batch is none. */
		spread->items[*end].condition = (struct cache_condition){0};
		(*end)++;
	}
}

static void add_children(struct redis_scatter *scatter, const struct spread *spread,
			 unsigned part_count)
{
	const struct cache_op *op = scatter->op;
	const size_t *ends = spread->ends;

	for (unsigned p = 0; p < part_count; p++) {
		size_t begin = p > 0 ? ends[p - 1] : 0;

		if (begin == ends[p])
			continue;
		struct cache_op *child = redis_scatter_add(scatter, p);
		child->items = &spread->items[begin];
		child->item_count = ends[p] - begin;
		child->no_touch = op->no_touch;
		child->serve_stale = op->serve_stale;
		child->max_value_bytes = op->max_value_bytes;
	}
}

void redis_scatter_items(struct backend *backend, struct cache_op *op, unsigned part_count)
{
	if (is_of_one_part(op, part_count)) {
		op->part = redis_slot_part_of(op->items[0].key, part_count) + 1;
		remote_backend_submit(backend, op);
		return;
	}
	size_t count = op->item_count;
	size_t children = count < part_count ? count : part_count;
	size_t bytes = sizeof(struct spread) + part_count * sizeof(size_t) +
		       count * (sizeof(struct cache_item) + sizeof(size_t));
	struct redis_scatter *scatter = redis_scatter_create(backend, op, children, bytes, finish);

	if (!scatter)
		return;
	struct spread *spread = scatter->more;
	spread->items = (struct cache_item *)(spread + 1);
	spread->places = (size_t *)(spread->items + count);
	spread->ends = spread->places + count;
	sort(op, spread, part_count);
	add_children(scatter, spread, part_count);
	redis_scatter_send(scatter);
}
