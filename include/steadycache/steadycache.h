/* libsteadycache: the store of steadycache in a program of your own.
 *
 *     struct steadycache *store;
 *     struct steadycache_value *value;
 *
 *     if (steadycache_open("sqlite:///var/cache/mine", NULL, &store) != STEADYCACHE_OK)
 *         die(steadycache_error());
 *     steadycache_set(store, "texts", "a key", 5, "a value", 7, NULL, 0);
 *     if (steadycache_get(store, "texts", "a key", 5, &value) == STEADYCACHE_OK) {
 *         use(steadycache_value_data(value), steadycache_value_len(value));
 *         steadycache_value_release(value);
 *     }
 *     steadycache_close(store);
 *
 * Entries are in namespaces. A namespace comes to be by its first entry; its name has 1 to 64
 * letters, digits, '_', '.' and '-', and begins with a letter, a digit or '_'. Each has its limits
 * and its own order of eviction (steadycache_configure). Keys and values are any bytes, given by
 * pointer and length; a NULL pointer is allowed if the length is 0.
 *
 * Threads: every function may be called from any thread at any time, on one store too, unless it
 * says otherwise. A store has threads of its own, with all signals blocked.
 *
 * Errors: a function that can fail returns an enum steadycache_status. A failure is never
 * STEADYCACHE_NOT_FOUND. After one, steadycache_error() has a sentence for people. Results
 * ("ret" parameters) are written only on success, unless a function says otherwise.
 *
 * fork(): threads and locks of files do not survive it. In the child, a store that was opened
 * before refuses everything with STEADYCACHE_CLOSED, closing it there does nothing, and a database
 * that the parent had open is not opened again. So fork first and open afterwards, or call exec.
 *
 * Processes: several may have the same database open, whether they use this library or are servers;
 * and one may have it open several times. Within a program nothing else may open and close the file
 * of a database that is open, as the kernel takes SQLite's locks away then.
 *
 * The library writes nothing to standard output or standard error, with two exceptions: a SIGBUS
 * that would end the process, because a file was cut by another program, and a plugin whose code
 * crashes or calls exit(). It handles SIGBUS from the first database opened on, and signals of
 * crashes from the first plugin on, and passes what is not its own to the handler of before.
 *
 * Compatibility: the soname changes if a program would have to be compiled again. Later versions
 * append members to structs that have a `size`, use members called `reserved`, which must be zero,
 * and add functions, statuses and values of enums. */
#ifndef STEADYCACHE_STEADYCACHE_H
#define STEADYCACHE_STEADYCACHE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define STEADYCACHE_API __attribute__((visibility("default")))
#else
#define STEADYCACHE_API
#endif

/* ---- Versions ---- */

/* Of this header: major.minor.patch, as text and as a number that grows. */
#define STEADYCACHE_VERSION        "0.1.0"
#define STEADYCACHE_VERSION_NUMBER 1000 /* major * 1000000 + minor * 1000 + patch */

/* Of the library that is loaded. Static storage. */
STEADYCACHE_API const char *steadycache_version(void);
STEADYCACHE_API uint32_t steadycache_version_number(void);

/* ---- Outcomes ---- */

/* The numbers never change. */
enum steadycache_status {
	STEADYCACHE_OK = 0,
	STEADYCACHE_NOT_FOUND = 1,           /* no such entry, or it has expired */
	STEADYCACHE_PRECONDITION_FAILED = 2, /* the condition of a set or delete does not hold */
	STEADYCACHE_INVALID = 3,             /* an argument is wrong; the sentence says which */
	STEADYCACHE_TOO_LARGE = 4,           /* larger than the limit of its namespace */
	STEADYCACHE_UNSUPPORTED = 5,         /* this backend cannot do that */
	STEADYCACHE_UNAVAILABLE = 6,         /* the store cannot be reached or opened */
	STEADYCACHE_READ_ONLY = 7,           /* its files cannot be written */
	STEADYCACHE_NO_MEMORY = 8,           /* the process has no more */
	STEADYCACHE_TIMEOUT = 9,             /* another server did not answer in time */
	STEADYCACHE_NO_SPACE = 10, /* full: the disk, or a namespace that evicts nothing */
	STEADYCACHE_TOO_MANY_NAMESPACES = 11,
	STEADYCACHE_CORRUPT = 12,  /* what is stored is damaged */
	STEADYCACHE_INTERNAL = 13, /* a fault of the library */
	STEADYCACHE_CLOSED = 14    /* it is being closed, or was opened before fork() */
};

