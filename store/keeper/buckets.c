#include "store/keeper/buckets.h"

#include <stdlib.h>
#include <xxhash.h>

#include "base/invariant.h"

#define CAPACITY_MIN 16

void keeper_buckets_deinit(struct keeper_buckets *buckets)
{
	free(buckets->heads);
	*buckets = (struct keeper_buckets){.seed = buckets->seed};
}

bool keeper_buckets_prepare(struct keeper_buckets *buckets)
{
	if (buckets->heads)
		return true;
	buckets->heads = calloc(CAPACITY_MIN, sizeof(struct keeper_entry *));
	if (!buckets->heads)
		return false;
	buckets->capacity = CAPACITY_MIN;
	buckets->count = 1;
	return true;
}

/* The largest power of two that is at most `n`, which is 1 or more. */
static size_t power_within(size_t n)
{
	return (size_t)1 << (63 - __builtin_clzll(n));
}

/* A hash whose bucket does not exist yet belongs to the bucket from which that will be split. */
static size_t place_of(const struct keeper_buckets *buckets, uint64_t hash)
{
	size_t half = power_within(buckets->count);
	size_t at = hash & (2 * half - 1);

	return at < buckets->count ? at : at - half;
}

struct keeper_entry *keeper_buckets_find(const struct keeper_buckets *buckets, struct slice key)
{
	if (buckets->entries == 0)
		return NULL;
	uint64_t hash = XXH3_64bits_withSeed(key.data, key.len, buckets->seed);
	struct keeper_entry *entry = buckets->heads[place_of(buckets, hash)];
	while (entry && (entry->hash != hash || !slice_equal(keeper_entry_key(entry), key)))
		entry = entry->chain;
	return entry;
}

static bool resize(struct keeper_buckets *buckets, size_t capacity)
{
	INVARIANT(capacity >= CAPACITY_MIN);
	struct keeper_entry **heads =
		realloc(buckets->heads, capacity * sizeof(struct keeper_entry *));

	if (!heads)
		return false;
	buckets->heads = heads;
	buckets->capacity = capacity;
	return true;
}

/* Adds a bucket, which takes its entries from another one. */
static void split(struct keeper_buckets *buckets)
{
	size_t fresh = buckets->count;
	size_t bit = power_within(fresh);
	struct keeper_entry **from = &buckets->heads[fresh - bit];
	struct keeper_entry **to = &buckets->heads[fresh];

	*to = NULL;
	while (*from) {
		struct keeper_entry *entry = *from;

		if (!(entry->hash & bit)) {
			from = &entry->chain;
			continue;
		}
		*from = entry->chain;
		entry->chain = *to;
		*to = entry;
	}
	buckets->count++;
}

/* Removes a bucket, whose entries go back. */
static void join(struct keeper_buckets *buckets)
{
	size_t last = --buckets->count;
	struct keeper_entry **at = &buckets->heads[last - power_within(last)];

	while (*at)
		at = &(*at)->chain;
	*at = buckets->heads[last];
}

void keeper_buckets_add(struct keeper_buckets *buckets, struct keeper_entry *entry)
{
	struct slice key = keeper_entry_key(entry);

	INVARIANT(buckets->heads && !keeper_buckets_find(buckets, key));
	if (buckets->entries >= buckets->count &&
	    (buckets->count < buckets->capacity || resize(buckets, 2 * buckets->capacity)))
		split(buckets);
	entry->hash = XXH3_64bits_withSeed(key.data, key.len, buckets->seed);
	struct keeper_entry **head = &buckets->heads[place_of(buckets, entry->hash)];
	entry->chain = *head;
	*head = entry;
	buckets->entries++;
}

void keeper_buckets_remove(struct keeper_buckets *buckets, struct keeper_entry *entry)
{
	struct keeper_entry **at = &buckets->heads[place_of(buckets, entry->hash)];

	while (*at != entry)
		at = &(*at)->chain;
	*at = entry->chain;
	buckets->entries--;
	/* Two of them for each entry; otherwise the entries would be gone before the buckets. */
	for (int i = 0; i < 2 && buckets->count > 1 && buckets->entries < buckets->count / 2; i++)
		join(buckets);
	/* If this fails the array is larger than necessary, and nothing else. */
	if (buckets->capacity > CAPACITY_MIN && buckets->count < buckets->capacity / 4)
		(void)resize(buckets, buckets->capacity / 2);
}
