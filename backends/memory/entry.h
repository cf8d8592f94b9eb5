/* One stored entry: its place in every structure of its shard, its key and its value.
 *
 * Millions of these are alive at a time, and a hit on one waits mostly for memory. So an entry is
 * one allocation, in the headroom of its value (value.h):
 *
 *     [tail] [entry] [value header] [key] [content type] [bytes]
 *
 * What few entries need (a size that is not the value's length, a place in the expiry heap) is in
 * the tail, which the others do not have. A value without headroom is copied. An entry that gets an
 * expiry later has an alarm (alarms.h) if it has no tail.
 *
 * An entry is part of its value, so it never gets another one: an overwrite puts a new entry in the
 * place of the old one. It is freed with the value, when the last reader releases that; but by then
 * the entry's own part is no longer used.
 *
 * An entry belongs to its shard and is accessed only with the shard's lock held. */
#ifndef STEADYCACHE_MEMORY_ENTRY_H
#define STEADYCACHE_MEMORY_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/invariant.h"
#include "base/slice.h"
#include "base/value.h"
#include "store/backend.h"
#include "store/policy/expiry.h"
#include "store/policy/order_node.h"
#include "store/rules.h"

/* Longest key, bytes. */
#define ENTRY_KEY_MAX_LEN ((UINT32_C(1) << 30) - 1)

/* `order.pinned`: not a victim of the current eviction. `order.stamp` gives the creation
 * (entry_created_at_us). Once removed, `order.next` is in a list to be freed (entry_discard). */
struct entry {
	struct order_node order; /* first: entry_of_order() */
};

/* In order.owner_flags. */
enum entry_flags {
	ENTRY_HAS_TAIL = 1 << 0,
	/* Where the store has a copy elsewhere (noted.h): */
	ENTRY_UNSAVED = 1 << 1,  /* the copy may not have this value yet */
	ENTRY_QUEUED = 1 << 2,   /* it is among the changes of its shard */
	ENTRY_IN_COPY = 1 << 3,  /* the copy may have an entry of this key */
	ENTRY_IS_HEAD = 1 << 4,  /* its bytes are in the copy only: the value has none (spill.h) */
	ENTRY_WAS_USED = 1 << 5, /* since the hand of its shard last passed it (spill.h) */
	ENTRY_RETIMED = 1 << 6,  /* the copy may not know yet when it expires */
	ENTRY_ALARMED = 1 << 7,  /* shard->late has an alarm no later than when it expires */
};

struct entry_tail {
	uint64_t size_bytes;
	struct expiry_node expiry; /* in the expiry heap while the value expires */
};

/* The record in the headroom of values, for entries without a tail. */
#define ENTRY_RECORD_BYTES sizeof(struct entry)

/* A stamp is the time of creation followed by bits to tell apart entries created in one
 * microsecond. Stamps of a namespace are unique and increasing, so they are the order of creation;
 * but those of restored entries, which may repeat, give their creation elsewhere. */
#define STAMP_TICK_BITS 11

/* Draws the seed of entry_hash, once in the life of the process. Any thread. */
void entry_hash_init(void);

/* Keys come from strangers: without the seed nobody can make keys that collide. */
uint64_t entry_hash(struct slice key);

/* The headroom that entry_create claims. */
struct cache_headroom entry_headroom(size_t key_len, bool has_tail);

/* Creates an entry for `key` (copied, at most ENTRY_KEY_MAX_LEN) of `value`, or of a copy of it,
 * with frequency 1 and in none of the structures. It has its own reference. NULL: out of memory. */
struct entry *entry_create(struct slice key, struct cache_value *value, bool has_tail);

/* Creates one for `key` that has everything of `value` but its bytes, as entry_create does; with a
 * tail. NULL: out of memory. */
struct entry *entry_create_head(struct slice key, struct cache_value *value);

/* Releases `entry` and those after it. NULL is allowed. Free long lists without a lock held. */
void entry_free_list(struct entry *entry);

/* NULL for NULL. */
static inline struct entry *entry_of_order(struct order_node *node)
{
	return (struct entry *)(void *)node;
}

static inline struct entry *entry_of_expiry(struct expiry_node *node)
{
	char *tail = (char *)node - offsetof(struct entry_tail, expiry);

	return (struct entry *)(void *)((struct entry_tail *)(void *)tail + 1);
}

/* Adds `entry`, which is in no structure any more, to the front of a list to be freed. */
static inline void entry_discard(struct entry *entry, struct entry **trash)
{
	entry->order.next = (struct order_node *)(void *)*trash;
	*trash = entry;
}

static inline bool entry_has(const struct entry *entry, enum entry_flags flag)
{
	return (entry->order.owner_flags & flag) != 0;
}

static inline void entry_mark(struct entry *entry, unsigned flags)
{
	entry->order.owner_flags = (uint8_t)(entry->order.owner_flags | flags);
}

static inline void entry_unmark(struct entry *entry, unsigned flags)
{
	entry->order.owner_flags = (uint8_t)(entry->order.owner_flags & ~flags);
}

static inline bool entry_has_tail(const struct entry *entry)
{
	return entry_has(entry, ENTRY_HAS_TAIL);
}

static inline struct cache_value *entry_value(struct entry *entry)
{
	return (struct cache_value *)(void *)(entry + 1);
}

static inline const struct cache_value *entry_value_const(const struct entry *entry)
{
	return (const struct cache_value *)(const void *)(entry + 1);
}

static inline struct slice entry_key(const struct entry *entry)
{
	const struct cache_value *value = entry_value_const(entry);

	return (struct slice){.data = value->storage, .len = value->key_len};
}

/* For an entry that has one. */
static inline struct entry_tail *entry_tail(struct entry *entry)
{
	INVARIANT(entry_has_tail(entry));
	return (struct entry_tail *)(void *)entry - 1;
}

/* Its size (struct cache_item). */
static inline uint64_t entry_size_bytes(struct entry *entry)
{
	return entry_has_tail(entry) ? entry_tail(entry)->size_bytes
				     : entry_value(entry)->len_bytes;
}

/* What it counts against the limit of its namespace. */
static inline uint64_t entry_used_bytes(struct entry *entry)
{
	const struct cache_value *value = entry_value(entry);

	return cache_used_bytes(value->key_len, cache_value_head(value).len,
				entry_size_bytes(entry));
}

/* Memory that an entry takes with key, value, allocator and its share of table and heap. The same
 * from its insertion to its removal. */
uint64_t entry_memory_bytes(const struct entry *entry);

static inline int64_t entry_created_at_us(const struct entry *entry)
{
	return (int64_t)(entry->order.stamp >> STAMP_TICK_BITS);
}

static inline bool entry_is_expired(const struct entry *entry, int64_t now_us)
{
	return !rules_is_live(entry_value_const(entry)->expires_at_us, now_us);
}

static inline bool entry_is_idle(const struct entry *entry, int64_t idle_us, int64_t order_us)
{
	return rules_is_idle(entry->order.last_access_us, idle_us, order_us);
}

/* Whether the op's condition allows a write if `entry` (NULL: none) is the live entry. */
static inline bool entry_condition_holds(const struct cache_op *op, const struct entry *entry)
{
	return rules_condition_holds(op, entry ? &entry_value_const(entry)->etag : NULL);
}

#endif
