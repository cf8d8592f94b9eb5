#include "backends/memory/noted.h"

#include <stdlib.h>
#include <string.h>

#include "base/invariant.h"

/* A removed entry of up to this size stays as it is; of a larger one only the key stays. */
#define TOMBSTONE_MAX_BYTES 512

/* Only one thread at a time writes the figures: the one with the lock. */
static void add(_Atomic uint64_t *figure, uint64_t n)
{
	uint64_t now = atomic_load_explicit(figure, memory_order_relaxed);

	atomic_store_explicit(figure, now + n, memory_order_relaxed);
}

static void subtract(_Atomic uint64_t *figure, uint64_t n)
{
	uint64_t now = atomic_load_explicit(figure, memory_order_relaxed);

	INVARIANT(now >= n);
	atomic_store_explicit(figure, now - n, memory_order_relaxed);
}

static uint64_t bytes_of(const struct entry *entry)
{
	const struct cache_value *value = entry_value_const(entry);

	return (uint64_t)value->key_len + value->len_bytes;
}

/* Bytes that a head lacks. */
static uint64_t lacking_bytes(struct entry *entry)
{
	return entry_tail(entry)->size_bytes;
}

/* Adds `entry` to the figures, or takes it out. */
static void count(struct noted *changes, const struct entry *entry,
		  void (*change)(_Atomic uint64_t *figure, uint64_t n))
{
	if (entry_has(entry, ENTRY_UNSAVED)) {
		change(&changes->unsaved_entries, 1);
		change(&changes->unsaved_bytes, bytes_of(entry));
	}
	if (noted_may_spill(changes, entry))
		change(&changes->spillable_entries, 1);
	if (entry_has(entry, ENTRY_IS_HEAD)) {
		change(&changes->head_entries, 1);
		change(&changes->head_bytes, lacking_bytes((struct entry *)(uintptr_t)entry));
	}
}

void noted_deinit(struct noted *changes)
{
	free(changes->keys);
	entry_free_list(changes->removed);
}

bool noted_reserve(struct noted *changes, size_t extra)
{
	size_t capacity = changes->capacity;

	if (!changes->are_noted || capacity - changes->count >= extra)
		return true;
	while (capacity - changes->count < extra)
		capacity = capacity * 2 + 64;
	struct noted_key *larger = realloc(changes->keys, capacity * sizeof(*larger));
	if (!larger)
		return false;
	changes->keys = larger;
	changes->capacity = capacity;
	return true;
}

static void wake(struct noted *changes)
{
	if (!atomic_load_explicit(changes->wake_flag, memory_order_relaxed))
		atomic_store_explicit(changes->wake_flag, true, memory_order_relaxed);
}

static void push(struct noted *changes, uint64_t hash, struct entry *entry)
{
	INVARIANT(changes->count < changes->capacity);
	changes->keys[changes->count++] =
		(struct noted_key){.stamp = entry->order.stamp, .hash = hash};
	entry_mark(entry, ENTRY_QUEUED);
	wake(changes);
}

void noted_set(struct noted *changes, uint64_t hash, const struct entry *old, struct entry *entry)
{
	unsigned queued = 0;

	if (!changes->are_noted)
		return;
	if (old) {
		count(changes, old, subtract);
		queued = old->order.owner_flags & ENTRY_QUEUED;
		entry_mark(entry, old->order.owner_flags & (ENTRY_QUEUED | ENTRY_IN_COPY));
	}
	entry_mark(entry, ENTRY_UNSAVED | ENTRY_WAS_USED);
	count(changes, entry, add);
	if (!queued)
		push(changes, hash, entry);
}

void noted_use(struct noted *changes, uint64_t hash, struct entry *entry)
{
	if (!changes->are_noted || entry_has(entry, ENTRY_QUEUED)) {
		entry_mark(entry, ENTRY_WAS_USED);
		return;
	}
	entry_mark(entry, ENTRY_WAS_USED);
	if (noted_reserve(changes, 1))
		push(changes, hash, entry);
}

void noted_retime(struct noted *changes, uint64_t hash, struct entry *entry)
{
	if (!changes->are_noted)
		return;
	entry_mark(entry, ENTRY_RETIMED);
	if (!entry_has(entry, ENTRY_QUEUED))
		push(changes, hash, entry);
}

/* A tombstone for `entry`: itself, or another one; NULL: itself, for lack of memory. */
static struct entry *key_alone(struct entry *entry)
{
	if (cache_value_memory_bytes(entry_value(entry)) <= TOMBSTONE_MAX_BYTES)
		return NULL;
	return entry_create_head(entry_key(entry), entry_value(entry));
}

bool noted_removal(struct noted *changes, struct entry *entry)
{
	if (!changes->are_noted)
		return false;
	count(changes, entry, subtract);
	if (!entry_has(entry, ENTRY_IN_COPY))
		return false;
	struct entry *key = key_alone(entry);
	struct entry *tombstone = key ? key : entry;

	entry_discard(tombstone, &changes->removed);
	add(&changes->removed_entries, 1);
	add(&changes->removed_bytes, entry_value(tombstone)->key_len);
	wake(changes);
	return !key;
}

struct entry *noted_take_removed(struct noted *changes)
{
	struct entry *removed = changes->removed;

	changes->removed = NULL;
	atomic_store(&changes->removed_entries, 0);
	atomic_store(&changes->removed_bytes, 0);
	return removed;
}

void noted_return_removed(struct noted *changes, struct entry *removed)
{
	while (removed) {
		struct entry *next = entry_of_order(removed->order.next);

		entry_discard(removed, &changes->removed);
		add(&changes->removed_entries, 1);
		add(&changes->removed_bytes, entry_value(removed)->key_len);
		removed = next;
	}
}

size_t noted_take_keys(struct noted *changes, struct noted_key *ret, size_t max)
{
	size_t taken = changes->count < max ? changes->count : max;

	if (taken == 0)
		return 0;
	memcpy(ret, changes->keys, taken * sizeof(*ret));
	changes->count -= taken;
	memmove(changes->keys, changes->keys + taken, changes->count * sizeof(*ret));
	if (changes->count == 0) {
		free(changes->keys);
		changes->keys = NULL;
		changes->capacity = 0;
	}
	return taken;
}

void noted_forget(struct noted *changes, struct entry **trash)
{
	struct entry *entry = noted_take_removed(changes);

	while (entry) {
		struct entry *next = entry_of_order(entry->order.next);

		entry_discard(entry, trash);
		entry = next;
	}
	changes->count = 0;
	atomic_store(&changes->unsaved_entries, 0);
	atomic_store(&changes->unsaved_bytes, 0);
	atomic_store(&changes->spillable_entries, 0);
	atomic_store(&changes->head_entries, 0);
	atomic_store(&changes->head_bytes, 0);
}

void noted_adopt(struct noted *changes, struct entry *entry)
{
	entry_mark(entry, ENTRY_IN_COPY);
	count(changes, entry, add);
}

void noted_saved(struct noted *changes, struct entry *entry)
{
	count(changes, entry, subtract);
	entry_unmark(entry, ENTRY_UNSAVED);
	count(changes, entry, add);
}

void noted_exchange(struct noted *changes, const struct entry *entry, struct entry *fresh)
{
	const unsigned kept =
		ENTRY_UNSAVED | ENTRY_QUEUED | ENTRY_IN_COPY | ENTRY_WAS_USED | ENTRY_RETIMED;

	count(changes, entry, subtract);
	entry_mark(fresh, entry->order.owner_flags & kept);
	count(changes, fresh, add);
}
