/* The contract that every storage backend fulfils.
 *
 * An operation is a request with a completion (as libuv's uv_req_t): the caller fills a
 * `struct cache_op`, hands it to backend_submit(), and `done` is called exactly once, from
 * whichever thread finished the work. A backend that answers from memory completes before
 * backend_submit() returns; one that would block completes later, from a thread of its own.
 * So no event-loop thread ever waits for a disk commit or a network.
 *
 * Get, set, delete and exists take one item or ten thousand: a batch is one operation (one
 * transaction, one round trip), not a loop over single ones.
 *
 * tests/contract runs one suite against every backend in the registry; what stands here in
 * words is enforced there. */
#ifndef STEADYCACHE_BACKEND_H
#define STEADYCACHE_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/etag.h"
#include "base/slice.h"
#include "base/status.h"
#include "base/value.h"

/* ---- Namespaces and their settings ------------------------------------------------------ */

#define NAMESPACE_MAX_LEN 64

/* Entry limit that means none. 0 is a limit: such a namespace stores nothing. */
#define CAPACITY_UNLIMITED (-1)

enum eviction_policy {
	EVICT_FRECENCY, /* smallest frequency / (1 + seconds since the last access) first */
	EVICT_LRU,      /* oldest last access first */
	EVICT_FIFO,     /* oldest creation first; an overwrite keeps the place */
	EVICT_NONE,     /* never: a set that does not fit is refused with CACHE_NO_SPACE */
};

/* "frecency", "lru", "fifo", "none". */
const char *eviction_policy_name(enum eviction_policy policy);
/* False (and *ret untouched) where `name` is none of those. */
bool eviction_policy_parse(struct slice name, enum eviction_policy *ret);

/* What an entry takes beside its key, its content type and its value, as it counts against the
 * limit of its namespace: it stands for the places of an entry in tables, indexes and lists. */
#define ENTRY_OVERHEAD_BYTES UINT64_C(128)

/* What counts against max_size_bytes for an entry: `type_len` is that of the content type as a get
 * answers it, `size_bytes` the entry's (struct cache_item). Every backend holds the limit against
 * the sum of this over all entries that it keeps, those in their stale time included. */
static inline uint64_t cache_used_bytes(size_t key_len, size_t type_len, uint64_t size_bytes)
{
	return key_len + type_len + size_bytes + ENTRY_OVERHEAD_BYTES;
}

struct namespace_settings {
	uint64_t max_size_bytes; /* of cache_used_bytes(); 0: no limit */
	int64_t capacity;        /* entries; CAPACITY_UNLIMITED: no limit */
	int64_t default_ttl_s;   /* for sets that name none; 0: never expires */
	enum eviction_policy policy;
	/* How long an entry may still be served, marked as stale, after it has expired (serve_stale
	 * below); 0: not at all. Only ever configured: `defaults` has no say in it. */
	int64_t stale_ttl_s;
};

/* Which members of a namespace_settings a CONFIGURE changes. */
enum namespace_settings_mask {
	SETTING_MAX_SIZE = 1 << 0,
	SETTING_CAPACITY = 1 << 1,
	SETTING_DEFAULT_TTL = 1 << 2,
	SETTING_POLICY = 1 << 3,
	SETTING_STALE_TTL = 1 << 4,
};

struct namespace_stats {
	char name[NAMESPACE_MAX_LEN + 1];
	struct namespace_settings settings; /* in force, defaults included */
	uint64_t entry_count;               /* those in their stale time included */
	uint64_t total_size_bytes;          /* sum of the sizes (struct cache_item) */
	uint64_t used_bytes;                /* what counts against max_size_bytes */
	double avg_frequency;               /* 0 where empty; uses not yet written are counted */
	uint64_t max_frequency;
	/* Since this process started: */
	uint64_t hits, misses, sets, deletes, evictions, expirations;
	uint64_t stale_hits; /* hits, and as such among those too */
};

/* ---- Items and operations --------------------------------------------------------------- */

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

/* What an entry brings along from elsewhere. */
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

	/* SET in: the entry is to have just this history, also where there is one already, and the
	 * set is no use. Borrowed until `done`. NULL: its history begins or goes on now. */
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
 * stay until `done`. An op may be used again after deinit and init. */
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

	/* CHECK out. */
	struct cache_health_check checks[HEALTH_CHECKS_MAX];
	size_t check_count;

	/* out: of the operation as a whole. For one item also the item's: CACHE_NOT_FOUND,
	 * CACHE_PRECONDITION_FAILED. A batch is CACHE_OK and each item tells its own; of a SET that
	 * fails all items do as the operation. */
	enum cache_status status;
	const char *detail; /* out: sentence that says more than the status, or NULL; lives as long
			       as the backend */
	/* out, with a failure: when to try again, seconds; 0: the backend has no opinion. */
	unsigned retry_after_s;

	/* Called exactly once, on any thread, as the backend's last touch of the op. */
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

/* ---- Backends --------------------------------------------------------------------------- */

enum durability {
	DURABILITY_COMMIT, /* an acknowledged write survives the death of the process */
	DURABILITY_FULL,   /* ... and the loss of power */
};

enum notice_level { NOTICE_DEBUG, NOTICE_INFO, NOTICE_WARN, NOTICE_ERROR };

