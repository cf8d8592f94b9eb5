#include "backends/memory/entry.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <xxhash.h>

#include "backends/base/clock.h"

/* The share of an entry in what all entries of a shard have together: half a bucket of the table
 * (table.h) and a little of everything else; and its node in the expiry heap. */
#define TABLE_SHARE_BYTES  8
#define EXPIRY_SHARE_BYTES 16

static uint64_t hash_seed;
static pthread_once_t hash_seed_once = PTHREAD_ONCE_INIT;

static void draw_hash_seed(void)
{
	/* Fails only where the kernel is older than the call; the time is better than nothing. */
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

static size_t tail_offset(size_t key_len)
{
	size_t end = sizeof(struct entry) + key_len;

	return (end + _Alignof(struct entry_tail) - 1) & ~(_Alignof(struct entry_tail) - 1);
}

static size_t entry_alloc_bytes(size_t key_len, bool has_tail)
{
	return has_tail ? tail_offset(key_len) + sizeof(struct entry_tail)
			: sizeof(struct entry) + key_len;
}

struct entry *entry_create(struct slice key, bool has_tail)
{
	struct entry *entry = malloc(entry_alloc_bytes(key.len, has_tail));

	if (!entry)
		return NULL;
	*entry = (struct entry){
		.frequency = 1,
		.key_len = (uint32_t)key.len & ENTRY_KEY_MAX_LEN,
		.has_tail = has_tail,
	};
	if (key.len > 0)
		memcpy(entry->key, key.data, key.len);
	return entry;
}

void entry_free_list(struct entry *entry)
{
	while (entry) {
		struct entry *next = entry->chain;

		cache_value_release(entry->value);
		free(entry);
		entry = next;
	}
}

struct entry_tail *entry_tail(struct entry *entry)
{
	return (struct entry_tail *)(void *)((char *)entry + tail_offset(entry->key_len));
}

uint64_t entry_size_bytes(struct entry *entry)
{
	return entry->has_tail ? entry_tail(entry)->size_bytes : entry->value->len_bytes;
}

/* What malloc takes for `bytes`: a header of 8, rounded up to 16, at least 32. */
static uint64_t malloc_bytes(uint64_t bytes)
{
	uint64_t chunk = (bytes + 8 + 15) & ~UINT64_C(15);

	return chunk < 32 ? 32 : chunk;
}

uint64_t entry_memory_bytes(size_t key_len, bool has_tail, const struct cache_value *value)
{
	return malloc_bytes(entry_alloc_bytes(key_len, has_tail)) +
	       malloc_bytes(sizeof(*value) + value->data_offset + value->len_bytes) +
	       TABLE_SHARE_BYTES + (has_tail ? EXPIRY_SHARE_BYTES : 0);
}