/* "not_found", and a sentence about it. Static storage; never NULL, whatever the number. */
STEADYCACHE_API const char *steadycache_status_name(enum steadycache_status status);
STEADYCACHE_API const char *steadycache_status_text(enum steadycache_status status);

/* The sentence of the last failure of a function of this library in the calling thread; "" if there
 * was none. It names what to change, and has no password in it. An option that it names
 * (--redis-timeout) is a parameter of the URL (?timeout=). Valid until the next failure in this
 * thread. NOT_FOUND and PRECONDITION_FAILED are answers, and have none; the failure of a completion
 * is in its request. */
STEADYCACHE_API const char *steadycache_error(void);

/* ---- Values ---- */

/* Immutable bytes with a content type, shared by counting references: it lives until each of them
 * is released, also after the entry is overwritten, evicted or deleted, and after the store is
 * closed. */
struct steadycache_value;

/* The bytes, not NUL-terminated; aligned to nothing. They live as long as the value. */
STEADYCACHE_API const void *steadycache_value_data(const struct steadycache_value *value);
STEADYCACHE_API size_t steadycache_value_len(const struct steadycache_value *value);
/* NUL-terminated; lives as long as the value. */
STEADYCACHE_API const char *steadycache_value_content_type(const struct steadycache_value *value);
/* When it was stored and when it expires, microseconds since 1970; it expires at 0: never. */
STEADYCACHE_API int64_t steadycache_value_stored_at_us(const struct steadycache_value *value);
STEADYCACHE_API int64_t steadycache_value_expires_at_us(const struct steadycache_value *value);

/* A tag is 32 hexadecimal digits that depend on the bytes only: the first half of their SHA-256. */
#define STEADYCACHE_ETAG_LEN 32
/* Writes it, NUL-terminated, to `ret`, which has STEADYCACHE_ETAG_LEN + 1 bytes. */
STEADYCACHE_API void steadycache_value_etag(const struct steadycache_value *value, char *ret);

/* Adds a reference, and returns `value`. */
STEADYCACHE_API struct steadycache_value *
steadycache_value_acquire(struct steadycache_value *value);
/* Gives up a reference. NULL is allowed. */
STEADYCACHE_API void steadycache_value_release(struct steadycache_value *value);

/* ---- Settings of namespaces ---- */

/* Which entry goes first if there is no room. */
enum steadycache_policy {
	STEADYCACHE_FRECENCY = 0, /* rarely used long ago: frequency / (1 + seconds since) */
	STEADYCACHE_LRU = 1,      /* used longest ago */
	STEADYCACHE_FIFO = 2,     /* oldest */
	STEADYCACHE_KEEP = 3      /* none: what does not fit is STEADYCACHE_NO_SPACE */
};

/* Which members of a struct steadycache_settings count. */
enum steadycache_setting {
	STEADYCACHE_MAX_SIZE = 1 << 0,
	STEADYCACHE_CAPACITY = 1 << 1,
	STEADYCACHE_DEFAULT_TTL = 1 << 2,
	STEADYCACHE_POLICY = 1 << 3,
	STEADYCACHE_MAX_IDLE = 1 << 5 /* of steadycache_configure only */
};

/* Zero it, and set members and their bits. */
struct steadycache_settings {
	uint32_t bits;           /* of enum steadycache_setting */
	uint32_t policy;         /* enum steadycache_policy */
	uint64_t max_size_bytes; /* keys, content types, values and 128 bytes an entry; 0: no limit
				  */
	int64_t capacity;        /* entries; negative: no limit; 0: nothing is stored */
	int64_t default_ttl_s;   /* of entries stored without a time to live; 0: they stay */
	int64_t max_idle_s;   /* an entry that nobody uses for so long is gone; 0: however long */
	uint64_t reserved[3]; /* zero */
};

/* ---- Open and close ---- */

/* An open store. */
struct steadycache;

enum steadycache_durability {
	STEADYCACHE_COMMIT = 0, /* what was set survives the end of the process, however it ends */
	STEADYCACHE_FULL = 1    /* and a loss of power; slower */
};

enum steadycache_notice_level {
	STEADYCACHE_DEBUG = 0,
	STEADYCACHE_INFO = 1,
	STEADYCACHE_WARN = 2,
	STEADYCACHE_ERROR = 3
};

