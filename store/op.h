/* Operations: what handlers ask of a store, and the answers.
 *
 * An operation is a request with a completion (as libuv's uv_req_t): the caller fills a `struct
 * cache_op`, hands it to backend_submit() (backend.h), and `done` is called exactly once, from
 * whichever thread finished the work. */
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

/* TTL that means: the namespace's default. */
#define TTL_DEFAULT INT64_C(-1)
/* Longest TTL, seconds (100 years): far from where sums of microseconds could overflow. */
#define TTL_MAX_S INT64_C(3153600000)

enum condition_kind {
	CONDITION_NONE,
	CONDITION_ABSENT,     /* If-None-Match: * only if there is no (live) entry */
	CONDITION_PRESENT,    /* If-Match: * only if there is one */
	CONDITION_MATCH,      /* If-Match: "a", "b" only if its etag is one of these */
	CONDITION_NONE_MATCH, /* If-None-Match: "a"   only if there is none or its etag is none of
			       * these */
};

struct cache_condition {
	enum condition_kind kind;
	const struct etag *etags; /* borrowed; for the last two kinds */
	size_t etag_count;
};

/* Whether `condition` allows a write if the live entry has the tag `current` (NULL: there is
 * none). */
bool cache_condition_holds(const struct cache_condition *condition, const struct etag *current);

/* The history of an entry from elsewhere. It replaces the history of an existing entry, live or
 * not, and the SET does not count as a use. Times in the future become now; among entries with
 * equal times the one that is set first is the older. An expires_at_us in the past makes an expired
 * entry. */
struct cache_history {
	uint64_t frequency;                    /* 0: 1 */
	int64_t created_at_us, last_access_us; /* 0: now */
	int64_t expires_at_us;                 /* 0: never; HISTORY_TTL: as the item's ttl_s says */
};
#define HISTORY_TTL INT64_C(-1)
/* Frequencies and times that every backend can store. The year is 2255. */
#define HISTORY_MAX_FREQUENCY UINT32_MAX
#define HISTORY_MAX_US        ((INT64_C(1) << 53) - 1)

/* One key of an operation, with its part of the answer. */
struct cache_item {
	struct slice key; /* in; any bytes, may be empty. Borrowed until `done` */

	/* SET in: a sealed value that nobody else sees yet; the backend stamps its times and takes
	 * its own reference if it keeps it. With a body only where the backend has BACKEND_BODIES.
	 * GET out: a reference (the op's), or NULL. */
	struct cache_value *value;

	/* SET in: the size that its owner declares. The dispatcher raises it to the value's
	 * length, but of a reference. */
	uint64_t size_bytes;
	int64_t ttl_s; /* SET, EXPIRE in: 0 never, TTL_DEFAULT, or up to TTL_MAX_S */

	/* SET in; borrowed until `done`. NULL: the history begins now, or that of a live entry
	 * continues with a use. */
	const struct cache_history *history;

	/* SET, DELETE, EXPIRE in: used only in operations of one item. */
	struct cache_condition condition;

	/* out: CACHE_OK; GET, DELETE, EXISTS, EXPIRE: CACHE_NOT_FOUND if there is no live entry. */
	enum cache_status status;
	bool created; /* SET out: there was no live entry before */
	bool stale;   /* GET out, with serve_stale: the value has expired */
};

/* What a listing reports of an entry. */
struct cache_entry_info {
	struct slice key; /* owned by the op */
	uint64_t size_bytes;
	struct etag etag;
	uint64_t frequency;
	int64_t last_access_us, created_at_us, expires_at_us; /* expires: 0 = never */
	int64_t modified_at_us; /* of this version; 0: the listing does not tell it */
	uint8_t flags;          /* of the value (enum cache_value_flags); 0: none, or not told */
};

struct cache_health_check {
	const char *name; /* static, e.g. "database" */
	bool ok;
	char detail[120]; /* one sentence; empty if all is well. With `ok`: what is not, although
			   * the store can be used */
};
#define HEALTH_CHECKS_MAX 4

/* What became of an op in one of several backends that were asked at once. */
struct cache_branch {
	/* "redis", "redis#2"; and as the user named it, without secrets, which is not for every
	 * client. Both live as long as the backend. */
	const char *name, *url;
	enum cache_status status; /* of the op there */
	char detail[200];         /* one sentence, which begins with the name; empty: none */
	struct cache_health_check checks[HEALTH_CHECKS_MAX]; /* CHECK */
	size_t check_count;
};

enum cache_op_type {
	CACHE_OP_GET,
	CACHE_OP_SET,
	CACHE_OP_DELETE,
	CACHE_OP_EXISTS,
	/* Gives live entries another time to live, from now on, without their values. It is no use
	 * and changes nothing else: ETag, modified_at_us and history stay. */
	CACHE_OP_EXPIRE,
	CACHE_OP_CLEAR,
	CACHE_OP_SCAN,
	CACHE_OP_STATS,
	CACHE_OP_CONFIGURE,
	CACHE_OP_SYNC,
	CACHE_OP_CHECK,
	CACHE_OP_LEASE_TAKE,
	CACHE_OP_LEASE_END,
	CACHE_OP_TYPES /* how many */
};

