/* Items as they stand in the table, and the pieces of JSON that requests and answers share.
 *
 *   partition key p (text)                      sort key k (bytes)
 *   PREFIX d/NAMESPACE/SHARD (two hex digits)   'k' and its name   an entry
 *   PREFIX m                                    't'                the table: N shards, V version
 *   PREFIX m                                    'n' and the name   a namespace: its settings
 *   PREFIX a/SLOT                               'n' and the name   a part of its accounts
 *
 * The name of an entry is its key, if that has up to 1,022 bytes. That of a longer one has 1,023:
 * the first 991 of the key and its SHA-256; attribute K is the whole key.
 *
 * Other attributes of an entry: v value (none: empty), y content type, e ETag, g flags, s size, u
 * what it counts in all (cache_used_bytes), f frequency, c created, a last access, m modified
 * (microseconds), w the name of the write that made it; if it expires x, when (microseconds), and
 * t, when DynamoDB may remove it (seconds). */
#ifndef STEADYCACHE_DYNAMODB_WIRE_H
#define STEADYCACHE_DYNAMODB_WIRE_H

#include "backends/dynamodb/answer.h"
#include "backends/dynamodb/state.h"

/* The index of what expires: p, x, with w, s and u. */
#define DYNAMODB_INDEX "due"

/* `{"TableName":"..."`, without an end. */
void dynamodb_wire_begin(struct buffer *out, const struct dynamodb_state *state);
/* The bytes of a key that are in its name as they are: keys that share them are next to each other
 * in a shard, and all others are in byte order. */
#define DYNAMODB_STEM 991
/* Whether the name is not the key itself. */
static inline bool dynamodb_wire_is_long(struct slice key)
{
	return key.len >= DYNAMODB_NAME_MAX;
}
/* The name of a key: `key`, or in `room`. */
struct slice dynamodb_wire_name(struct slice key, char room[static DYNAMODB_NAME_MAX]);

/* `{"p":{"S":"..."},"k":{"B":"..."}}` of an entry. */
void dynamodb_wire_entry_key(struct buffer *out, const struct dynamodb_state *state,
			     struct slice ns, struct slice key);
/* The same, by its name. */
void dynamodb_wire_name_key(struct buffer *out, const struct dynamodb_state *state, struct slice ns,
			    unsigned shard, struct slice name);
/* The same of other items: `kind` is the first byte of the sort key, before `name`. */
void dynamodb_wire_meta_key(struct buffer *out, const struct dynamodb_state *state, char kind,
			    struct slice name);
void dynamodb_wire_account_key(struct buffer *out, const struct dynamodb_state *state,
			       unsigned slot, struct slice ns);
/* `"..."`: partition keys. */
void dynamodb_wire_partition(struct buffer *out, const struct dynamodb_state *state,
			     struct slice ns, unsigned shard);
void dynamodb_wire_meta_partition(struct buffer *out, const struct dynamodb_state *state);
void dynamodb_wire_account_partition(struct buffer *out, const struct dynamodb_state *state,
				     unsigned slot);
/* `"base64"` of a sort key. */
void dynamodb_wire_sort_key(struct buffer *out, char kind, struct slice key);

unsigned dynamodb_wire_shard(const struct dynamodb_state *state, struct slice key);

/* `"name":{"N":"number"}` and `"name":{"S":"text"}`, with a comma before unless it is the first
 * behind a brace. */
void dynamodb_wire_number(struct buffer *out, const char *name, int64_t number);
void dynamodb_wire_text(struct buffer *out, const char *name, struct slice text);
void dynamodb_wire_bytes(struct buffer *out, const char *name, struct slice bytes);

/* Of an item of an answer: a number (`fallback` if there is none), a text (else empty), bytes as
 * base64 (else empty). */
int64_t dynamodb_wire_read_number(const json_t *item, const char *name, int64_t fallback);
struct slice dynamodb_wire_read_text(const json_t *item, const char *name);
struct slice dynamodb_wire_read_base64(const json_t *item, const char *name);
/* The sort key of an item without its first byte (of an entry: the name), as bytes in `room`.
 * False: it is none of ours, or of another `kind`. */
bool dynamodb_wire_read_sort_key(const json_t *item, char kind, char room[static 1024],
				 struct slice *ret);

/* The key of an entry with this name: `name`, or in *room, which the caller frees; empty: it is not
 * there, or memory is out. */
struct slice dynamodb_wire_read_key(const json_t *item, struct slice name, char **room);

/* What an entry was before a write. */
struct dynamodb_old {
	bool exists; /* perhaps past its time */
	bool is_live;
	int64_t size, used, frequency, created_us;
	char name[17]; /* of the write that made it */
};
/* NULL `item`: there was none. */
void dynamodb_wire_read_old(const json_t *item, int64_t now_us, struct dynamodb_old *ret);

#endif
