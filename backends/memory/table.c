#include "backends/memory/table.h"

#include <assert.h>
#include <stdlib.h>

#define BUCKETS_MAX (UINT32_C(1) << (TABLE_SEGMENTS - 1))

/* The table shrinks below this part of the load. It is far from the load at which the table grows,
 * so that it does not alternate. */
#define SHRINK_BELOW 2

/* Segments up to this size are cleared here, larger ones are zero pages. */
#define SMALL_SEGMENT_BYTES ((size_t)1 << 16)

/* ---- Slots ---- */

/* Not used by the table's index or by the choice of the shard. */
#define TAG_SHIFT    40
#define ADDRESS_BITS 48
#define ADDRESS_MASK ((UINT64_C(1) << ADDRESS_BITS) - 1)
/* Entries have even addresses; this marks a link to another bucket. */
#define LINK UINT64_C(1)
#define LAST (TABLE_SLOTS - 1)

static uint64_t make_slot(uint64_t hash, const struct entry *entry)
{
	uint64_t address = (uint64_t)(uintptr_t)entry;

	/* Linux gives out higher addresses only on request. */
	assert(address >> ADDRESS_BITS == 0);
	return hash >> TAG_SHIFT << ADDRESS_BITS | address;
}

static void *address_of(uint64_t slot)
{
	return (void *)(uintptr_t)(slot & ADDRESS_MASK & ~LINK);
}

/* The bucket after `bucket`, or NULL. */
static struct table_bucket *next_of(const struct table_bucket *bucket)
{
	return bucket->slots[LAST] & LINK ? address_of(bucket->slots[LAST]) : NULL;
}

/* The number of entries in `bucket` alone. */
static size_t count_in(const struct table_bucket *bucket)
{
	size_t count = 0;

	while (count < TABLE_SLOTS && bucket->slots[count] && !(bucket->slots[count] & LINK))
		count++;
	return count;
}

static struct table_bucket *last_of(struct table_bucket *bucket)
{
	struct table_bucket *next;

	while ((next = next_of(bucket)))
		bucket = next;
	return bucket;
}

/* ---- Addresses ---- */

static unsigned log2_floor(uint32_t n)
{
	return 31U - (unsigned)__builtin_clz(n);
}

/* Segment 0 has the first bucket, segment k > 0 as many as all before it together. */
static unsigned segment_of(uint32_t index)
{
	return index == 0 ? 0 : log2_floor(index) + 1;
}

static uint32_t segment_start(unsigned segment)
{
	return segment == 0 ? 0 : UINT32_C(1) << (segment - 1);
}

/* calloc does not align to lines: there is one bucket more, and the first begins here. */
static struct table_bucket *segment_base(void *segment)
{
	uintptr_t line = sizeof(struct table_bucket);

	return (struct table_bucket *)(((uintptr_t)segment + line - 1) & ~(line - 1));
}

static void *create_segment(uint32_t buckets)
{
	size_t size = buckets * sizeof(struct table_bucket);

	if (size > SMALL_SEGMENT_BYTES)
		return calloc(buckets + (size_t)1, sizeof(struct table_bucket));
	void *segment = aligned_alloc(sizeof(struct table_bucket), size);
	if (segment)
		memset(segment, 0, size);
	return segment;
}

static struct table_bucket *bucket_at(const struct table *table, uint32_t index)
{
	unsigned segment = segment_of(index);

	return segment_base(table->segments[segment]) + (index - segment_start(segment));
}

/* The bucket for `hash` in a table of `count` buckets. */
static uint32_t index_of(uint64_t hash, uint32_t count)
{
	uint32_t low = UINT32_C(1) << log2_floor(count);
	uint32_t index = (uint32_t)hash & (2 * low - 1);

	return index < count ? index : index & (low - 1);
}

static struct table_bucket *bucket_of(const struct table *table, uint64_t hash)
{
	return bucket_at(table, index_of(hash, table->bucket_count));
}

/* The slot of `entry`, which must be there. */
static uint64_t *slot_of(const struct table *table, uint64_t hash, const struct entry *entry)
{
	struct table_bucket *bucket = bucket_of(table, hash);
	uint64_t slot = make_slot(hash, entry);

	for (;; bucket = next_of(bucket))
		for (size_t i = 0; i < TABLE_SLOTS; i++)
			if (bucket->slots[i] == slot)
				return &bucket->slots[i];
}

/* ---- Buckets of overflow ---- */