struct steadycache_options {
	size_t size; /* set by steadycache_options_init */

	/* The directory of a store in files whose URL names none. Made, if the directory around it
	 * exists. NULL: such a URL is refused. */
	const char *data_dir;
	uint32_t durability; /* enum steadycache_durability, of stores in files */

	/* Most namespaces; 0: any number. */
	uint32_t max_namespaces;

	/* What a namespace has until it is configured. Without: 100 MiB, any number of entries, no
	 * time to live, and the backend's own policy. */
	struct steadycache_settings defaults;

	/* A near cache in front of the store, for one that is on another server: how many bytes of
	 * memory it may use (0: there is none), for how long an answer is given again, and how much
	 * longer if the store fails. */
	uint64_t near_max_bytes;
	int64_t near_ttl_ms;   /* 1000 after init */
	int64_t near_stale_ms; /* 0 after init */

	/* Told what happens in the store, one sentence at a time, from any thread; it must not
	 * wait, nor call a function of this library. NULL: nobody is told. */
	void (*notice)(void *user, enum steadycache_notice_level level, const char *sentence);
	void *notice_user;
};

/* Sets defaults. `size`: sizeof(*options), which tells the library what the program knows. */
STEADYCACHE_API void steadycache_options_init(struct steadycache_options *options, size_t size);

/* Opens the store that `url` names; takes as long as it takes (a database is checked, another
 * server is asked). `options` may be NULL: all defaults; of it only `notice` is used afterwards.
 *
 *     sqlite:///path                   a database in the directory /path; sqlite://./path
 *     memory://                        in this process; gone when it is closed
 *     memory:///path?persist-every=5   in memory, kept in a database every 5 seconds
 *     redis://host/0                   in Redis or what is like it; rediss:// with TLS
 *     d1+https://host                  in Cloudflare D1, behind the steadycache Worker
 *     dynamodb://table                 in DynamoDB
 *     plugin:/path.so                  in whatever a plugin knows (driver.h)
 *     sqlite, memory, ...              by its name alone: the directory is options->data_dir
 *     NULL or ""                       sqlite
 *
 * docs/backends.md says what each can do, and which parameters it has behind the "?".
 *
 * STEADYCACHE_INVALID: the URL or an option is wrong, and nothing was touched.
 * STEADYCACHE_UNAVAILABLE: it cannot be opened. */
STEADYCACHE_API enum steadycache_status steadycache_open(const char *url,
							 const struct steadycache_options *options,
							 struct steadycache **ret);

/* Closes it and frees everything but values. Waits for all requests whose completion has not
 * returned; those that wait for another server fail within about six seconds. What is requested
 * meanwhile, by completions for instance, ends with STEADYCACHE_CLOSED. Then what is not written
 * yet is written. No other thread may begin a call with `store` once this one has begun, and none
 * may use it after. NULL is allowed. STEADYCACHE_INVALID: called in a completion, and nothing is
 * done. */
STEADYCACHE_API enum steadycache_status steadycache_close(struct steadycache *store);

/* The name of its backend, such as "sqlite". Static storage. */
STEADYCACHE_API const char *steadycache_backend_name(const struct steadycache *store);

/* ---- Requests ---- */

enum steadycache_type {
	STEADYCACHE_GET = 0,
	STEADYCACHE_SET = 1,
	STEADYCACHE_DELETE = 2,
	STEADYCACHE_EXISTS = 3,
	STEADYCACHE_CLEAR = 4,     /* removes the entries of a namespace, or those with a prefix */
	STEADYCACHE_SCAN = 5,      /* lists entries */
	STEADYCACHE_STATS = 6,     /* of a namespace, or of all */
	STEADYCACHE_CONFIGURE = 7, /* changes settings of a namespace; may evict */
	STEADYCACHE_SYNC = 8,      /* done once all that was set before is on the disk */
	STEADYCACHE_EXPIRE = 9,    /* gives entries another time to live, without their values */
	STEADYCACHE_DROP = 10 /* removes a namespace with its entries, settings and statistics */
};

/* Times to live. */
#define STEADYCACHE_TTL_DEFAULT 0    /* what the namespace has */
#define STEADYCACHE_TTL_NEVER   (-1) /* does not expire */

