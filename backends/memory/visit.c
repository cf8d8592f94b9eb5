/* Visits of the entries of a namespace, one shard after the other.
 *
 * While a visit is in a shard, the shard's table keeps its number of buckets (table.h). So an entry
 * that stays is in the same bucket from the first step to the last, however much is added and
 * removed between the steps, and is met exactly once.
 *
 * A visit mostly waits for memory: nearly every entry is in no cache. So it prefetches the entries
 * of the next buckets while it looks at those of one. */
#include "backends/memory/visit.h"

#include "base/invariant.h"

/* A step ends after this many entries or buckets. */
#define STEP_ENTRIES 256
#define STEP_BUCKETS 1024
/* How far ahead entries are prefetched. */
#define BUCKETS_AHEAD 3

/* Visits buckets from *bucket on for one step. False: the visitor ended it. */
static bool visit_step(struct shard *shard, uint32_t *bucket, const struct visitor *visitor,
		       struct entry **trash)
{
	size_t entries = 0;

	for (size_t buckets = 0; buckets < STEP_BUCKETS && entries < STEP_ENTRIES; buckets++) {
		if (*bucket >= shard->table.bucket_count)
			break;
		struct entry *entry;
		size_t at = 0;

		table_prefetch(&shard->table, *bucket + BUCKETS_AHEAD);
		while ((entry = table_at(&shard->table, *bucket, at))) {
			if (!visitor->visit(visitor->context, shard, entry, trash))
				return false;
			/* A removed entry gave its place to another. */
			at += table_at(&shard->table, *bucket, at) == entry;
			entries++;
		}
		(*bucket)++;
	}
	return true;
}

/* False: the visitor ended it. */
static bool visit_shard(struct shard *shard, const struct visitor *visitor)
{
	uint32_t bucket = 0;
	bool goes_on;
	bool ends;

	(void)pthread_mutex_lock(&shard->lock);
	shard->table.visits++;
	(void)pthread_mutex_unlock(&shard->lock);
	do {
		struct entry *trash = NULL;

		(void)pthread_mutex_lock(&shard->lock);
		goes_on = visit_step(shard, &bucket, visitor, &trash);
		ends = !goes_on || bucket >= shard->table.bucket_count;
		if (ends) {
			INVARIANT(shard->table.visits > 0);
			shard->table.visits--;
		}
		(void)pthread_mutex_unlock(&shard->lock);
		entry_free_list(trash);
		if (visitor->between)
			visitor->between(visitor->context);
	} while (!ends);
	return goes_on;
}

bool visit_entries(struct namespace *ns, const struct visitor *visitor)
{
	for (unsigned i = 0; i < SHARDS; i++)
		if (!visit_shard(&ns->shards[i], visitor))
			return false;
	return true;
}
