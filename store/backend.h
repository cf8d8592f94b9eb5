/* The contract that every storage backend fulfils; namespace.h, op.h, gauge.h and rules.h are parts
 * of it.
 *
 * A backend is given operations (op.h). One that answers from memory completes an op before
 * backend_submit() returns; one that would block completes it later, from its own thread. So no
 * event-loop thread ever waits for a disk commit or a network.
 *
 * Get, set, delete and exists take one item or ten thousand: a batch is one operation (one
 * transaction, one round trip), not a loop over single ones.
 *
 * tests/contract runs one suite against every backend in the registry, as far as its bits go, and
 * enforces what is said here. */
#ifndef STEADYCACHE_BACKEND_H
#define STEADYCACHE_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stdatomic.h>

#include "base/clock.h"
#include "base/option.h"
#include "base/spool.h"
#include "store/change.h"
#include "store/gauge.h"
#include "store/namespace.h"
#include "store/news.h"
#include "store/op.h"

enum durability {
	DURABILITY_COMMIT, /* an acknowledged write survives the death of the process */
	DURABILITY_FULL,   /* ... and the loss of power */
};

enum notice_level { NOTICE_DEBUG, NOTICE_INFO, NOTICE_WARN, NOTICE_ERROR };

/* What any backend may need to know. The strings and pointers live as long as the backend. */
struct backend_config {
	const char *data_dir; /* exists and is writable; for backends that use a disk */
	enum durability durability;
	const struct cache_clock *clock; /* NULL: system_clock */
	unsigned max_namespaces;         /* 0: no limit */

	/* Changes *ret, the backend's own default settings of `ns`, to those that apply until
	 * something is configured (rules_default_settings). NULL: changes none. */
	void (*defaults)(void *user, struct slice ns, struct namespace_settings *ret);
	void *defaults_user;
	/* Names of which these may differ from those of any other, NULL at the end, for a backend
	 * that checks them. NULL: none are known. */
	const char *const *default_names;

	/* Library code does not log: it reports to the owner, one sentence at a time, from any
	 * thread. NULL: nobody listens. */
	void (*notice)(void *user, enum notice_level level, const char *sentence);
	void *notice_user;

	/* Told what other servers did to the store that they share, as soon as it is known; with
	 * BACKEND_NEWS. From any thread; it must not wait, nor submit. NULL: nobody listens. */
	void (*news)(void *user, const struct cache_news *news);
	void *news_user;
	/* It wants to be told from the start on, not only as long as something of its own needs it
	 * (a lease of another server). */
	bool news_always;

	/* Told what happens to entries (change.h), in the order in which it does, for each key.
	 * From any thread, perhaps with locks of the backend held: it must be quick, not wait, nor
	 * submit. NULL: nobody listens. */
	void (*changed)(void *user, const struct cache_change *change);
	void *changed_user;
	/* How many want to be told of changes: while it is 0, they need not be (tell.h). NULL: it
	 * is not known. */
	const atomic_uint *changes_wanted;

	/* Whether a URL leads to this process, for check_config of a backend that asks another
	 * server. NULL: none does. */
	bool (*is_own_url)(void *user, const char *url);
	void *is_own_url_user;

	/* The URL by which the user named the backend, with a scheme of backend_ops.schemes; it may
	 * hold a password. NULL: the user named it by its name. */
	const char *url;

	/* Nobody else may have the store open meanwhile, as for a tool that fills it: open refuses
	 * with a sentence that names who has it, and later opens of others wait or fail. For a
	 * backend whose store is a file here; others ignore it. */
	bool is_alone;

	/* The backend's own settings, of the struct that its options fill (backend_ops.options).
	 * NULL: the same as zeroed. */
	const void *settings;
};

struct backend {
	const struct backend_ops *ops;
};

/* What a backend is, what it promises and what it can do. */
enum backend_bits {
	/* What it is: */
	BACKEND_PERSISTS = 1 << 0, /* entries and settings survive close and open */
	BACKEND_REMOTE = 1 << 1,   /* asks another server: passes op->trace on to it, and op->detail
				    * may be its text */
	BACKEND_KEEPS_NOTHING = 1 << 2, /* every GET misses, and every SET succeeds */
	BACKEND_WANTS_DIR = 1 << 3,     /* uses config->data_dir; otherwise that may be missing */

