/* Each partition is asked for about its share of the page, as keys spread evenly. What a partition
 * has told is in byte order, so the page is certain up to the first end of one that has more: that
 * one is asked again, behind its last key. */
#include "backends/redis/scatter_list.h"

#include <stdlib.h>

#include "backends/redis/merge.h"
#include "backends/redis/scatter.h"

struct listing {
	size_t part_count;
	struct redis_run runs[];
};

/* Some more than the share, so that hardly any is asked twice. */
static size_t wanted_of(const struct cache_op *op, size_t part_count)
{
	size_t left = op->limit - op->entry_count;
	size_t share = left / part_count;
	size_t wanted = share + share / 2 + 4;

	return wanted < left ? wanted : left;
}

/* Adds a child for each partition on which it depends what comes next. */
static void ask(struct redis_scatter *scatter, const struct listing *listing)
{
	const struct cache_op *op = scatter->op;

	for (unsigned p = 0; p < listing->part_count; p++) {
		const struct redis_run *run = &listing->runs[p];

		if (!redis_merge_lacks(run))
			continue;
		struct cache_op *child = redis_scatter_add(scatter, p);
		child->prefix = op->prefix;
		child->has_after = op->has_after || run->count > 0;
		child->after = run->count > 0 ? run->entries[run->count - 1].key : op->after;
		child->limit = wanted_of(op, listing->part_count);
		child->max_key_bytes = op->max_key_bytes;
	}
}

/* Moves what a child found to its run. The keys before are the op's by now. */
static void take(struct listing *listing, struct cache_op *child)
{
	struct redis_run *run = &listing->runs[child->part - 1];

	free(run->entries);
	*run = (struct redis_run){
		.entries = child->entries,
		.count = child->entry_count,
		/* One that found nothing has nothing more. */
		.complete = child->complete || child->entry_count == 0,
	};
	child->entries = NULL;
	child->entry_count = 0;
}

static void finish(struct redis_scatter *scatter)
{
	const struct cache_op *failed = redis_scatter_failed(scatter);
	struct listing *listing = scatter->more;
	enum redis_merge_end end = MERGE_DONE;

	for (size_t i = 0; i < scatter->count; i++)
		take(listing, &scatter->children[i]);
	if (!failed)
		end = redis_merge(listing->runs, listing->part_count, scatter->op);
	if (!failed && end == MERGE_NEEDS_MORE) {
		redis_scatter_reset(scatter);
		ask(scatter, listing);
		redis_scatter_send(scatter);
		return;
	}
	redis_merge_free_runs(listing->runs, listing->part_count);
	redis_scatter_end(scatter, end == MERGE_NO_MEMORY ? CACHE_NO_MEMORY : CACHE_OK, failed);
}

void redis_scatter_list(struct backend *backend, struct cache_op *op, unsigned part_count)
{
	struct redis_scatter *scatter = redis_scatter_create(
		backend, op, part_count,
		sizeof(struct listing) + part_count * sizeof(struct redis_run), finish);

	if (!scatter)
		return;
	struct listing *listing = scatter->more;
	listing->part_count = part_count;
	ask(scatter, listing);
	redis_scatter_send(scatter);
}
