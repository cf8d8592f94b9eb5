/* A listing that continues where the previous one ended, without looking at all entries each time.
 *
 * Its order is: the shard, then the hash read backwards (its lowest bit counts most), then the key.
 * A bucket of a table of linear hashing has the hashes that agree in their lowest bits: read
 * backwards, a range without gaps. So the buckets follow each other in this order, and a split only
 * halves a range: however the table grows or shrinks between two listings, an entry that stays
 * keeps its position. The position is that of a key, so only the last key of a listing has to be
 * remembered. */
#include "backends/memory/listing/hash_scan.h"

#include <stdlib.h>

#include "backends/memory/listing/page.h"

/* The lock of a shard is released after this many buckets. */
#define STEP_BUCKETS 256

struct candidate {
	uint64_t place;
	struct entry *entry;
};

struct scan {
	struct page page;
	uint64_t place;  /* the position to continue from */
	bool past_after; /* op->after is at `place`, and only what follows it there is wanted */
	struct candidate *candidates; /* of a bucket, malloc'ed */
	size_t candidate_count, candidate_capacity;
};

static uint64_t reverse(uint64_t bits)
{
	bits = (bits >> 1 & 0x5555555555555555) | (bits & 0x5555555555555555) << 1;
	bits = (bits >> 2 & 0x3333333333333333) | (bits & 0x3333333333333333) << 2;
	bits = (bits >> 4 & 0x0F0F0F0F0F0F0F0F) | (bits & 0x0F0F0F0F0F0F0F0F) << 4;
	return __builtin_bswap64(bits);
}

static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *left = a;
	const struct candidate *right = b;

	if (left->place != right->place)
		return left->place < right->place ? -1 : 1;
	return slice_compare(entry_key(left->entry), entry_key(right->entry));
}

static bool is_wanted(const struct scan *scan, struct entry *entry, uint64_t place)
{
	if (place < scan->place || !page_may_list(&scan->page, entry))
		return false;
	return !scan->past_after || place > scan->place ||
	       slice_compare(entry_key(entry), scan->page.op->after) > 0;
}

static bool add_candidate(struct scan *scan, struct entry *entry, uint64_t place)
{
	if (scan->candidate_count == scan->candidate_capacity) {
		size_t capacity = scan->candidate_capacity * 2 + 16;
		struct candidate *larger =
			realloc(scan->candidates, capacity * sizeof(*scan->candidates));

		if (!larger)
			return false;
		scan->candidates = larger;
		scan->candidate_capacity = capacity;
	}
	scan->candidates[scan->candidate_count++] =
		(struct candidate){.place = place, .entry = entry};
	return true;
}

/* Collects those of a bucket that are wanted, in order. False: out of memory. */
static bool collect(struct scan *scan, const struct table *table, uint32_t bucket)
{
	struct entry *entry = NULL;

	scan->candidate_count = 0;
	for (size_t at = 0; (entry = table_at(table, bucket, at)); at++) {
		uint64_t place = reverse(entry_hash(entry_key(entry)));

		if (is_wanted(scan, entry, place) && !add_candidate(scan, entry, place))
			return false;
	}
	if (scan->candidate_count > 1)
		qsort(scan->candidates, scan->candidate_count, sizeof(*scan->candidates),
		      compare_candidates);
	return true;
}

enum outcome { GOES_ON, IS_FULL, NO_MEMORY };

static enum outcome scan_bucket(struct scan *scan, const struct table *table, uint32_t bucket)
{
	if (!collect(scan, table, bucket))
		return NO_MEMORY;
	for (size_t i = 0; i < scan->candidate_count; i++) {
		if (page_is_full(&scan->page))
			return IS_FULL;
		if (!page_append(&scan->page, scan->candidates[i].entry))
			return NO_MEMORY;
	}
	return GOES_ON;
}

/* Moves past the range of the bucket that the lowest `bits` bits lead to. False: it was the
 * last. */
static bool move_on(struct scan *scan, unsigned bits)
{
	uint64_t range = bits > 0 ? UINT64_C(1) << (64 - bits) : 0;

	scan->place = (scan->place & ~(range - 1)) + range;
	scan->past_after = false;
	return bits > 0 && scan->place != 0;
}

static enum outcome scan_shard(struct scan *scan, struct shard *shard)
{
	enum outcome outcome = GOES_ON;
	bool is_more = true;

	while (is_more && outcome == GOES_ON) {
		(void)pthread_mutex_lock(&shard->lock);
		is_more = shard->table.entry_count > 0;
		for (unsigned i = 0; i < STEP_BUCKETS && is_more && outcome == GOES_ON; i++) {
			unsigned bits = 0;
			uint32_t bucket = table_index(&shard->table, reverse(scan->place), &bits);

			outcome = scan_bucket(scan, &shard->table, bucket);
			is_more = move_on(scan, bits);
		}
		(void)pthread_mutex_unlock(&shard->lock);
	}
	return outcome;
}

enum cache_status hash_scan(struct namespace *ns, struct cache_op *op, int64_t now_us)
{
	struct scan scan = {.page = page_of(ns, op, now_us)};
	enum outcome outcome = GOES_ON;
	unsigned i = 0;

	if (op->has_after) {
		uint64_t hash = entry_hash(op->after);

		i = shard_index(hash);
		scan.place = reverse(hash);
		scan.past_after = true;
	}
	for (; i < SHARDS && outcome == GOES_ON; i++) {
		outcome = scan_shard(&scan, &ns->shards[i]);
		scan.place = 0;
		scan.past_after = false;
	}
	free(scan.candidates);
	op->complete = outcome == GOES_ON;
	op->order_is_passing = true; /* the next process draws another seed for the hash */
	return outcome == NO_MEMORY ? CACHE_NO_MEMORY : CACHE_OK;
}
