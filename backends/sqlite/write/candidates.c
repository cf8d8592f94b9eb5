#include "backends/sqlite/write/candidates.h"

#include "base/array.h"
#include "base/invariant.h"

static bool goes_before(const struct candidate *a, const struct candidate *b)
{
	if (a->score != b->score)
		return a->score < b->score;
	return a->last_access_us < b->last_access_us;
}

bool candidates_push(struct candidates *heap, const struct candidate *candidate)
{
	struct candidate *items =
		array_with_room(heap->items, heap->count, &heap->capacity, sizeof(*items));

	if (!items)
		return false;
	heap->items = items;
	size_t at = heap->count++;
	for (; at > 0 && goes_before(candidate, &heap->items[(at - 1) / 2]); at = (at - 1) / 2)
		heap->items[at] = heap->items[(at - 1) / 2];
	heap->items[at] = *candidate;
	return true;
}

struct candidate candidates_pop(struct candidates *heap)
{
	INVARIANT(heap->count > 0);
	struct candidate top = heap->items[0];
	struct candidate last = heap->items[--heap->count];
	size_t at = 0;

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= heap->count)
			break;
		if (child + 1 < heap->count &&
		    goes_before(&heap->items[child + 1], &heap->items[child]))
			child++;
		if (!goes_before(&heap->items[child], &last))
			break;
		heap->items[at] = heap->items[child];
		at = child;
	}
	heap->items[at] = last;
	INVARIANT(heap->count == 0 || !goes_before(&heap->items[0], &top));
	return top;
}
