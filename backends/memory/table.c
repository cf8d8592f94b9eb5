#include "backends/memory/table.h"

#include <stdlib.h>

#define FIRST_SEGMENT_BITS    3
#define FIRST_SEGMENT_BUCKETS (UINT32_C(1) << FIRST_SEGMENT_BITS)
#define BUCKETS_MAX           (UINT32_C(1) << (FIRST_SEGMENT_BITS + TABLE_SEGMENTS - 1))

/* Below one entry in this many buckets the table shrinks. Far from the load at which it grows, so
 * that it does not do both in turn. */
#define SHRINK_BELOW 2

static unsigned log2_floor(uint32_t n)
{
	return 31U - (unsigned)__builtin_clz(n);
}

/* Segment 0 holds the first eight buckets, segment k > 0 as many as all before it together. */
static unsigned segment_of(uint32_t index)
{
	return index < FIRST_SEGMENT_BUCKETS ? 0 : log2_floor(index) - FIRST_SEGMENT_BITS + 1;
}

static uint32_t segment_start(unsigned segment)
{
	return segment == 0 ? 0 : FIRST_SEGMENT_BUCKETS << (segment - 1);
}

static struct entry **bucket_at(const struct table *table, uint32_t index)
{
	unsigned segment = segment_of(index);

	return &table->segments[segment][index - segment_start(segment)];
}

/* The bucket for `hash` in a table of `count` buckets. */
static uint32_t index_of(uint64_t hash, uint32_t count)
{
	uint32_t low = UINT32_C(1) << log2_floor(count);
	uint32_t index = (uint32_t)hash & (2 * low - 1);

	return index < count ? index : index & (low - 1);
}

static struct entry **bucket_of(const struct table *table, uint64_t hash)
{
	return bucket_at(table, index_of(hash, table->bucket_count));
}

/* The place that points to `entry`. */
static struct entry **link_to(const struct table *table, uint64_t hash, const struct entry *entry)
{
	struct entry **link = bucket_of(table, hash);

	while (*link != entry)
		link = &(*link)->chain;
	return link;
}

uint32_t table_index(const struct table *table, uint64_t hash, unsigned *ret_bits)
{
	uint32_t count = table->bucket_count;
	uint32_t index = index_of(hash, count);
	uint32_t low = UINT32_C(1) << log2_floor(count);
	bool is_split = index >= low || index < count - low;

	*ret_bits = log2_floor(count) + is_split;
	return index;
}

void table_deinit(struct table *table)
{
	for (uint32_t i = 0; i < table->bucket_count; i++)
		entry_free_list(*bucket_at(table, i));
	for (unsigned i = 0; i < TABLE_SEGMENTS; i++)
		free(table->segments[i]);
	*table = (struct table){0};
}

bool table_prepare(struct table *table)
{
	if (table->bucket_count > 0)
		return true;
	table->segments[0] = calloc(FIRST_SEGMENT_BUCKETS, sizeof(*table->segments[0]));
	if (!table->segments[0])
		return false;
	table->bucket_count = FIRST_SEGMENT_BUCKETS;
	return true;
}

struct entry *table_find(const struct table *table, uint64_t hash, struct slice key)
{
	if (table->bucket_count == 0)
		return NULL;

	struct entry *entry = *bucket_of(table, hash);
	while (entry && !slice_equal(entry_key(entry), key))
		entry = entry->chain;
	return entry;
}

static void grow(struct table *table)
{
	uint32_t fresh = table->bucket_count;
	unsigned segment = segment_of(fresh);

	if (segment == 0 || fresh >= BUCKETS_MAX)
		return;
	if (!table->segments[segment]) {
		table->segments[segment] =
			calloc(segment_start(segment), sizeof(*table->segments[segment]));
		if (!table->segments[segment])
			return;
	}
	struct entry **from = bucket_at(table, fresh - (UINT32_C(1) << log2_floor(fresh)));
	struct entry **to = bucket_at(table, fresh);
	table->bucket_count++;
	while (*from) {
		struct entry *entry = *from;

		if (index_of(entry_hash(entry_key(entry)), table->bucket_count) == fresh) {
			*from = entry->chain;
			entry->chain = *to;
			*to = entry;
		} else {
			from = &entry->chain;
		}
	}
}

static void shrink(struct table *table)
{
	uint32_t last = table->bucket_count - 1;
	unsigned segment = segment_of(last);
	struct entry **from = bucket_at(table, last);
	struct entry **to = bucket_at(table, last - (UINT32_C(1) << log2_floor(last)));

	while (*to)
		to = &(*to)->chain;
	*to = *from;
	*from = NULL;
	table->bucket_count--;
	if (last == segment_start(segment)) {
		free(table->segments[segment]);
		table->segments[segment] = NULL;
	}
}

/* One insert or removal asks for half a step; two catch up after a pass. */
static void adjust(struct table *table)
{
	for (int i = 0; i < 2 && table->passes == 0; i++) {
		if (table->entry_count > (size_t)table->bucket_count * TABLE_LOAD)
			grow(table);
		else if (table->bucket_count > FIRST_SEGMENT_BUCKETS &&
			 table->entry_count < table->bucket_count / SHRINK_BELOW)
			shrink(table);
	}
}

void table_add(struct table *table, uint64_t hash, struct entry *entry)
{
	struct entry **bucket = bucket_of(table, hash);

	entry->chain = *bucket;
	*bucket = entry;
	table->entry_count++;
	adjust(table);
}

void table_remove(struct table *table, uint64_t hash, struct entry *entry)
{
	*link_to(table, hash, entry) = entry->chain;
	entry->chain = NULL;
	table->entry_count--;
	adjust(table);
}

void table_swap(struct table *table, uint64_t hash, struct entry *entry, struct entry *fresh)
{
	fresh->chain = entry->chain;
	*link_to(table, hash, entry) = fresh;
	entry->chain = NULL;
}

struct entry *table_chain(const struct table *table, uint32_t index)
{
	return *bucket_at(table, index);
}
