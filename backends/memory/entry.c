#include "backends/memory/entry.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <xxhash.h>

#include "base/clock.h"

/* An entry's share of what all entries of a shard have in common: a slot of the table with the
 * empty room beside it (table.h), and its node in the expiry heap. */
#define TABLE_SHARE_BYTES  13
#define EXPIRY_SHARE_BYTES 16

static uint64_t hash_seed;
static pthread_once_t hash_seed_once = PTHREAD_ONCE_INIT;

static void draw_hash_seed(void)
{
	/* Fails only if the kernel is older than the call; the time is better than nothing. */
	if (getrandom(&hash_seed, sizeof(hash_seed), 0) != (ssize_t)sizeof(hash_seed))
		hash_seed = (uint64_t)cache_clock_now_us(&system_clock);
}

void entry_hash_init(void)
{
	(void)pthread_once(&hash_seed_once, draw_hash_seed);
}

uint64_t entry_hash(struct slice key)
{
	return XXH3_64bits_withSeed(key.data, key.len, hash_seed);
}

static struct cache_value *copy(struct cache_value *value, struct slice bytes,
				struct cache_headroom headroom)
{
	struct cache_value *made =
		cache_value_create_with_headroom(bytes.len, cache_value_head(value), headroom);

	if (!made)
		return NULL;
	if (bytes.len > 0)
		memcpy(cache_value_data(made), bytes.data, bytes.len);
	cache_value_seal_known(made, &value->etag, value->flags);
	made->flags |= value->flags & CACHE_VALUE_HEAD;
	(void)cache_value_claim_headroom(made, headroom);
	return made;
}

struct cache_headroom entry_headroom(size_t key_len, bool has_tail)
{
	return (struct cache_headroom){
		.record_bytes = ENTRY_RECORD_BYTES + (has_tail ? sizeof(struct entry_tail) : 0),
		.key_len = key_len,
	};
}

/* In the headroom of `value`, which is its own. NULL for NULL. */
static struct entry *begin(struct slice key, struct cache_value *value, bool has_tail)
{
	struct entry *entry = (struct entry *)(void *)value - 1;

	if (!value)
		return NULL;
	*entry = (struct entry){
		.order = {.frequency = 1, .owner_flags = has_tail ? ENTRY_HAS_TAIL : 0},
	};
	if (key.len > 0)
		memcpy(value->storage, key.data, key.len);
	return entry;
}

struct entry *entry_create(struct slice key, struct cache_value *value, bool has_tail)
{
	struct cache_headroom headroom = entry_headroom(key.len, has_tail);

	value = cache_value_claim_headroom(value, headroom)
			? cache_value_acquire(value)
			: copy(value, cache_value_bytes(value), headroom);
	return begin(key, value, has_tail);
}

struct entry *entry_create_head(struct slice key, struct cache_value *value)
{
	struct slice none = {.data = "", .len = 0};
	struct cache_value *head = copy(value, none, entry_headroom(key.len, true));

	if (!head)
		return NULL;
	head->modified_at_us = value->modified_at_us;
	head->expires_at_us = value->expires_at_us;
	head->flags |= CACHE_VALUE_HEAD;
	struct entry *entry = begin(key, head, true);
	entry_mark(entry, ENTRY_IS_HEAD);
	return entry;
}

void entry_free_list(struct entry *entry)
{
	while (entry) {
		struct entry *next = entry_of_order(entry->order.next);

		cache_value_release(entry_value(entry));
		entry = next;
	}
}

/* What malloc takes for `bytes`: a header of 8, rounded up to 16, at least 32. */
static uint64_t malloc_bytes(uint64_t bytes)
{
	uint64_t chunk = (bytes + 8 + 15) & ~UINT64_C(15);

	return chunk < 32 ? 32 : chunk;
}

uint64_t entry_memory_bytes(const struct entry *entry)
{
	return malloc_bytes(cache_value_memory_bytes(entry_value_const(entry))) +
	       TABLE_SHARE_BYTES + (entry_has_tail(entry) ? EXPIRY_SHARE_BYTES : 0);
}
