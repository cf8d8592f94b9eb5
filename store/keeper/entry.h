/* What the keeper knows of one entry: all but its value, which stays with the driver. One
 * allocation holds the entry, its links in the index, its key and its type (record.h) unless that
 * is in the body: some 200 bytes and the key.
 *
 * Threads: an entry changes only with the gate held for writing (keeper_state.h), except for what a
 * use changes (node, the list of used entries), which its namespace's lock guards. */
#ifndef STEADYCACHE_KEEPER_ENTRY_H
#define STEADYCACHE_KEEPER_ENTRY_H

#include "store/backend.h"
#include "store/keeper/record.h"
#include "store/policy/expiry.h"
#include "store/policy/order_node.h"

/* Levels of the index (index.h): enough for 4^16 entries. */
#define ENTRY_LEVELS_MAX 16

struct keeper_entry {
	struct order_node node;    /* first: an entry is found by it */
	struct expiry_node expiry; /* in the heap if it expires at all */
	struct expiry_node idle;   /* in the other one if its namespace has an idle time */
	uint32_t len_bytes;        /* of the value */
	uint32_t key_len;
	uint16_t type_len;
	uint16_t body_type_len; /* of a type that is in the body; else 0 */
	uint8_t flags;          /* of the value */
	uint8_t levels;         /* of the index */
	/* The driver may have another record instead, or none (DRIVER_UNKNOWN). Its uses are not
	 * reported, because the head might not belong to the driver's body. */
	bool is_uncertain;
	uint64_t size_bytes;
	uint64_t body_check;
	int64_t modified_at_us, expires_at_us; /* expires: 0 = never */
	struct etag etag;
	/* In the namespace's list of entries with uses that the driver does not know. *used_at is
	 * the link that leads here; NULL: not in the list. */
	struct keeper_entry *used_next, **used_at;
	uint64_t hash;               /* of the key (buckets.h) */
	struct keeper_entry *chain;  /* the next one of its bucket */
	struct keeper_entry *next[]; /* of each level, followed by the key and the type */
};

/* Creates an entry for `key` with the numbers of `record`, in no structure. Copies both. `old` is
 * the entry that it will replace, or NULL. The caller frees it with free() once it is in no
 * structure. NULL: out of memory. */
struct keeper_entry *keeper_entry_create(struct slice key, const struct keeper_record *record,
					 const struct keeper_entry *old);

/* Its record, as it would be stored now. The type points into the entry. */
void keeper_entry_record(const struct keeper_entry *entry, struct keeper_record *ret);

static inline struct slice keeper_entry_key(const struct keeper_entry *entry)
{
	return (struct slice){(const char *)&entry->next[entry->levels], entry->key_len};
}

static inline struct slice keeper_entry_type(const struct keeper_entry *entry)
{
	return (struct slice){(const char *)&entry->next[entry->levels] + entry->key_len,
			      entry->type_len};
}

/* Of the body that the driver has. */
static inline uint64_t keeper_entry_body_len(const struct keeper_entry *entry)
{
	return (uint64_t)entry->len_bytes + entry->body_type_len;
}

/* What it counts against the limit of its namespace. */
static inline uint64_t keeper_entry_used_bytes(const struct keeper_entry *entry)
{
	return cache_used_bytes(entry->key_len, (size_t)entry->type_len + entry->body_type_len,
				entry->size_bytes);
}

static inline bool keeper_entry_is_live(const struct keeper_entry *entry, int64_t now_us)
{
	return entry->expires_at_us == 0 || entry->expires_at_us > now_us;
}

/* The entry of a node; NULL for NULL. */
static inline struct keeper_entry *keeper_entry_of(struct order_node *node)
{
	return (struct keeper_entry *)(void *)node;
}

#endif