static void push_spare(struct table *table, struct table_bucket *bucket)
{
	*bucket = (struct table_bucket){.slots = {(uint64_t)(uintptr_t)table->spares}};
	table->spares = bucket;
	table->spare_count++;
}

static struct table_bucket *pop_spare(struct table *table)
{
	struct table_bucket *bucket = table->spares;

	assert(bucket); /* guaranteed by table_reserve */
	table->spares = address_of(bucket->slots[0]);
	table->spare_count--;
	bucket->slots[0] = 0;
	return bucket;
}

static void trim_spares(struct table *table, size_t keep)
{
	while (table->spare_count > keep)
		free(pop_spare(table));
}

static bool make_spares(struct table *table, size_t count)
{
	while (table->spare_count < count) {
		struct table_bucket *bucket =
			aligned_alloc(sizeof(struct table_bucket), sizeof(struct table_bucket));

		if (!bucket)
			return false;
		push_spare(table, bucket);
	}
	return true;
}

/* Adds `slot` after the last of a bucket. */
static void append(struct table *table, struct table_bucket *bucket, uint64_t slot)
{
	bucket = last_of(bucket);
	size_t count = count_in(bucket);

	if (count == TABLE_SLOTS) {
		struct table_bucket *more = pop_spare(table);

		more->slots[0] = bucket->slots[LAST];
		bucket->slots[LAST] = (uint64_t)(uintptr_t)more | LINK;
		bucket = more;
		count = 1;
	}
	bucket->slots[count] = slot;
}

/* Removes the last slot of a bucket that is not empty. */
static uint64_t take_last(struct table *table, struct table_bucket *bucket)
{
	struct table_bucket *before = NULL;
	struct table_bucket *next;

	while ((next = next_of(bucket))) {
		before = bucket;
		bucket = next;
	}
	size_t count = count_in(bucket);
	uint64_t slot = bucket->slots[count - 1];
	bucket->slots[count - 1] = 0;
	if (before && count == 2) {
		before->slots[LAST] = bucket->slots[0];
		push_spare(table, bucket);
	}
	return slot;
}

/* ---- Life ---- */

static void free_entries(struct table_bucket *bucket)
{
	for (size_t i = 0; i < count_in(bucket); i++) {
		struct entry *entry = address_of(bucket->slots[i]);

		entry->order.next = NULL;
		entry_free_list(entry);
	}
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
	for (uint32_t i = 0; i < table->bucket_count; i++) {
		struct table_bucket *bucket = bucket_at(table, i);
		struct table_bucket *next = next_of(bucket);

		free_entries(bucket);
		while ((bucket = next)) {
			next = next_of(bucket);
			free_entries(bucket);
			free(bucket);
		}
	}
	trim_spares(table, 0);
	for (unsigned i = 0; i < TABLE_SEGMENTS; i++)
		free(table->segments[i]);
	*table = (struct table){0};
}

bool table_prepare(struct table *table)
{
	if (table->bucket_count > 0)
		return true;
	table->segments[0] = create_segment(1);
	if (!table->segments[0])
		return false;
	table->bucket_count = 1;
	return true;
}

bool table_reserve(struct table *table, uint64_t hash, size_t extra)
{
	size_t count = count_in(last_of(bucket_of(table, hash)));

	return count + extra <= TABLE_SLOTS || make_spares(table, extra);
}

/* ---- Growth ---- */

/* A split is about to read the keys of all. */
static void prefetch_entries(const struct table_bucket *bucket)
{
	for (size_t i = 0; i < count_in(bucket); i++)
		__builtin_prefetch(entry_key(address_of(bucket->slots[i])).data);
}

/* Needs no spare: each bucket of overflow becomes one before its content is added again, and the
 * split entries fit into one bucket more than before (table.h). */
static void grow(struct table *table)
{
	uint32_t fresh = table->bucket_count;
	unsigned segment = segment_of(fresh);

	if (fresh >= BUCKETS_MAX)
		return;
	if (!table->segments[segment]) {
		table->segments[segment] = create_segment(segment_start(segment));
		if (!table->segments[segment])
			return;
	}
	struct table_bucket *from = bucket_at(table, fresh - (UINT32_C(1) << log2_floor(fresh)));
	struct table_bucket *to = bucket_at(table, fresh);
	struct table_bucket old = *from;
	table->bucket_count++;
	*from = (struct table_bucket){0};
	for (struct table_bucket *next = NULL;; old = *next, push_spare(table, next)) {
		prefetch_entries(&old);
		for (size_t i = 0; i < count_in(&old); i++) {
			uint64_t hash = entry_hash(entry_key(address_of(old.slots[i])));
			bool moves = index_of(hash, table->bucket_count) == fresh;

			append(table, moves ? to : from, old.slots[i]);
		}
		next = next_of(&old);
		if (!next)
			break;
	}
}

