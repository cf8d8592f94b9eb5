/* Namespaces: their names, settings, limits and statistics. */
#ifndef STEADYCACHE_STORE_NAMESPACE_H
#define STEADYCACHE_STORE_NAMESPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define NAMESPACE_MAX_LEN 64

/* [A-Za-z0-9_][A-Za-z0-9_.-]{0,63} */
bool namespace_name_is_valid(struct slice name);

/* The entry limit that means none. 0 is a limit: such a namespace stores nothing. A SET there
 * succeeds once its condition holds, whatever its size; it removes an existing entry, counts that
 * as an eviction, and leaves the value's modified_at_us 0, which tells a cache in front that it was
 * not stored. */
#define CAPACITY_UNLIMITED (-1)

/* Which entry goes first. A use is a GET without no_touch, or a SET that overwrites a live entry.
 * Entries that are equal under a policy go in the order in which they were created. The victim is
 * exact: it is never an estimate or a sample. What the current SET stores or overwrites is never a
 * victim. Entries past their stale time go before anything that lives.
 *
 * A SET that would exceed max_size_bytes evicts down to 80 % of it (rules_low_water), so that not
 * the very next one evicts again; one that would exceed the capacity evicts until it fits. A
 * CONFIGURE that lowers a limit evicts as such a SET would, before its `done`. No SET takes a
 * namespace beyond its limits. */
enum eviction_policy {
	EVICT_FRECENCY, /* smallest frequency / (1 + seconds since the last access) first */
	EVICT_LRU,      /* oldest last access first */
	EVICT_FIFO,     /* oldest creation first; an overwrite keeps the position */
	EVICT_NONE,     /* never: a set that does not fit is refused with CACHE_NO_SPACE */
};

/* "frecency", "lru", "fifo", "none". */
const char *eviction_policy_name(enum eviction_policy policy);
/* False (and *ret untouched) if `name` is none of those. */
bool eviction_policy_parse(struct slice name, enum eviction_policy *ret);

/* What an entry counts against the limit of its namespace besides its key, its content type and its
 * value: it stands for the entry's places in tables, indexes and lists. */
#define ENTRY_OVERHEAD_BYTES UINT64_C(128)

/* What an entry counts against max_size_bytes: `type_len` is the length of the content type that a
 * get returns, `size_bytes` the entry's size (struct cache_item). Every backend limits the sum of
 * this over all entries that it keeps, including those in their stale time. */
static inline uint64_t cache_used_bytes(size_t key_len, size_t type_len, uint64_t size_bytes)
{
	return key_len + type_len + size_bytes + ENTRY_OVERHEAD_BYTES;
}

enum compression {
	COMPRESSION_NONE,
	COMPRESSION_ZSTD, /* values that become shorter by a tenth are kept so */
};

/* "none", "zstd". */
const char *compression_name(enum compression compression);
/* False (and *ret untouched) if `name` is none of those. */
bool compression_parse(struct slice name, enum compression *ret);

struct namespace_settings {
	uint64_t max_size_bytes; /* of cache_used_bytes(); 0: no limit */
	int64_t capacity;        /* entries; CAPACITY_UNLIMITED: no limit */
	int64_t default_ttl_s;   /* for sets without one; 0: never expires */
	enum eviction_policy policy;
	/* How long an entry is kept that nobody uses, from its last use (enum eviction_policy) on;
	 * 0: however long. It is then gone as one that has expired without a stale time, and
	 * counted as an expiration. An EXPIRE is no use. Set by CONFIGURE only. */
	int64_t max_idle_s;
	/* How long an entry may still be served, marked as stale, after it has expired (serve_stale
	 * in store/op.h); 0: not at all. Set by CONFIGURE only; defaults() does not set it. */
	int64_t stale_ttl_s;
	/* How values are kept (backends/packed); backends only keep this and the next. Set by
	 * CONFIGURE only. */
	enum compression compression;
	/* The HTTP status of a PUT that stored something: 200, or 0 for what RFC 9110 wants (201,
	 * 204). Set by CONFIGURE only. */
	unsigned put_status;
};

/* Which members of a namespace_settings a CONFIGURE changes. */
enum namespace_settings_mask {
	SETTING_MAX_SIZE = 1 << 0,
	SETTING_CAPACITY = 1 << 1,
	SETTING_DEFAULT_TTL = 1 << 2,
	SETTING_POLICY = 1 << 3,
	SETTING_STALE_TTL = 1 << 4,
	SETTING_MAX_IDLE = 1 << 5,
	SETTING_COMPRESSION = 1 << 6,
	SETTING_PUT_STATUS = 1 << 7,
};

struct namespace_stats {
	char name[NAMESPACE_MAX_LEN + 1];
	/* Which of several backends has it, as cache_branch.name; NULL: there is one. */
	const char *backend;
	struct namespace_settings settings; /* in force, including defaults */
	uint64_t entry_count;               /* includes those in their stale time */
	uint64_t total_size_bytes;          /* sum of the sizes (struct cache_item) */
	uint64_t used_bytes;                /* what counts against max_size_bytes */
	double avg_frequency;               /* 0 if empty; includes uses that are not written yet */
	uint64_t max_frequency;
	/* Since this process started: */
	uint64_t hits, misses, sets, deletes, evictions, expirations;
	uint64_t stale_hits; /* hits of stale entries, which `hits` includes */
};

#endif