	/* What it promises of an op; without the bit the op is done as well as possible: */
	BACKEND_EXACT_EVICTION =
		1 << 4, /* limits hold, and victims are those of enum eviction_policy */
	BACKEND_ATOMIC_BATCH = 1 << 5, /* a SET stores all of its items or none, and others see it
					* whole; else each of its items is stored or not, and
					* its status tells (op->status) */
	BACKEND_HISTORY = 1 << 6,      /* keeps the histories of items (op->history_lost) */

	/* What it can do; without the bit the dispatcher refuses the op: */
	BACKEND_CONDITIONS = 1 << 7,    /* a SET or DELETE with a condition */
	BACKEND_STALE = 1 << 8,         /* a stale time, by CONFIGURE */
	BACKEND_ORDERED_SCAN = 1 << 9,  /* a SCAN in byte order; else with any_order only */
	BACKEND_PREFIX_CLEAR = 1 << 10, /* a CLEAR of a prefix */
	BACKEND_STATS = 1 << 11,        /* STATS */
	BACKEND_LEASES = 1 << 13,       /* LEASE_TAKE, LEASE_END: leases of all servers that share
					 * the store */
	BACKEND_BODIES = 1 << 14,       /* a SET of a value with a body (base/body.h) */
	BACKEND_LIMITS = 1 << 15,       /* a capacity or a size limit, by CONFIGURE or by default */
	BACKEND_IDLE = 1 << 17,         /* a max_idle time, by CONFIGURE */
	BACKEND_USES = 1 << 16,         /* counts a GET as a use: frequency and last access of an
					 * entry; else only SETs are, and the frequencies of STATS
					 * are 0 */

	/* What it tells: */
	BACKEND_NEWS = 1 << 12, /* others' writes, to config->news */

	/* Everything that can be promised and done where one server has a store for itself. */
	BACKEND_WHOLE = BACKEND_EXACT_EVICTION | BACKEND_ATOMIC_BATCH | BACKEND_HISTORY |
			BACKEND_CONDITIONS | BACKEND_STALE | BACKEND_ORDERED_SCAN |
			BACKEND_PREFIX_CLEAR | BACKEND_STATS | BACKEND_LIMITS | BACKEND_USES |
			BACKEND_IDLE,
};

/* Which values should come as bodies, so that they are never in memory as a whole. */
struct backend_intake {
	uint64_t from_bytes; /* that long, or longer */
	uint64_t max_bytes;  /* longer ones are CACHE_TOO_LARGE */
};

/* Most backends behind one. */
#define BACKEND_BRANCHES_MAX 16

/* What may depend on the namespace where several backends are behind one. */
struct backend_traits {
	unsigned bits;                  /* enum backend_bits */
	unsigned headroom_record_bytes; /* as in struct backend_ops */
	uint64_t value_max_bytes;
	unsigned branch; /* which of them has the namespace, from 1; 0: there is one backend */
};

/* One of these per backend, const, exported by its file; a backend whose bits depend on what it
 * opens has one of its own for each.
 *
 * `open` and `close` may block; the others must not, and take ops that the dispatcher has checked
 * (backend_submit). A NULL op answers CACHE_UNSUPPORTED. Every function but open and close may be
 * called from any thread. No function calls `done` while it holds a lock of the backend.
 *
 * Expired entries are removed without being asked for: an entry is gone (and counted as an
 * expiration) soon after the end of its stale time, and at once if somebody asks for it. */
struct backend_ops {
	const char *name; /* the value of STEADYCACHE_BACKEND */
	unsigned bits;    /* enum backend_bits */
	enum eviction_policy default_policy;

	/* The record for which values should have headroom (value.h), bytes; 0: none. Optional: a
	 * value without it is copied on set. */
	unsigned headroom_record_bytes;

	/* Largest value that it can keep, bytes; 0: no limit of its own. */
	uint64_t value_max_bytes;

	/* Most items of one SET, beyond which it answers CACHE_TOO_LARGE; 0: no limit of its own.
	 * Who stores more (an import) divides them. */
	size_t set_max_items;

	/* The schemes of URLs (backend_config.url) that name this backend, blank-separated, without
	 * "://"; one with a colon at its end needs no slashes behind it. NULL: none. */
	const char *schemes;

	/* Parameters behind the ? of its URLs that it reads itself, in backend_config.url,
	 * blank-separated; NULL: none. */
	const char *url_parameters;
	/* Its URLs name a directory, which is config->data_dir, and it gets no url. */
	bool url_is_dir;
	/* It reads all of its URL itself: what is behind the ? has a syntax of its own. */
	bool reads_url;
	/* Other backends may have config->data_dir too: it names its files after itself, and what
	 * they are nobody else knows. */
	bool shares_dir;