/* One key of a request, with its part of the answer. Zero it before it is filled. */
struct steadycache_item {
	const void *key; /* in; must stay until the request is done */
	size_t key_len;
	const void *value; /* in, SET; copied before steadycache_submit returns */
	size_t value_len;
	/* in, SET: NUL-terminated, visible ASCII and blanks, up to 255 bytes; copied. NULL:
	 * application/octet-stream. */
	const char *content_type;
	int64_t ttl_s; /* in, SET, EXPIRE: 1 to 3153600000 seconds, or one of STEADYCACHE_TTL_* */

	/* out, GET: a reference, which is the request's until you set this to NULL and release it
	 * yourself; NULL: not found. */
	struct steadycache_value *found;
	uint32_t status;  /* out: enum steadycache_status */
	uint32_t created; /* out, SET: 1 if there was no such entry before */
	uint64_t reserved[4];
};

enum steadycache_condition {
	STEADYCACHE_ALWAYS = 0,
	STEADYCACHE_IF_ABSENT = 1,    /* there is no such entry */
	STEADYCACHE_IF_PRESENT = 2,   /* there is one */
	STEADYCACHE_IF_MATCH = 3,     /* there is one with the tag `etag` */
	STEADYCACHE_IF_NONE_MATCH = 4 /* there is none, or it has another tag */
};

/* An entry of a listing. */
struct steadycache_entry {
	const void *key; /* the request's */
	size_t key_len;
	uint64_t size_bytes; /* of the value */
	uint64_t frequency;  /* uses */
	/* Microseconds since 1970. */
	int64_t last_access_us, created_at_us;
	int64_t expires_at_us;               /* 0: never */
	char etag[STEADYCACHE_ETAG_LEN + 8]; /* NUL-terminated */
	uint64_t reserved[4];
};

struct steadycache_stats {
	char name[72];                        /* NUL-terminated */
	struct steadycache_settings settings; /* in force; all bits */
	uint64_t entry_count;
	uint64_t total_size_bytes; /* of the values */
	uint64_t used_bytes;       /* what counts against max_size_bytes */
	double avg_frequency;
	uint64_t max_frequency;
	/* Since the store was opened: */
	uint64_t hits, misses, sets, deletes, evictions, expirations;
	uint64_t reserved[8];
};

/* A request with a completion. The caller owns it, and all memory behind its "in" members, which
 * must stay until it is done. To be used again after steadycache_request_deinit. */
struct steadycache_request {
	size_t size; /* set by steadycache_request_init */

	/* ---- in ---- */
	uint32_t type;      /* enum steadycache_type */
	uint32_t condition; /* enum steadycache_condition; SET, DELETE, EXPIRE of one item */
	const char *etag;   /* of the condition: 32 digits, also in quotes; borrowed */
	/* NUL-terminated. NULL or "" for SYNC, and for STATS of all. */
	const char *ns;

	/* GET, SET, DELETE, EXISTS, EXPIRE: one item or many, which are one operation: one
	 * transaction, one round trip. Their keys are distinct. */
	struct steadycache_item *items;
	size_t item_count;

	/* GET: does not count as a use, nor as hit or miss. */
	uint32_t is_peek;
	/* SCAN: in whatever order the backend has, where it cannot list in byte order. */
	uint32_t any_order;

	/* CLEAR, SCAN: only keys that begin so. */
	const void *prefix;
	size_t prefix_len;
	/* SCAN: begin after this key. NULL: at the beginning. */
	const void *after;
	size_t after_len;
	size_t limit; /* SCAN: most entries, up to 10000, which a larger one means; 0: 1000 */

	const struct steadycache_settings *settings; /* CONFIGURE */

	/* A store on another server gives up after so long, or its own time-out if that is shorter;
	 * 0: its own. */
	int64_t timeout_ms;

	/* Called exactly once, perhaps before steadycache_submit returns, from any thread, but
	 * never within another completion of the same thread. The request may be freed in it, and
	 * may be submitted again, as may others. It must not wait: a blocking function called in it
	 * is refused with STEADYCACHE_INVALID, as other operations may wait for this thread. */
	void (*done)(struct steadycache_request *request);
	void *user; /* yours */

	/* ---- out ---- */
	/* enum steadycache_status. Of one item: the item's. Of several: OK, and each has its own;
	 * if the whole failed it is the failure, and if a SET or DELETE failed in parts, which only
	 * some backends do, that of an item that failed. */
	uint32_t status;
	uint32_t retry_after_s; /* of a failure: when to try again; 0: unknown */
	const char *sentence;   /* of a failure; never NULL; lives as long as the store */