/* Whether an operation of this type is about `items`: keys, one or many. */
static inline bool cache_op_has_items(enum cache_op_type type)
{
	return type <= CACHE_OP_EXPIRE;
}

/* A lease on a key says who computes its value; it locks nothing. Its token says whose it is. It
 * lasts for its time, and ends earlier by LEASE_END, and by any SET of the key, stored or not. */
enum lease_outcome {
	LEASE_FREE,    /* TAKE without a token: nobody has it */
	LEASE_GRANTED, /* TAKE: this token has it; taken again by the same token it begins anew */
	LEASE_HELD,    /* TAKE: another token has it */
	LEASE_FRESH,   /* TAKE: nobody needs it, as there is a live entry */
	LEASE_ENDED,   /* END */
	LEASE_OVER,    /* END: this token has no lease on the key (any more) */
};

struct cache_lease {
	/* in; borrowed until `done`. TAKE: empty: takes nothing, and only tells. */
	struct slice token;
	int64_t ttl_us; /* in, TAKE with a token: how long, 1 to LEASE_MAX_US */
	enum lease_outcome outcome;
	int64_t left_us; /* out, GRANTED and HELD: how long it lasts from `done`, or a bit less */
};
#define LEASE_TOKEN_MAX_LEN 64
#define LEASE_MAX_S         3600
#define LEASE_MAX_US        (LEASE_MAX_S * INT64_C(1000000))
/* A backend with leases tells the news of a key (backend_config.news) for so long from the `done`
 * of a TAKE: what others do to it that the TAKE does not know of. */
#define LEASE_HEARD_S 60

/* The origin of an operation, for backends that pass it on to another server: headers in the form
 * in which they are sent. Each is NULL if there is none. The texts have been checked: visible
 * ASCII, and in tracestate blanks. */
struct cache_trace {
	const char *request_id;  /* X-Request-Id, up to CACHE_REQUEST_ID_MAX_LEN */
	const char *traceparent; /* of 55 characters; W3C Trace Context, as is the next */
	const char *tracestate;  /* up to CACHE_TRACESTATE_MAX_LEN; only with a traceparent */
};
#define CACHE_REQUEST_ID_MAX_LEN 128
#define CACHE_TRACESTATE_MAX_LEN 512

/* An operation. Zero it with cache_op_init, fill the "in" members, submit, and after `done` read
 * the "out" members, then cache_op_deinit. All memory behind "in" members belongs to the caller and
 * must stay until `done`. An op may be used again after deinit and init.
 *
 * Operations on one key take effect one after another: a read after the `done` of a write sees that
 * write or a later one. A batch is one operation in this sense too: a batch GET sees a batch SET
 * whole or not at all. */
struct cache_op {
	enum cache_op_type type;
	/* in; a valid name (namespace_name_is_valid), except for SYNC and CHECK; empty for a STATS
	 * of all namespaces. */
	struct slice ns;

	/* GET, SET, DELETE, EXISTS, EXPIRE. `items` points to `one` after init; a batch sets both
	 * members. The keys of one op are distinct. A SET stores all of its items or none, if the
	 * backend has BACKEND_ATOMIC_BATCH. */
	struct cache_item *items;
	size_t item_count;
	struct cache_item one;
	const struct cache_trace *trace; /* in; NULL: none */
	/* in; a backend that asks another server ends the op with CACHE_TIMEOUT once it has taken
	 * so long, or its own time-out if that is shorter. 0: its own. */
	int64_t patience_us;
	bool no_touch; /* GET in: does not count as a use, nor as hit or miss (HEAD) */

	/* GET in: the values found may have bodies (base/body.h). Without it every value has its
	 * bytes, and one that is too large for that is CACHE_TOO_LARGE. */
	bool takes_bodies;

	/* GET in: the values found may be references to objects of a large-value store
	 * (CACHE_VALUE_REFERENCE): for its layer, and for a copy from backend to backend. Without
	 * it such a value fails the op with a sentence. */
	bool takes_references;

	/* GET in: the values found may be compressed (CACHE_VALUE_ZSTD): for who can decode them,
	 * and for a copy from backend to backend. Without it the layer for compression
	 * (backends/packed) decodes them; where there is none, such a value fails the op with a
	 * sentence. */
	bool takes_encoded;

	/* GET in: also finds an entry that expired less than its namespace's stale_ttl_s ago, which
	 * is a hit and a use. Until then the entry stays in the store, takes its room and may be
	 * evicted, but it is not live: all other operations do not see it. A set creates a new
	 * entry in its place; a delete removes it and says CACHE_NOT_FOUND. */
	bool serve_stale;

	/* GET in: if the values found have more bytes together, the op may end with
	 * CACHE_TOO_LARGE; a backend that makes copies ends it before it makes more. 0: no
	 * bound. */
	uint64_t max_value_bytes;

	/* CLEAR, SCAN in: only keys with this prefix; empty: all. */
	struct slice prefix;

