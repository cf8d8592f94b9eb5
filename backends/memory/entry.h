/* One stored entry: its key, its place in every structure of its shard, and a reference to its
 * value.
 *
 * Millions of these are alive at a time, so the struct is packed: the key follows it in the same
 * allocation, the expiry time is the value's, and what few entries need (a size that is not the
 * value's length, a place in the expiry heap) stands in a tail behind the key, which the others do
 * not have.
 *
 * An entry belongs to its shard and is touched only with the shard's lock held. */
#ifndef STEADYCACHE_MEMORY_ENTRY_H
#define STEADYCACHE_MEMORY_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/base/slice.h"
#include "backends/base/value.h"

/* Longest key, bytes; what the bits of key_len can say. */
#define ENTRY_KEY_MAX_LEN ((UINT32_C(1) << 30) - 1)

struct entry {
	struct cache_value *value;
	struct entry *chain;       /* next in its bucket; once removed, in a list to be freed */
	struct entry *prev, *next; /* in the eviction order */
	int64_t last_access_us;
	uint64_t stamp; /* of its creation; entry_created_at_us() */
	uint32_t frequency;
	uint32_t key_len : 30;
	uint32_t has_tail : 1;
	uint32_t pinned : 1; /* no victim of the eviction under way */
	char key[];
};

struct entry_tail {
	uint64_t size_bytes;
	uint32_t expiry_index; /* in the expiry heap, where the value expires */
};

/* A stamp is the time of creation and, behind it, room to tell apart what was created in one
 * microsecond. Stamps of a namespace are unique and rise, so they are the order of creation; but
 * those of restored entries, which may repeat, tell their creation elsewhere. */
#define STAMP_TICK_BITS 11

/* Draws the seed of entry_hash, once in the life of the process. Any thread. */
void entry_hash_init(void);

/* Keys come from strangers: without the seed nobody can make keys that collide. */
uint64_t entry_hash(struct slice key);

/* An entry for `key` (copied, at most ENTRY_KEY_MAX_LEN) without a value, frequency 1, in none of
 * the structures. NULL: out of memory. */
struct entry *entry_create(struct slice key, bool has_tail);

/* Frees `entry` and those chained to it, and releases their values. NULL is fine. Long lists are
 * freed without a lock held. */
void entry_free_list(struct entry *entry);

static inline struct slice entry_key(const struct entry *entry)
{
	return (struct slice){.data = entry->key, .len = entry->key_len};
}

struct entry_tail *entry_tail(struct entry *entry);

/* What the entry counts against the limit of its namespace. */
uint64_t entry_size_bytes(struct entry *entry);

/* Memory that an entry takes with key, value, allocator and its share of table and heap. The same
 * from its insertion to its removal. */
uint64_t entry_memory_bytes(size_t key_len, bool has_tail, const struct cache_value *value);

static inline int64_t entry_created_at_us(const struct entry *entry)
{
	return (int64_t)(entry->stamp >> STAMP_TICK_BITS);
}

static inline bool entry_is_expired(const struct entry *entry, int64_t now_us)
{
	return entry->value->expires_at_us != 0 && entry->value->expires_at_us <= now_us;
}

#endif