	struct steadycache_entry *entries; /* SCAN: the request's */
	size_t entry_count;
	uint32_t is_complete; /* SCAN: nothing follows the last entry */
	uint32_t reserved;
	struct steadycache_stats *stats; /* STATS: the request's */
	size_t stats_count;
};

/* Zeroes it, and sets its size and type. `size`: sizeof(*request). */
STEADYCACHE_API void steadycache_request_init(struct steadycache_request *request, size_t size,
					      enum steadycache_type type);

/* Hands `request` to the store. STEADYCACHE_OK: `done` is called exactly once, whatever becomes of
 * it. STEADYCACHE_INVALID: it has no `done` or was not initialised, and nothing is done. */
STEADYCACHE_API enum steadycache_status steadycache_submit(struct steadycache *store,
							   struct steadycache_request *request);

/* The same, and waits; `done` is not used. Returns request->status. */
STEADYCACHE_API enum steadycache_status steadycache_call(struct steadycache *store,
							 struct steadycache_request *request);

/* Releases what the answer has: values found, entries, statistics. Call it after `done`, or never
 * submitted. Members that the caller set stay as they are. */
STEADYCACHE_API void steadycache_request_deinit(struct steadycache_request *request);

/* ---- Requests in one call, which wait ---- */

/* The value of a key, to be released; or STEADYCACHE_NOT_FOUND. */
STEADYCACHE_API enum steadycache_status steadycache_get(struct steadycache *store, const char *ns,
							const void *key, size_t key_len,
							struct steadycache_value **ret);

/* Stores a value, over one that is there. `content_type` and `ttl_s` are as in struct
 * steadycache_item. */
STEADYCACHE_API enum steadycache_status steadycache_set(struct steadycache *store, const char *ns,
							const void *key, size_t key_len,
							const void *value, size_t value_len,
							const char *content_type, int64_t ttl_s);

/* Gives an entry another time to live (as steadycache_set), from now on. It is no use of the entry,
 * and changes nothing else. STEADYCACHE_NOT_FOUND: there is none. */
STEADYCACHE_API enum steadycache_status steadycache_expire(struct steadycache *store,
							   const char *ns, const void *key,
							   size_t key_len, int64_t ttl_s);

/* STEADYCACHE_OK: it was there. STEADYCACHE_NOT_FOUND: it was not. Both end without the entry. */
STEADYCACHE_API enum steadycache_status
steadycache_delete(struct steadycache *store, const char *ns, const void *key, size_t key_len);

/* STEADYCACHE_OK or STEADYCACHE_NOT_FOUND. */
STEADYCACHE_API enum steadycache_status
steadycache_exists(struct steadycache *store, const char *ns, const void *key, size_t key_len);

/* GET, SET, DELETE or EXISTS of many, whose answers are in the items: as the request, and returns
 * its status. The values of a GET are yours to release. */
STEADYCACHE_API enum steadycache_status steadycache_batch(struct steadycache *store, const char *ns,
							  enum steadycache_type type,
							  struct steadycache_item *items,
							  size_t item_count);

/* Removes all entries of a namespace, or, with a prefix, those whose keys begin so. */
STEADYCACHE_API enum steadycache_status steadycache_clear(struct steadycache *store, const char *ns,
							  const void *prefix, size_t prefix_len);

/* Removes a namespace: its entries, its settings and its statistics. Another of its name begins
 * anew. STEADYCACHE_NOT_FOUND: there is none. */
STEADYCACHE_API enum steadycache_status steadycache_drop(struct steadycache *store, const char *ns);

/* Changes settings of a namespace, which need not exist. Evicts what does not fit any more. */
STEADYCACHE_API enum steadycache_status
steadycache_configure(struct steadycache *store, const char *ns,
		      const struct steadycache_settings *settings);

/* What is known of one namespace (zeros and defaults if it does not exist). For all: a request of
 * STEADYCACHE_STATS without a namespace. */
STEADYCACHE_API enum steadycache_status steadycache_stats(struct steadycache *store, const char *ns,
							  struct steadycache_stats *ret);

/* The number of its entries. */
STEADYCACHE_API enum steadycache_status steadycache_length(struct steadycache *store,
							   const char *ns, uint64_t *ret);

/* Returns once everything that was set before is on the disk, or where the backend keeps it. */
STEADYCACHE_API enum steadycache_status steadycache_sync(struct steadycache *store);

#ifdef __cplusplus
}
#endif

#endif
