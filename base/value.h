/* A stored value: immutable bytes with a head (value_head.h: content type and the headers that are
 * kept with it), shared by reference count.
 *
 * Life: create, fill `data` (cache_value_data, or receive into it), seal, share. After the seal
 * only the two time stamps change, and the backend that stores the value writes them before anybody
 * else can see it; but the time of expiry it may change later, too (CACHE_OP_EXPIRE), so that a
 * value need not be copied for that. Nothing hangs on that number, so whoever has a reference may
 * read it at any time. One allocation holds header, head and bytes; a hit returns a reference, not
 * a copy.
 *
 * Headroom: a store can keep its own record for every value in the same allocation, so that a
 * look-up reads neighbouring lines of memory.
 *
 *     [record] [header] [key] [head] [bytes]
 *
 * Code that makes a value that may be stored asks the store how much headroom it wants
 * (backend_headroom), and leaves record and key uninitialized. One store claims the headroom, and
 * writes them. It is optional: a value without headroom is copied on set. */
#ifndef STEADYCACHE_BASE_VALUE_H
#define STEADYCACHE_BASE_VALUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/body.h"
#include "base/etag.h"
#include "base/slice.h"
#include "base/value_head.h"

#define CONTENT_TYPE_BYTES "application/octet-stream"
#define CONTENT_TYPE_TEXT  "text/plain; charset=utf-8"

enum cache_value_flags {
	/* Valid UTF-8: can be a JSON string. */
	CACHE_VALUE_UTF8 = 1 << 0,
	/* Printable ASCII without `"` and `\`: needs no escapes in a JSON string. */
	CACHE_VALUE_JSON_PLAIN = 1 << 1,
	/* What is stored names an object in the large-value store that has the bytes; ETag and
	 * flags are those of the bytes. Backends keep the flag as they keep the others. */
	CACHE_VALUE_REFERENCE = 1 << 2,
	/* The bytes are one frame of zstd (RFC 8878) that tells its length; what they decode to is
	 * the value. ETag and the first two flags are those of the value. Only who asked for such
	 * (cache_op.takes_encoded) gets one. Backends keep the flag as they keep the others. */
	CACHE_VALUE_ZSTD = 1 << 4,
	/* Bytes and length are those of a body (cache_value_body). Never stored. */
	CACHE_VALUE_BODY = 1 << 3,
	/* The bytes are not here: a mark for a store that keeps them elsewhere itself. Such a value
	 * never leaves the store. */
	CACHE_VALUE_HEAD = 1 << 7,

	/* Those that are stored with a value. */
	CACHE_VALUE_STORED = CACHE_VALUE_UTF8 | CACHE_VALUE_JSON_PLAIN | CACHE_VALUE_REFERENCE |
			     CACHE_VALUE_ZSTD,
};

/* Longest value, bytes. */
#define CACHE_VALUE_MAX_BYTES UINT32_MAX

/* What a store wants. A zeroed one wants nothing. */
struct cache_headroom {
	unsigned record_bytes; /* before the header; a multiple of 8, up to 1016 */
	size_t key_len;        /* after it; up to UINT32_MAX */
};

struct cache_value {
	atomic_uint refs;
	uint32_t len_bytes;            /* of the value */
	uint32_t key_len;              /* of the headroom */
	uint8_t flags;                 /* enum cache_value_flags, known after the seal */
	uint8_t known_type;            /* index of a well-known content type that is the whole head,
					* or 255: the head is inline */
	_Atomic uint8_t headroom;      /* its record, in units of 8, and whether it is claimed */
	uint16_t head_len;             /* of the storage of an inline head; else 0 */
	uint16_t type_len;             /* of its content type */
	struct etag etag;              /* known after the seal */
	int64_t modified_at_us;        /* when this version was stored; set by the backend */
	_Atomic int64_t expires_at_us; /* 0: never; set by the backend */
	char storage[]; /* the key; of an inline head the content type and a NUL, and, if there are
			 * headers, all of the head again; the bytes */
};

/* Creates a value of `len_bytes` uninitialized bytes with `head`, such as a content type alone
 * (copied). Whatever a store has: a head with headers that is not valid counts as its first line,
 * and an empty or too long type as CONTENT_TYPE_BYTES. The caller owns the one reference. NULL: out
 * of memory. */
struct cache_value *cache_value_create(size_t len_bytes, struct slice head);

/* As cache_value_create, with headroom (record and key are not initialized). */
struct cache_value *cache_value_create_with_headroom(size_t len_bytes, struct slice head,
						     struct cache_headroom headroom);

/* True for the first caller that claims the headroom of `value`, and only if that is exactly
 * `headroom`. The claimant then owns record and key as long as it has a reference. Any thread. */
bool cache_value_claim_headroom(struct cache_value *value, struct cache_headroom headroom);

/* Whether somebody claimed the headroom: then the time stamps belong to the claimant too. */
bool cache_value_is_claimed(const struct cache_value *value);

/* Changes the length of an unshared, unsealed value, keeping the bytes that fit. As with realloc,
 * the old value stays if the result is NULL (out of memory), and is gone otherwise. */
struct cache_value *cache_value_resize(struct cache_value *value, size_t len_bytes);

/* Computes etag and flags from the bytes. Call it once, before the value is shared. */
void cache_value_seal(struct cache_value *value);

/* As cache_value_seal, with the etag and flags known since the value was stored; of the flags only
 * those of CACHE_VALUE_STORED count, whatever somebody has written to the store. */
void cache_value_seal_known(struct cache_value *value, const struct etag *etag, uint8_t flags);

/* A sealed value whose bytes are those of `body`, which it takes over (the caller's reference).
 * Only who asked for bodies (cache_op.takes_bodies) gets one. NULL: out of memory, and the body is
 * still the caller's. */
struct cache_value *cache_value_create_for_body(struct cache_body *body, struct slice head);
/* The body, the value's own; NULL: the bytes are in memory. */
struct cache_body *cache_value_body(const struct cache_value *value);
/* The length of the bytes, wherever they are. */
uint64_t cache_value_whole_len(const struct cache_value *value);

/* create, copy and seal in one. */
struct cache_value *cache_value_copy(struct slice bytes, struct slice head);
struct cache_value *cache_value_copy_with_headroom(struct slice bytes, struct slice head,
						   struct cache_headroom headroom);

/* Adds a reference; any thread. */
struct cache_value *cache_value_acquire(struct cache_value *value);

/* Drops a reference; the last one frees the value. NULL is allowed; any thread. */
void cache_value_release(struct cache_value *value);

/* The head, as long as the value lives: what a backend keeps, and what counts (cache_used_bytes).
 */
struct slice cache_value_head(const struct cache_value *value);
/* Its content type, NUL-terminated. */
const char *cache_value_content_type(const struct cache_value *value);

/* Whether its head has more than a content type. */
static inline bool cache_value_has_headers(const struct cache_value *value)
{
	return value->head_len > (size_t)value->type_len + 1;
}

/* The size of the allocation, including headroom. */
size_t cache_value_memory_bytes(const struct cache_value *value);

/* Offset of the bytes from `storage`. */
static inline size_t cache_value_data_offset(const struct cache_value *value)
{
	return (size_t)value->key_len + value->head_len;
}

static inline char *cache_value_data(struct cache_value *value)
{
	return value->storage + cache_value_data_offset(value);
}

static inline struct slice cache_value_bytes(const struct cache_value *value)
{
	return (struct slice){
		.data = value->storage + cache_value_data_offset(value),
		.len = value->len_bytes,
	};
}

#endif