	/* Its own options; NULL: none. A URL may have those with a flag as parameters (place.h). */
	const struct option_table *options;

	/* Whether `config` can be right, without touching anything: false with a sentence that
	 * names the wrong option. May be NULL. */
	bool (*check_config)(const struct backend_config *config, char *error, size_t error_size);

	/* The ops of what `open` gives with this config, if they may be others, with other bits.
	 * NULL: these. */
	const struct backend_ops *(*variant)(const struct backend_config *config);

	/* Writes what tells the store of a `config` that is right from others at the same URL, such
	 * as a prefix of all keys; "": nothing does. No secrets. NULL: the URL tells. */
	void (*scope)(const struct backend_config *config, char *ret, size_t size);

	/* On failure NULL, with a sentence for the user in `error`. */
	struct backend *(*open)(const struct backend_config *config, char *error,
				size_t error_size);

	/* The same store to be read only, also while another process has it open for writing: GET,
	 * EXISTS, SCAN and STATS, which change nothing of it, no counts either. NULL: open does,
	 * with no more than other servers would notice. */
	const struct backend_ops *reading;

	void (*get)(struct backend *backend, struct cache_op *op);
	void (*set)(struct backend *backend, struct cache_op *op);
	void (*remove)(struct backend *backend, struct cache_op *op);
	void (*exists)(struct backend *backend, struct cache_op *op);
	void (*expire)(struct backend *backend, struct cache_op *op);
	void (*clear)(struct backend *backend, struct cache_op *op);
	void (*scan)(struct backend *backend, struct cache_op *op);
	void (*stats)(struct backend *backend, struct cache_op *op);
	void (*configure)(struct backend *backend, struct cache_op *op);
	void (*sync)(struct backend *backend, struct cache_op *op);
	void (*check)(struct backend *backend, struct cache_op *op);
	void (*lease)(struct backend *backend, struct cache_op *op);

	/* Writes up to `max` gauges to `ret`, without ever waiting, and returns how many. May be
	 * NULL. */
	size_t (*gauges)(struct backend *backend, struct backend_gauge *ret, size_t max);

	/* How many backends are behind it (op->branches); 0: it is one itself. */
	unsigned branch_count;
	/* Where several are, or a layer is in front of such: what is true of the namespace `ns`,
	 * without waiting. NULL: the members above are, of all. */
	void (*traits)(const struct backend *backend, struct slice ns, struct backend_traits *ret);

	/* With BACKEND_BODIES, else NULL: how long values may come as bodies, and an empty spool
	 * for one of them (it waits for nothing; NULL: out of memory). A SET of a body that a spool
	 * made takes its bytes from where they are. */
	struct backend_intake (*intake)(struct backend *backend);
	struct body_spool *(*spool)(struct backend *backend);

	/* The process is about to end: ops that wait for somebody else must fail soon, within about
	 * six seconds, instead of waiting as long as they may. May be NULL. */
	void (*hurry)(struct backend *backend);

	/* No op may be in progress. Flushes and frees. */
	void (*close)(struct backend *backend);
};

/* Validates `op` and hands it to the backend. `op->done` is called exactly once, perhaps before
 * this returns, even if the op is refused: CACHE_INVALID, or CACHE_UNSUPPORTED with a sentence in
 * op->detail if it needs a bit that the backend lacks. An op without items completes at once. Any
 * thread, but the caller must not hold a lock that `done` takes. */
void backend_submit(struct backend *backend, struct cache_op *op);

/* backend_submit and wait; for tests, tools and start-up, never for an event loop. */
enum cache_status backend_call(struct backend *backend, struct cache_op *op);

/* What is true of the namespace `ns`; an empty one: of the backend as a whole. */
struct backend_traits backend_traits_of(const struct backend *backend, struct slice ns);

/* Most gauges that it writes, those of layers included. */
static inline size_t backend_gauges_max(const struct backend *backend)
{
	return (size_t)BACKEND_GAUGES_MAX * (backend->ops->branch_count + 1);
}

/* For a layer: the gauges of the backend behind it, then `own_count` of its own; as
 * backend_ops.gauges. */
size_t backend_gauges_and_own(struct backend *inner, const struct backend_gauge *own,
			      size_t own_count, struct backend_gauge *ret, size_t max);

/* The headroom that a value for a SET of a key of `key_len` bytes in `ns` should have (value.h). */
struct cache_headroom backend_headroom(const struct backend *backend, struct slice ns,
				       size_t key_len);

#endif
