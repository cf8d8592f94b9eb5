/* The contract that every storage backend fulfils; namespace.h, op.h, gauge.h and rules.h are parts
 * of it.
 *
 * A backend is given operations (op.h). One that answers from memory completes an op before
 * backend_submit() returns; one that would block completes it later, from a thread of its own. So
 * no event-loop thread ever waits for a disk commit or a network.
 *
 * Get, set, delete and exists take one item or ten thousand: a batch is one operation (one
 * transaction, one round trip), not a loop over single ones.
 *
 * tests/contract runs one suite against every backend in the registry, as far as its bits go; what
 * stands here in words is enforced there. */
#ifndef STEADYCACHE_BACKEND_H
#define STEADYCACHE_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/option.h"
#include "store/gauge.h"
#include "store/namespace.h"
#include "store/op.h"

#pragma GCC visibility push(default) /* offered: docs/internals/embedding.md */

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

	/* Changes *ret, the backend's own default settings of `ns`, to those that hold for as long
	 * as nothing is configured (rules_default_settings). NULL: changes none. */
	void (*defaults)(void *user, struct slice ns, struct namespace_settings *ret);
	void *defaults_user;

	/* Library code does not log: it tells the owner, one sentence at a time, from any thread.
	 * NULL: nobody listens. */
	void (*notice)(void *user, enum notice_level level, const char *sentence);
	void *notice_user;

	/* Whether a URL leads to the process itself, for check_config of a backend that asks
	 * another server. NULL: none does. */
	bool (*is_own_url)(void *user, const char *url);
	void *is_own_url_user;

	/* The URL by which the user named the backend, with a scheme of backend_ops.schemes; it may
	 * hold a password. NULL: the user named it by its name. */
	const char *url;

	/* The backend's own settings, of the struct that its options fill (backend_ops.options).
	 * NULL: as if zeroed. */
	const void *settings;
};

struct backend {
	const struct backend_ops *ops;
};

/* What a backend is, what it promises and what it can do. */
enum backend_bits {
	/* What it is: */
	BACKEND_PERSISTS = 1 << 0, /* entries and settings are there again after close and open */
	BACKEND_REMOTE = 1 << 1,   /* asks another server: hands op->trace on to that, and
				      op->detail may be what it said */
	BACKEND_KEEPS_NOTHING = 1 << 2, /* every GET misses, and every SET succeeds */
	BACKEND_WANTS_DIR = 1 << 3,     /* uses config->data_dir; else that may be missing */

	/* What it promises of an op; without the bit the op is done as well as it can be: */
	BACKEND_EXACT_EVICTION =
		1 << 4, /* limits hold, and victims are as enum eviction_policy says */
	BACKEND_ATOMIC_BATCH = 1 << 5, /* a SET stores all of its items or none, and others see that
					  whole */
	BACKEND_HISTORY = 1 << 6,      /* keeps what items bring along (op->history_lost) */

	/* What it can do; without the bit the dispatcher refuses the op: */
	BACKEND_CONDITIONS = 1 << 7,    /* a SET or DELETE with a condition */
	BACKEND_STALE = 1 << 8,         /* a stale time, by CONFIGURE */
	BACKEND_ORDERED_SCAN = 1 << 9,  /* a SCAN in byte order; else with any_order only */
	BACKEND_PREFIX_CLEAR = 1 << 10, /* a CLEAR of a prefix */
	BACKEND_STATS = 1 << 11,        /* STATS */

	/* All that there is to promise and to do. */
	BACKEND_WHOLE = BACKEND_EXACT_EVICTION | BACKEND_ATOMIC_BATCH | BACKEND_HISTORY |
			BACKEND_CONDITIONS | BACKEND_STALE | BACKEND_ORDERED_SCAN |
			BACKEND_PREFIX_CLEAR | BACKEND_STATS,
};

/* One of these per backend, const, exported by its file; a backend whose bits depend on what it
 * opens has one of its own for each.
 *
 * `open` and `close` may block; the others must not, and take ops that the dispatcher has checked
 * (backend_submit). An op that is NULL answers CACHE_UNSUPPORTED. Every function but open and close
 * may be called from any thread. No function calls `done` with a lock of the backend's held.
 *
 * What has expired leaves the store without being asked for: an entry is gone (and counted as an
 * expiration) soon after the end of its stale time, and at once if somebody asks for it. */
struct backend_ops {
	const char *name; /* what STEADYCACHE_BACKEND says */
	unsigned bits;    /* enum backend_bits */
	enum eviction_policy default_policy;

	/* The record for which values are to have headroom (value.h), bytes; 0: none. Optional: a
	 * value without it is copied when it is set. */
	unsigned headroom_record_bytes;

	/* The schemes of URLs (backend_config.url) that name this backend, blank-separated, without
	 * "://"; NULL: none. */
	const char *schemes;

	/* Its own options; NULL: none. */
	const struct option_table *options;

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
 * this returns, also if the op is refused: CACHE_INVALID, or CACHE_UNSUPPORTED with a sentence in
 * op->detail if it needs a bit that the backend lacks. An op of no items is done. Any thread, with
 * no lock held that `done` takes. */
void backend_submit(struct backend *backend, struct cache_op *op);

/* backend_submit and wait; for tests, tools and start-up, never for an event loop. */
enum cache_status backend_call(struct backend *backend, struct cache_op *op);

/* The headroom that a value for a SET of a key of `key_len` bytes should have (value.h). */
struct cache_headroom backend_headroom(const struct backend *backend, size_t key_len);

#pragma GCC visibility pop

#endif
