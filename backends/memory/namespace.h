/* Namespaces of the memory backend: a name, settings, usage, and sixteen shards.
 *
 * Locks. A shard's lock guards its entries. A thread that needs several takes them in the order of
 * their index (namespace_lock), and no thread holds locks of two namespaces: so there is no
 * deadlock. A batch locks all shards that it touches, so it is atomic for every other batch. An
 * operation for which the namespace must stand still, such as an eviction, locks all.
 *
 * A namespace is never freed before the backend is closed. So looking one up takes no lock. One
 * that is dropped stays, empty, for the case that its name comes again: so whoever has found one
 * looks again, with the lock of a shard, whether it was dropped since. */
#ifndef STEADYCACHE_MEMORY_NAMESPACE_H
#define STEADYCACHE_MEMORY_NAMESPACE_H

#include "backends/memory/shard.h"
#include "base/order_clock.h"
#include "store/backend.h"

#define MEMORY_DEFAULT_POLICY EVICT_FIFO

#define SHARD_BITS 4
#define SHARDS     (1U << SHARD_BITS)
/* As a set of shards, one bit each. */
#define ALL_SHARDS ((1U << SHARDS) - 1)

struct memory_mirror;

struct namespace
{
	struct namespace *chain;         /* next of its bucket; never changes */
	struct namespace *next;          /* next of all; never changes */
	struct order_clock *order_clock; /* the backend's */
	/* It does not exist, until it is created again. Changed with create_lock and all shards
	 * locked. */
	atomic_bool is_dropped;
	atomic_uint drops; /* how often it was */
	char name[NAMESPACE_MAX_LEN + 1];

	/* The settings. Changed with configure_lock held; a set reads them with a shard's lock
	 * held, so a limit that was lowered before all locks were taken once binds every later
	 * set. */
	_Atomic uint64_t max_size_bytes;
	_Atomic int64_t capacity;
	_Atomic int64_t default_ttl_s;
	_Atomic int policy;
	_Atomic int64_t stale_ttl_s; /* the shards have it too, under their locks */
	_Atomic int64_t max_idle_s;
	_Atomic int compression;
	atomic_uint put_status;
	pthread_mutex_t configure_lock; /* who holds it is not dropped beneath it */

	_Atomic uint64_t last_stamp;
	atomic_uint past_stamps; /* how many were taken */
	atomic_uint listings;    /* that began, plus the times it was cleared:
				  * namespace_forbid_runs */
	struct usage usage;

	/* What a copy of the store has to be told besides the changes of the shards; all stay false
	 * and 0 in a store without one. */
	atomic_bool has_changes;
	atomic_bool is_cleared;            /* before any change; set with all shards locked */
	atomic_bool drops_copy;            /* that clear, with the namespace */
	_Atomic unsigned unsaved_settings; /* enum namespace_settings_mask, and NAMESPACE_IS_NEW */
	/* Of the entries that the copy has and that are not loaded yet; they count in `usage`.
	 * Only the thread that loads accesses these. */
	uint64_t unloaded_entries, unloaded_bytes;
	struct shard shards[SHARDS];
};

/* In unsaved_settings: the copy does not know the namespace. */
#define NAMESPACE_IS_NEW (1U << 31)

#define NAMESPACE_BUCKETS 1024

/* All namespaces of a backend. */
struct namespaces {
	struct namespace *_Atomic buckets[NAMESPACE_BUCKETS];
	struct namespace *_Atomic first;
	pthread_mutex_t create_lock;
	unsigned count;                      /* that exist; guarded by create_lock */
	const struct backend_config *config; /* with a clock */
	uint64_t max_memory_bytes;           /* of all together; 0: no limit */
	struct order_clock order_clock;
	struct usage total; /* memory_bytes (including namespaces and runs) and expiring */
	const struct memory_mirror *mirror; /* NULL: the store has no copy */
	atomic_uint spills;                 /* how often something was to be spilled */
	atomic_uint idling;                 /* namespaces whose entries go if nobody uses them */
};

/* `mirror` may be NULL; it lives as long as they do. */
void namespaces_init(struct namespaces *all, const struct backend_config *config,
		     uint64_t max_memory_bytes, const struct memory_mirror *mirror);
