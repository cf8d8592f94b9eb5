/* Operations: what handlers ask of a store, and what they are told.
 *
 * An operation is a request with a completion (as libuv's uv_req_t): the caller fills a
 * `struct cache_op`, hands it to backend_submit() (backend.h), and `done` is called exactly once,
 * from whichever thread finished the work. */
#ifndef STEADYCACHE_STORE_OP_H
#define STEADYCACHE_STORE_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/etag.h"
#include "base/slice.h"
#include "base/status.h"
#include "base/value.h"
#include "store/namespace.h"

#pragma GCC visibility push(default) /* offered: docs/internals/embedding.md */

/* TTL that means: the namespace's default. */
#define TTL_DEFAULT INT64_C(-1)
/* Longest TTL, seconds (100 years): far from where sums of microseconds could overflow. */
#define TTL_MAX_S INT64_C(3153600000)

enum condition_kind {
	CONDITION_NONE,
	CONDITION_ABSENT,     /* If-None-Match: *     only where no (live) entry is */
	CONDITION_PRESENT,    /* If-Match: *          only where one is */
	CONDITION_MATCH,      /* If-Match: "a", "b"   only where its etag is one of these */
	CONDITION_NONE_MATCH, /* If-None-Match: "a"   only where there is none or its etag is none
				 of these */
};

struct cache_condition {
	enum condition_kind kind;
	const struct etag *etags; /* borrowed; for the last two kinds */
	size_t etag_count;
};

/* Whether `condition` lets a write go on where the live entry has the tag `current` (NULL: there is
 * none). */
bool cache_condition_holds(const struct cache_condition *condition, const struct etag *current);

/* What an entry brings along from elsewhere. It replaces the history of an entry that is there,
 * live or not, and the SET does not count as a use. Times that are still to come become now; among
 * entries of one time the one that is set first is the older. An expires_at_us that is over makes
 * an entry that has expired. */
struct cache_history {
	uint64_t frequency;                    /* 0: 1 */
	int64_t created_at_us, last_access_us; /* 0: now */
	int64_t expires_at_us;                 /* 0: never; HISTORY_TTL: as the item's ttl_s says */
};
#define HISTORY_TTL INT64_C(-1)
/* Frequencies and times that every backend can keep. The year is 2255. */
#define HISTORY_MAX_FREQUENCY UINT32_MAX
#define HISTORY_MAX_US        ((INT64_C(1) << 53) - 1)

/* One key of an operation, with its part of the answer. */
struct cache_item {
	struct slice key; /* in; any bytes, may be empty. Borrowed until `done` */

	/* SET in: a sealed value that nobody else sees yet; the backend stamps its times and takes
	 * a reference of its own if it keeps it. GET out: a reference (the op's), or NULL. */
	struct cache_value *value;

	/* SET in: what its owner says that the value takes. The dispatcher raises it to the value's
	 * length. */
	uint64_t size_bytes;
	int64_t ttl_s; /* SET in: 0 never, TTL_DEFAULT, or up to TTL_MAX_S */

	/* SET in; borrowed until `done`. NULL: the history begins now, or that of a live entry goes
	 * on, with a use. */
	const struct cache_history *history;

	/* SET, DELETE in: honoured on operations of one item only. */
	struct cache_condition condition;

	/* out: CACHE_OK; GET, DELETE, EXISTS: CACHE_NOT_FOUND where there is no live entry. */
	enum cache_status status;
	bool created; /* SET out: there was no live entry before */
	bool stale;   /* GET out, with serve_stale: the value has expired */
};

/* What a listing tells of an entry. */
struct cache_entry_info {
	struct slice key; /* owned by the op */
	uint64_t size_bytes;
	struct etag etag;
	uint64_t frequency;
	int64_t last_access_us, created_at_us, expires_at_us; /* expires: 0 = never */
};

struct cache_health_check {
	const char *name; /* static, e.g. "database" */
	bool ok;
	char detail[120]; /* one sentence; empty where all is well */
};
#define HEALTH_CHECKS_MAX 4

enum cache_op_type {
	CACHE_OP_GET,
	CACHE_OP_SET,
	CACHE_OP_DELETE,
	CACHE_OP_EXISTS,
	CACHE_OP_CLEAR,
	CACHE_OP_SCAN,
	CACHE_OP_STATS,
	CACHE_OP_CONFIGURE,
	CACHE_OP_SYNC,
	CACHE_OP_CHECK,
	CACHE_OP_TYPES /* how many */
};

/* Where an operation comes from, for backends that hand that on to another server: headers as they
 * go there. Each is NULL where there is none. The texts have been checked: visible ASCII, and in
 * tracestate blanks. */
struct cache_trace {
	const char *request_id;  /* X-Request-Id, up to CACHE_REQUEST_ID_MAX_LEN */
	const char *traceparent; /* of 55 characters; W3C Trace Context, as is the next */
	const char *tracestate;  /* up to CACHE_TRACESTATE_MAX_LEN; only with a traceparent */
};
#define CACHE_REQUEST_ID_MAX_LEN 128
#define CACHE_TRACESTATE_MAX_LEN 512

