/* What has changed in a shard since a copy of the store elsewhere was last brought up to date: the
 * entries that were set or used, and the keys that were removed. backends/persist writes them to a
 * file; mirror.h is its way to them. In a store without a copy nothing is noted.
 *
 * A change is folded: an entry is noted once, however often it is set or used. What is noted is the
 * hash of its key and its place in the order of creation, 16 bytes; its value is looked up when the
 * change is taken. A removed entry whose
 * key the copy may have stays as a tombstone, without its bytes if these are many.
 *
 * Invariants:
 * - An entry with ENTRY_QUEUED is among `keys`, or these were taken.
 * - An entry with ENTRY_UNSAVED has ENTRY_QUEUED, or is being written at the moment; so has one
 *   with ENTRY_RETIMED, until the copy is known to have its expiry.
 * - A key that the copy may have is that of an entry with ENTRY_IN_COPY, or of a tombstone; or
 *   everything in the copy is to be cleared (namespace.h).
 *
 * All under the lock of the shard. */
#ifndef STEADYCACHE_MEMORY_NOTED_H
#define STEADYCACHE_MEMORY_NOTED_H

#include <stdatomic.h>

#include "backends/memory/entry.h"

struct noted_key {
	uint64_t stamp; /* of its entry (entry.h) when it was noted: a hint for the order */
	uint64_t hash;
};

struct noted {
	bool are_noted;             /* the store has a copy; never changes */
	uint32_t spill_least_bytes; /* of memory_mirror; never changes */
	atomic_bool *wake_flag;     /* of the namespace: it has changes */
	struct noted_key *keys;
	size_t count, capacity;
	struct entry *removed; /* tombstones, linked by order.next */
	/* Written under the lock, read by anybody. */
	_Atomic uint64_t unsaved_entries, unsaved_bytes; /* of ENTRY_UNSAVED */
	_Atomic uint64_t removed_entries, removed_bytes; /* tombstones, and their keys */
	_Atomic uint64_t spillable_entries;              /* saved, and worth spilling (spill.h) */
	_Atomic uint64_t head_entries, head_bytes;       /* spilled ones, and the bytes they lack */
};

/* Whether `entry` could do without its bytes, because the copy has them. */
static inline bool noted_may_spill(const struct noted *changes, const struct entry *entry)
{
	return entry_has(entry, ENTRY_IN_COPY) && !entry_has(entry, ENTRY_UNSAVED) &&
	       !entry_has(entry, ENTRY_IS_HEAD) &&
	       entry_value_const(entry)->len_bytes >= changes->spill_least_bytes;
}

void noted_deinit(struct noted *changes);

/* Makes room for `extra` more, which cannot fail then. False: out of memory. */
bool noted_reserve(struct noted *changes, size_t extra);

/* `entry` is new, in the place of `old` (NULL: of none); there is room for it. */
void noted_set(struct noted *changes, uint64_t hash, const struct entry *old, struct entry *entry);
/* `entry` was used. Without memory the use is not noted. */
void noted_use(struct noted *changes, uint64_t hash, struct entry *entry);
/* `entry` expires at another time; there is room for it. */
void noted_retime(struct noted *changes, uint64_t hash, struct entry *entry);
/* `entry` has left the table. True: it is a tombstone now; else it is the caller's. */
bool noted_removal(struct noted *changes, struct entry *entry);
/* All entries were cleared, and the copy will be: nothing that is noted counts any more. The
 * tombstones go to `*trash`. */
void noted_forget(struct noted *changes, struct entry **trash);

/* `entry` came from the copy. */
void noted_adopt(struct noted *changes, struct entry *entry);
/* The copy has this value of `entry`. */
void noted_saved(struct noted *changes, struct entry *entry);
/* Takes the tombstones, which no longer count: a list linked by order.next. */
struct entry *noted_take_removed(struct noted *changes);
void noted_return_removed(struct noted *changes, struct entry *removed);
/* Takes the keys that were noted first, up to `max`. Returns how many. */
size_t noted_take_keys(struct noted *changes, struct noted_key *ret, size_t max);
/* `entry` gave its bytes up, or has them again, as `fresh`, which takes over its flags. */
void noted_exchange(struct noted *changes, const struct entry *entry, struct entry *fresh);

#endif