/* Frees every namespace and its entries. */
void namespaces_deinit(struct namespaces *all);

/* NULL if it does not exist. */
struct namespace *namespace_find(struct namespaces *all, struct slice name);

/* Creates it if it does not exist. CACHE_OK, CACHE_TOO_MANY_NAMESPACES or CACHE_NO_MEMORY. */
enum cache_status namespace_find_or_create(struct namespaces *all, struct slice name,
					   struct namespace **ret);

/* Creates one that the copy of the store has (mirror.h), whatever the number of namespaces, with
 * room in its accounts for its entries. NULL: out of memory. */
struct namespace *namespace_adopt(struct namespaces *all, const struct namespace_stats *stats);

/* The settings in force. */
void namespace_settings_of(const struct namespace *ns, struct namespace_settings *ret);
/* The settings of a namespace that nobody has configured. */
void namespace_default_settings(const struct namespaces *all, struct slice name,
				struct namespace_settings *ret);

/* Creates one again if it was dropped. CACHE_OK, or why it could not. */
enum cache_status namespace_ensure(struct namespaces *all, struct namespace *ns);

/* Lets an empty one exist no more. With create_lock and configure_lock held, and all shards
 * locked. */
void namespace_forget(struct namespaces *all, struct namespace *ns);

/* Statistics; a snapshot of one shard after the other. False: it does not exist any more. */
bool namespace_stats(struct namespace *ns, int64_t now_us, struct namespace_stats *ret);

static inline unsigned shard_index(uint64_t hash)
{
	return (unsigned)(hash >> (64 - SHARD_BITS)); /* the tables use the low bits */
}

static inline struct shard *namespace_shard(struct namespace *ns, uint64_t hash)
{
	return &ns->shards[shard_index(hash)];
}

static inline bool namespace_is_dropped(const struct namespace *ns)
{
	return atomic_load_explicit(&ns->is_dropped, memory_order_acquire);
}

static inline struct shard_time namespace_time(const struct namespace *ns, int64_t now_us)
{
	return (struct shard_time){now_us, order_clock_at(ns->order_clock, now_us)};
}

/* Locks or unlocks the shards of `set`. */
void namespace_lock(struct namespace *ns, unsigned set);
void namespace_unlock(struct namespace *ns, unsigned set);

/* A stamp for a new entry (entry.h), with its shard locked; `order_us` is of the order clock. */
uint64_t namespace_take_stamp(struct namespace *ns, int64_t order_us);
/* A stamp for an entry that was created elsewhere. Stamps of one microsecond follow each other, up
 * to 2^STAMP_TICK_BITS of them. */
uint64_t namespace_past_stamp(struct namespace *ns, int64_t created_at_us);

/* The same as shard_expire for all shards, which must be locked. */
size_t namespace_expire(struct namespace *ns, int64_t now_us, size_t max, struct entry **trash);

/* Call it on any thread, before a new listing begins and when a namespace is cleared: older runs
 * (listing/walk.h) are not used again. */
static inline void namespace_forbid_runs(struct namespace *ns)
{
	(void)atomic_fetch_add(&ns->listings, 1);
}

/* With all shards locked: a copy of the store has to clear the namespace. */
static inline void namespace_note_clear(struct namespace *ns)
{
	if (!ns->shards[0].changes.are_noted)
		return;
	atomic_store(&ns->is_cleared, true);
	atomic_store(&ns->has_changes, true);
}

/* The same, with the namespace; what it was told of settings does not count any more. */
static inline void namespace_note_drop(struct namespace *ns)
{
	if (!ns->shards[0].changes.are_noted)
		return;
	atomic_store(&ns->unsaved_settings, 0);
	atomic_store(&ns->drops_copy, true);
	namespace_note_clear(ns);
}

/* After settings were changed. */
static inline void namespace_note_settings(struct namespace *ns, unsigned mask)
{
	if (!ns->shards[0].changes.are_noted)
		return;
	(void)atomic_fetch_or(&ns->unsaved_settings, mask);
	atomic_store(&ns->has_changes, true);
}

static inline enum eviction_policy namespace_policy(const struct namespace *ns)
{
	return (enum eviction_policy)atomic_load_explicit(&ns->policy, memory_order_relaxed);
}

#endif