static void shrink(struct table *table)
{
	uint32_t last = table->bucket_count - 1;
	unsigned segment = segment_of(last);
	struct table_bucket *from = bucket_at(table, last);
	struct table_bucket *to = bucket_at(table, last - (UINT32_C(1) << log2_floor(last)));

	if (!make_spares(table, 2))
		return;
	while (from->slots[0])
		append(table, to, take_last(table, from));
	table->bucket_count--;
	if (last == segment_start(segment)) {
		free(table->segments[segment]);
		table->segments[segment] = NULL;
	}
}

/* Every sixth insert or removal asks for a step; two at a time catch up after a pass. */
static void adjust(struct table *table)
{
	for (int i = 0; i < 2 && table->visits == 0; i++) {
		if (table->entry_count > (size_t)table->bucket_count * TABLE_LOAD)
			grow(table);
		else if (table->bucket_count > 1 &&
			 table->entry_count <
				 (size_t)table->bucket_count * TABLE_LOAD / SHRINK_BELOW)
			shrink(table);
	}
}

/* ---- Entries ---- */

struct entry *table_find(const struct table *table, uint64_t hash, struct slice key)
{
	if (table->bucket_count == 0)
		return NULL;

	uint64_t tag = make_slot(hash, NULL);
	for (const struct table_bucket *bucket = bucket_of(table, hash); bucket;
	     bucket = next_of(bucket))
		for (size_t i = 0; i < TABLE_SLOTS && bucket->slots[i]; i++) {
			uint64_t slot = bucket->slots[i];
			struct entry *entry = address_of(slot);

			if ((slot & ~ADDRESS_MASK) != tag || slot & LINK)
				continue;
			/* The order's part of the entry and the key may be in two lines. */
			__builtin_prefetch(entry);
			if (slice_equal(entry_key(entry), key))
				return entry;
		}
	return NULL;
}

struct entry *table_find_by_hash(const struct table *table, uint64_t hash,
				 const struct entry *after)
{
	if (table->bucket_count == 0)
		return NULL;

	uint64_t tag = make_slot(hash, NULL);
	for (const struct table_bucket *bucket = bucket_of(table, hash); bucket;
	     bucket = next_of(bucket))
		for (size_t i = 0; i < TABLE_SLOTS && bucket->slots[i]; i++) {
			uint64_t slot = bucket->slots[i];
			struct entry *entry = address_of(slot);

			if ((slot & ~ADDRESS_MASK) != tag || slot & LINK)
				continue;
			if (after == entry)
				after = NULL;
			else if (!after && entry_hash(entry_key(entry)) == hash)
				return entry;
		}
	return NULL;
}

void table_add(struct table *table, uint64_t hash, struct entry *entry)
{
	append(table, bucket_of(table, hash), make_slot(hash, entry));
	table->entry_count++;
	adjust(table);
}

void table_remove(struct table *table, uint64_t hash, struct entry *entry)
{
	uint64_t last = take_last(table, bucket_of(table, hash));

	/* Removing the last may have moved its slot. */
	if (last != make_slot(hash, entry))
		*slot_of(table, hash, entry) = last;
	table->entry_count--;
	adjust(table);
	trim_spares(table, 1);
}

void table_swap(struct table *table, uint64_t hash, struct entry *entry, struct entry *fresh)
{
	*slot_of(table, hash, entry) = make_slot(hash, fresh);
}

struct entry *table_at(const struct table *table, uint32_t index, size_t position)
{
	const struct table_bucket *bucket = bucket_at(table, index);
	const struct table_bucket *next;

	for (; position >= LAST && (next = next_of(bucket)); position -= LAST)
		bucket = next;
	return position < count_in(bucket) ? address_of(bucket->slots[position]) : NULL;
}

void table_prefetch(const struct table *table, uint32_t index)
{
	if (index >= table->bucket_count)
		return;

	const struct table_bucket *bucket = bucket_at(table, index);
	for (size_t i = 0; i < TABLE_SLOTS && bucket->slots[i] && !(bucket->slots[i] & LINK); i++) {
		const struct cache_value *value = entry_value_const(address_of(bucket->slots[i]));

		/* The key's length and its first bytes may be in two lines. */
		__builtin_prefetch(value);
		__builtin_prefetch(value->storage);
	}
}
