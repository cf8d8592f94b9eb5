/* A memory store with a copy of it elsewhere: what the keeper of the copy (backends/persist) is
 * told, and how it takes changes and brings entries.
 *
 * Memory is the authority: it decides everything, at once, and the copy follows. With a copy, and a
 * limit for all memory, values that the copy has give up their memory (spill.h).
 *
 * Namespaces of the store live as long as the store, also when they are dropped: then they are
 * empty, and may come again. One thread at a time takes changes and adopts;
 * all other functions: any thread. */
#ifndef STEADYCACHE_MEMORY_MIRROR_H
#define STEADYCACHE_MEMORY_MIRROR_H

#include <stdatomic.h>

#include "base/order_clock.h"
#include "store/backend.h"

struct entry;
struct namespace;
struct namespaces;

/* Of the keeper; lives as long as the store. No lock of the store is held during calls. */
struct memory_mirror {
	void *user;
	/* While it is set entries are still adopted: a SET that would have to evict waits. */
	atomic_bool is_loading;
	uint32_t spill_least_bytes; /* a value of fewer bytes is never spilled */
	/* A GET has found entries without bytes: items whose values have CACHE_VALUE_HEAD. The
	 * keeper completes the op, or has it looked up again (memory_get_again). */
	void (*fetch)(void *user, struct cache_op *op);
	/* A SET waits for the end of the load, or until more is saved: the keeper submits it again
	 * then. op->progress is the keeper's, 0 at first; from 2 on it does not wait for saves. */
	void (*park)(void *user, struct cache_op *op);
};

/* Figures of all namespaces. */
struct mirror_figures {
	uint64_t unsaved_entries, unsaved_bytes; /* including removals */
	uint64_t head_entries, head_bytes;
	uint64_t memory_bytes;
};
void mirror_figures(const struct namespaces *all, struct mirror_figures *ret);

/* ---- What has changed ---- */

/* All namespaces; the order stays, and new ones are before the first. */
struct namespace *mirror_first(const struct namespaces *all);
struct namespace *mirror_next(const struct namespace *ns);
/* NULL: there is no such namespace. */
struct namespace *mirror_find(struct namespaces *all, struct slice name);
struct slice mirror_name(const struct namespace *ns);

/* Whether it may have changed since the last call. */
bool mirror_take_mark(struct namespace *ns);
bool mirror_has_mark(const struct namespace *ns);
void mirror_return_mark(struct namespace *ns);
/* Whether settings have changed, or the namespace is new; which, and all of its settings. */
bool mirror_take_settings(struct namespace *ns, struct namespace_settings *ret, unsigned *ret_mask);
void mirror_return_settings(struct namespace *ns, unsigned mask);
/* Whether it was cleared: the copy must be, before it is told of anything else. *ret_drops: and
 * the namespace did not exist any more, although it may again. */
bool mirror_take_clear(struct namespace *ns, bool *ret_drops);
void mirror_return_clear(struct namespace *ns, bool drops);

#define MIRROR_SHARDS 16

/* Takes the removed keys of a shard: a list, to be freed with mirror_free or returned. */
struct entry *mirror_take_removed(struct namespace *ns, unsigned shard);
void mirror_return_removed(struct namespace *ns, unsigned shard, struct entry *removed);
struct entry *mirror_after(const struct entry *removed);
struct slice mirror_key(const struct entry *removed);
/* Whether the key is still removed. If it exists again the copy need not remove it. */
bool mirror_is_removed(struct namespace *ns, unsigned shard, const struct entry *removed);
/* Frees the first `count` of the list, or less; returns the rest. */
struct entry *mirror_free(struct entry *removed, size_t count);

/* Takes the hashes of the changed entries, malloc'ed, in the order in which the entries were
 * created. NULL: none, or the copy has a clear before it: what was set after the clear stays noted;
 * or, with a count, for lack of memory. */
uint64_t *mirror_take_hashes(struct namespace *ns, size_t *ret_count);

/* One changed entry. */
struct mirror_change {
	uint64_t hash;
	struct slice key;          /* part of the value */
	struct cache_value *value; /* a reference; with its times */
	uint64_t size_bytes;
	struct cache_history history; /* its times are of the order clock */
	bool has_new_value; /* otherwise only its history has changed, or when it expires */
	bool is_retimed;
};

/* Looks up the entries of `hashes` and fills `ret` with up to `max` changes, or until their values
 * reach `max_bytes`; *ret_looked_up says how many hashes it has got through. Returns how many
 * changes there are; SIZE_MAX: the namespace was cleared, and nothing may be written. */
size_t mirror_collect(struct namespace *ns, const uint64_t *hashes, size_t count,
		      struct mirror_change *ret, size_t max, uint64_t max_bytes,
		      size_t *ret_looked_up);
/* The copy has these. */
void mirror_saved(struct namespace *ns, const struct mirror_change *changes, size_t count);
/* Drops the references to the values. */
void mirror_release(const struct mirror_change *changes, size_t count);

#endif