	/* SCAN: up to `limit` live entries in byte order of the key, those after `after`
	 * (exclusive) if has_after. A key that stays during a listing is neither skipped nor
	 * repeated. With any_order the backend may use another order, in which `after` is a
	 * position too: a listing keeps to one of the two. */
	struct slice after;
	bool has_after;
	bool any_order;
	size_t limit; /* >= 1 */
	/* The listing ends with the entry at which the keys reach that many bytes; 0: no bound. A
	 * remote backend may exceed it. */
	size_t max_key_bytes;
	struct cache_entry_info *entries; /* out, owned by the op */
	size_t entry_count;
	bool complete; /* out: nothing follows the last entry */
	/* out, with any_order: the order changes when the backend is opened again. */
	bool order_is_passing;

	/* CLEAR in, without a prefix: the namespace goes with its entries: its settings, its
	 * statistics, and its place among max_namespaces. A SET or CONFIGURE makes it anew, with
	 * default settings. A missing one is CACHE_NOT_FOUND. */
	bool drop;

	/* CONFIGURE in. Creates the namespace; shrinking evicts before `done`. The dispatcher
	 * limits the times to 0..TTL_MAX_S. */
	struct namespace_settings settings;
	unsigned settings_mask; /* enum namespace_settings_mask; others keep their value */

	/* STATS out, owned by the op: one for `ns` (zeros and defaults if it does not exist), or
	 * all that exist, by name. CONFIGURE out: none. */
	struct namespace_stats *stats;
	size_t stats_count;

	/* STATS of all in: where several backends are asked, the namespaces of those that fail may
	 * be missing (op->branches tells), as long as one answers. Without it one that fails fails
	 * the op. */
	bool takes_branches;
	/* STATS of all out: there are entries in namespaces that are not told, as names lead
	 * elsewhere (backends/routed). What only they use is in use. */
	bool has_hidden;
	/* STATS of all, SYNC and CHECK out, owned by the op: each of the backends behind one
	 * (backend_ops.branch_count); 0: there is one. */
	struct cache_branch *branches;
	size_t branch_count;

	/* SET out: items that were stored without their history, because the backend's other side
	 * does not support histories. */
	size_t history_lost;

	struct cache_lease lease; /* LEASE_TAKE, LEASE_END of the key in `one` */

	/* CHECK out: at least one. If a check fails, the op still succeeds: CACHE_OK, and the check
	 * says so. */
	struct cache_health_check checks[HEALTH_CHECKS_MAX];
	size_t check_count;

	/* out: of the operation as a whole. If `items` is `one` it is the item's too;
	 * CACHE_PRECONDITION_FAILED is also the status of an op whose `items` is an array of one.
	 * Otherwise a batch is CACHE_OK and each item has its own status (rules_status_of_items);
	 * if a SET or DELETE fails all items have the operation's. Without BACKEND_ATOMIC_BATCH a
	 * SET or DELETE of several items may fail in parts: the status is that of an item that
	 * failed, and those of the items tell which did; CACHE_OK (a DELETE: CACHE_NOT_FOUND, too)
	 * was done. */
	enum cache_status status;
	const char *detail; /* out: sentence that says more than the status, or NULL; lives as long
			     * as the backend */
	/* out, with a failure: when to try again, seconds; 0: unknown. */
	unsigned retry_after_s;
	/* SET out: settings.put_status of the namespace, as far as the layer that knows it
	 * (backends/packed) is there; else 0. */
	unsigned put_status;

	/* Called exactly once, on any thread, as the backend's last access to the op, which may be
	 * freed by then. It may submit again, this op or another one: so the backend holds no lock
	 * of its own while it runs. It must not wait. */
	void (*done)(struct cache_op *op);
	void *user; /* the caller's */

	/* The layer's that keeps values compressed (backends/packed): the caller's `done` and
	 * `user`, while its own are in their place. */
	void (*outer_done)(struct cache_op *op);
	void *outer_user;

	/* Belongs to the backend while it holds the op. */
	struct cache_op *next;
	uint64_t progress;
	int64_t since_us;
	unsigned part; /* of its namespace, 1 more than its number; 0: of the whole */
};

/* "get"; static storage. */
const char *cache_op_name(enum cache_op_type type);
/* Clears `op`; items = &one, item_count = 1, ttl_s = TTL_DEFAULT. */
void cache_op_init(struct cache_op *op, enum cache_op_type type);
/* Releases what the op owns (values of a GET, listing, statistics). The caller keeps the value of a
 * SET. Any thread, after `done`. */
void cache_op_deinit(struct cache_op *op);
/* For backends: sets the status (and the item's if there is one item, or those of all if a SET or
 * DELETE fails) and calls done. */
void cache_op_complete(struct cache_op *op, enum cache_status status);
/* The same for a SET or DELETE of which some items failed and others may be done
 * (BACKEND_ATOMIC_BATCH): they have their statuses, and `status` is that of one that failed. */
void cache_op_complete_partly(struct cache_op *op, enum cache_status status);

#endif