/* An operation. Zero it with cache_op_init, fill the "in" members, submit, and after `done` read
 * the "out" members, then cache_op_deinit. All memory behind "in" members is the caller's and must
 * stay until `done`. An op may be used again after deinit and init.
 *
 * Operations on one key take effect one after another: who reads after the `done` of a write sees
 * it or a later one. A batch is one operation for them too: a batch GET sees a batch SET whole or
 * not at all. */
struct cache_op {
	enum cache_op_type type;
	/* in; a valid name (namespace_name_is_valid), except for SYNC and CHECK; empty for a STATS
	 * of all namespaces. */
	struct slice ns;

	/* GET, SET, DELETE, EXISTS. `items` points to `one` after init; a batch sets both members.
	 * The keys of one op are distinct. A SET stores all of its items or none. */
	struct cache_item *items;
	size_t item_count;
	struct cache_item one;
	const struct cache_trace *trace; /* in; NULL: none */
	bool no_touch; /* GET in: does not count as a use, nor as hit or miss (HEAD) */

	/* GET in: an entry that expired less than its namespace's stale_ttl_s ago is found too, and
	 * is a hit and a use. Until then it is in the store, where it takes its room and may be
	 * evicted, but it is not live: to every other operation there is none. A set begins a new
	 * entry in its place; a delete removes it and says CACHE_NOT_FOUND. */
	bool serve_stale;

	/* GET in: where the values found have more bytes together, the op may end with
	 * CACHE_TOO_LARGE; a backend that makes copies ends it before it makes more. 0: no bound.
	 */
	uint64_t max_value_bytes;

	/* CLEAR, SCAN in: only keys that begin with this; empty: all. */
	struct slice prefix;

	/* SCAN: up to `limit` live entries in byte order of the key, those after `after`
	 * (exclusive) where has_after. A key that stays during a listing is neither skipped nor
	 * repeated. Where any_order, the backend may give another order than that of the bytes, in
	 * which `after` is a place too: a listing keeps to one of the two. */
	struct slice after;
	bool has_after;
	bool any_order;
	size_t limit; /* >= 1 */
	/* The listing ends with the entry with which the keys have that many bytes; 0: no bound. A
	 * backend that is asked over a network may go beyond it. */
	size_t max_key_bytes;
	struct cache_entry_info *entries; /* out, owned by the op */
	size_t entry_count;
	bool complete; /* out: nothing follows the last entry */
	/* out, of any_order: the order is another one when the backend is opened again. */
	bool order_is_passing;

	/* CONFIGURE in. Creates the namespace; shrinking evicts before `done`. */
	struct namespace_settings settings;
	unsigned settings_mask; /* enum namespace_settings_mask; others keep their value */

	/* STATS out, owned by the op: one for `ns` (zeros and defaults where it does not exist), or
	 * all that exist, by name. CONFIGURE out: none. */
	struct namespace_stats *stats;
	size_t stats_count;

	/* SET out: items that were stored without the history they brought, as the backend's other
	 * side knows of none. */
	size_t history_lost;

	/* CHECK out: at least one. A backend that finds itself ill has succeeded: CACHE_OK, and a
	 * check says so. */
	struct cache_health_check checks[HEALTH_CHECKS_MAX];
	size_t check_count;

	/* out: of the operation as a whole. Where `items` is `one` it is the item's too, and
	 * CACHE_PRECONDITION_FAILED is it also where `items` is an array of one. Else a batch is
	 * CACHE_OK and each item tells its own (rules_status_of_items); of a SET that fails all
	 * items do as the operation. */
	enum cache_status status;
	const char *detail; /* out: sentence that says more than the status, or NULL; lives as long
			       as the backend */
	/* out, with a failure: when to try again, seconds; 0: the backend has no opinion. */
	unsigned retry_after_s;

	/* Called exactly once, on any thread, as the backend's last touch of the op, which may be
	 * freed by then. It may submit again, this op or another one: so the backend holds no lock
	 * of its own while it runs. It must not wait. */
	void (*done)(struct cache_op *op);
	void *user; /* the caller's */

	/* The backend's, while it holds the op. */
	struct cache_op *next;
	uint64_t progress;
	int64_t since_us;
};

/* "get"; static storage. */
const char *cache_op_name(enum cache_op_type type);
/* Clears `op`; items = &one, item_count = 1, ttl_s = TTL_DEFAULT. */
void cache_op_init(struct cache_op *op, enum cache_op_type type);
/* Releases what the op owns (values of a GET, listing, statistics). The value of a SET stays the
 * caller's. Thread: any, after `done`. */
void cache_op_deinit(struct cache_op *op);
/* For backends: sets the status (and the item's where there is one item, or those of all where a
 * SET fails) and calls done. */
void cache_op_complete(struct cache_op *op, enum cache_status status);

#pragma GCC visibility pop

#endif