/* What the d1 backend needs: a Worker. Numbers that are 0 mean the backend's default. */
struct d1_config {
	const char *url;     /* of the Worker */
	const char *api_key; /* its token; NULL: none is sent */
	const char *ca_file; /* PEM bundle to trust in place of the system's; NULL: the system's */
	unsigned batch_size; /* items that single operations are merged into */
	unsigned max_in_flight; /* requests at once */
	int retries;            /* after the first try; negative: none */
	int64_t connect_timeout_ms;
	int64_t timeout_ms; /* of an operation, from submit to done, retries included */
};

/* What a backend may need to know. The strings and pointers live as long as the backend. */
struct backend_config {
	const char *data_dir; /* exists and is writable; for backends that use a disk */
	enum durability durability;
	const struct cache_clock *clock; /* NULL: system_clock */
	unsigned max_namespaces;         /* 0: no limit */
	uint64_t memory_max_bytes; /* memory backend: all it may use, overhead included; 0: no limit
				    */

	/* Settings of a namespace for as long as nothing else was configured. `policy` is only a
	 * wish of the environment: where has_policy is false the backend takes its own default. */
	void (*defaults)(void *user, struct slice ns, struct namespace_settings *ret);
	void *defaults_user;

	/* Library code does not log: it tells the owner, one sentence at a time, from any thread.
	 * NULL: nobody listens. */
	void (*notice)(void *user, enum notice_level level, const char *sentence);
	void *notice_user;

	uint64_t sqlite_cache_bytes; /* sqlite: values kept in memory, overhead included; 0: none */
	const char *sqlite_vfs;      /* for tests with a failing disk; NULL: SQLite's own */
	unsigned sqlite_group_max;   /* for measurements: most operations of one commit; 0: as many
					as is best */

	struct d1_config d1;
};

struct backend {
	const struct backend_ops *ops;
};

/* Something that a backend tells of itself, for statistics and metrics. */
struct backend_gauge {
	const char *group; /* static, e.g. "upstream"; gauges of a group follow each other */
	const char *name;  /* static, snake_case, unit at the end */
	double value;
	const char *text; /* static; where it is not NULL it stands in place of the number */
	const char *help; /* static, one sentence */
	bool counts;      /* only ever grows, from 0 when the backend is opened */
};
#define BACKEND_GAUGES_MAX 64

/* One of these per backend, const, exported by its file. `open` and `close` may block; the others
 * must not, and take ops that the dispatcher has checked (backend_submit). An op that is NULL
 * answers CACHE_UNSUPPORTED. Every function but open and close may be called from any thread. */
struct backend_ops {
	const char *name; /* what STEADYCACHE_BACKEND says */
	enum eviction_policy default_policy;

	/* The record for which values are to have headroom (value.h); 0: none. */
	unsigned headroom_record_bytes;

	/* It asks another server: hands op->trace on to that, and op->detail may be what it said.
	 */
	bool is_remote;

	/* Whether `config` can be right, without touching anything: false with a sentence that
	 * names the option at fault. May be NULL. */
	bool (*check_config)(const struct backend_config *config, char *error, size_t error_size);

	/* On failure NULL, with a sentence for the user in `error`. */
	struct backend *(*open)(const struct backend_config *config, char *error,
				size_t error_size);

	void (*get)(struct backend *backend, struct cache_op *op);
	void (*set)(struct backend *backend, struct cache_op *op);
	void (*remove)(struct backend *backend, struct cache_op *op);
	void (*exists)(struct backend *backend, struct cache_op *op);
	void (*clear)(struct backend *backend, struct cache_op *op);
	void (*scan)(struct backend *backend, struct cache_op *op);
	void (*stats)(struct backend *backend, struct cache_op *op);
	void (*configure)(struct backend *backend, struct cache_op *op);
	void (*sync)(struct backend *backend, struct cache_op *op);
	void (*check)(struct backend *backend, struct cache_op *op);

	/* Writes up to `max` gauges to `ret`, from what is at hand: never waits. The result is how
	 * many. May be NULL. */
	size_t (*gauges)(struct backend *backend, struct backend_gauge *ret, size_t max);

	/* The process is about to end: ops that wait for somebody else are to fail soon, within two
	 * seconds or so, in place of waiting for as long as they may. May be NULL. */
	void (*hurry)(struct backend *backend);

	/* No op may be under way. Flushes, frees. */
	void (*close)(struct backend *backend);
};

/* Validates `op` and hands it to the backend. `op->done` is called exactly once, perhaps before
 * this returns, also where the op is refused (CACHE_INVALID, CACHE_UNSUPPORTED). Any thread. */
void backend_submit(struct backend *backend, struct cache_op *op);

/* backend_submit and wait; for tests, tools and start-up, never for an event loop. */
enum cache_status backend_call(struct backend *backend, struct cache_op *op);

/* The headroom that a value for a SET of a key of `key_len` bytes should have (value.h). */
struct cache_headroom backend_headroom(const struct backend *backend, size_t key_len);

/* The backend called `name`, or NULL. */
const struct backend_ops *backend_find(const char *name);
/* All of them, NULL at the end. */
extern const struct backend_ops *const backend_registry[];

/* [A-Za-z0-9_][A-Za-z0-9_.-]{0,63} */
bool namespace_name_is_valid(struct slice name);

#endif
