#include "backends/redis/merge.h"

#include <stdlib.h>

void redis_merge_free_runs(struct redis_run *runs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = runs[i].at; j < runs[i].count; j++)
			free((void *)(uintptr_t)runs[i].entries[j].key.data);
		free(runs[i].entries);
		runs[i] = (struct redis_run){0};
	}
}

static struct slice next_key(const struct redis_run *run)
{
	return run->entries[run->at].key;
}

/* Lets the run in place `i` of a heap of `count` runs sink to where its next key belongs. */
static void sink(struct redis_run **heap, size_t count, size_t i)
{
	struct redis_run *run = heap[i];

	for (size_t child; (child = 2 * i + 1) < count; i = child) {
		if (child + 1 < count &&
		    slice_compare(next_key(heap[child + 1]), next_key(heap[child])) < 0)
			child++;
		if (slice_compare(next_key(run), next_key(heap[child])) <= 0)
			break;
		heap[i] = heap[child];
	}
	heap[i] = run;
}

static size_t make_heap(struct redis_run *runs, size_t count, struct redis_run **heap)
{
	size_t filled = 0;

	for (size_t i = 0; i < count; i++)
		if (runs[i].at < runs[i].count)
			heap[filled++] = &runs[i];
	for (size_t i = filled / 2; i-- > 0;)
		sink(heap, filled, i);
	return filled;
}

static bool lacks_any(const struct redis_run *runs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (redis_merge_lacks(&runs[i]))
			return true;
	return false;
}

static size_t key_bytes_of(const struct cache_op *op)
{
	size_t bytes = 0;

	for (size_t i = 0; i < op->entry_count; i++)
		bytes += op->entries[i].key.len;
	return bytes;
}

/* Room for the entries that are there, up to the limit. */
static bool reserve(struct cache_op *op, const struct redis_run *runs, size_t count)
{
	size_t wanted = op->entry_count + 1;

	for (size_t i = 0; i < count; i++)
		wanted += runs[i].count - runs[i].at;
	if (wanted > op->limit + 1)
		wanted = op->limit + 1;
	struct cache_entry_info *grown = realloc(op->entries, wanted * sizeof(*grown));
	if (grown)
		op->entries = grown;
	return grown != NULL;
}

static enum redis_merge_end merge(struct redis_run *runs, size_t count, struct redis_run **heap,
				  struct cache_op *op)
{
	size_t filled = make_heap(runs, count, heap);
	size_t bytes = key_bytes_of(op);

	if (op->entry_count < op->limit && lacks_any(runs, count))
		return MERGE_NEEDS_MORE;
	while (filled > 0 && op->entry_count < op->limit &&
	       (op->max_key_bytes == 0 || bytes < op->max_key_bytes)) {
		struct redis_run *run = heap[0];

		bytes += next_key(run).len;
		op->entries[op->entry_count++] = run->entries[run->at++];
		if (run->at == run->count)
			heap[0] = heap[--filled];
		if (filled > 0)
			sink(heap, filled, 0);
		if (redis_merge_lacks(run) && op->entry_count < op->limit &&
		    (op->max_key_bytes == 0 || bytes < op->max_key_bytes))
			return MERGE_NEEDS_MORE;
	}
	op->complete = filled == 0 && !lacks_any(runs, count);
	return MERGE_DONE;
}

enum redis_merge_end redis_merge(struct redis_run *runs, size_t count, struct cache_op *op)
{
	struct redis_run **heap = malloc((count + 1) * sizeof(struct redis_run *));
	enum redis_merge_end end = MERGE_NO_MEMORY;

	if (heap && reserve(op, runs, count))
		end = merge(runs, count, heap, op);
	free(heap);
	return end;
}
