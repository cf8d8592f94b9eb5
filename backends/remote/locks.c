#include "backends/remote/locks.h"

#include <stdlib.h>
#include <string.h>

#include "base/invariant.h"

#define CAPACITY_MIN 64

void remote_locks_deinit(struct remote_locks *locks)
{
	free(locks->places);
	*locks = (struct remote_locks){0};
}

void remote_locks_clear(struct remote_locks *locks)
{
	if (locks->used > 0)
		memset(locks->places, 0, locks->capacity * sizeof(*locks->places));
	locks->used = 0;
}

static uint64_t mark(uint64_t hash)
{
	return hash ? hash : 1;
}

/* The place of `hash`, or the free one where it would go. */
static struct remote_lock *place_of(struct remote_lock *places, size_t capacity, uint64_t hash)
{
	size_t i = (size_t)hash & (capacity - 1);

	while (places[i].hash != 0 && places[i].hash != hash)
		i = (i + 1) & (capacity - 1);
	return &places[i];
}

static bool is_held(const struct remote_lock *lock)
{
	return lock->shared > 0 || lock->exclusive > 0;
}

/* Makes room for `extra` more. A new table drops hashes that are no longer held. */
static bool reserve(struct remote_locks *locks, size_t extra)
{
	size_t held = 0;
	size_t capacity = CAPACITY_MIN;

	if ((locks->used + extra) * 2 <= locks->capacity)
		return true;
	for (size_t i = 0; i < locks->capacity; i++)
		held += is_held(&locks->places[i]);
	while (capacity < (held + extra) * 4)
		capacity *= 2;
	struct remote_lock *places = calloc(capacity, sizeof(*places));
	if (!places)
		return false;
	for (size_t i = 0; i < locks->capacity; i++)
		if (is_held(&locks->places[i]))
			*place_of(places, capacity, locks->places[i].hash) = locks->places[i];
	free(locks->places);
	*locks = (struct remote_locks){.places = places, .capacity = capacity, .used = held};
	return true;
}

static const struct remote_lock *find(const struct remote_locks *locks, uint64_t hash)
{
	static const struct remote_lock none;

	return locks->capacity ? place_of(locks->places, locks->capacity, mark(hash)) : &none;
}

static struct remote_lock *find_or_add(struct remote_locks *locks, uint64_t hash)
{
	struct remote_lock *lock = place_of(locks->places, locks->capacity, mark(hash));

	if (lock->hash == 0) {
		lock->hash = mark(hash);
		locks->used++;
	}
	return lock;
}

static uint64_t key_hash(const struct remote_job *job, size_t i)
{
	return job->key_hashes ? job->key_hashes[i] : job->key_hash;
}

bool remote_locks_allow(const struct remote_locks *locks, const struct remote_job *job)
{
	const struct remote_lock *ns = find(locks, job->ns_hash);

	if (job->covers_namespace)
		return !is_held(ns);
	if (job->is_write && ns->exclusive > 0)
		return false;
	for (size_t i = 0; i < job->item_count; i++)
		if (is_held(find(locks, key_hash(job, i))))
			return false;
	return true;
}

/* Adds `change` to the locks of `job`, each of which has a place or gets one. */
static void change_locks(struct remote_locks *locks, const struct remote_job *job, uint32_t change)
{
	if (job->covers_namespace) {
		find_or_add(locks, job->ns_hash)->exclusive += change;
		return;
	}
	if (job->is_write)
		find_or_add(locks, job->ns_hash)->shared += change;
	for (size_t i = 0; i < job->item_count; i++)
		find_or_add(locks, key_hash(job, i))->exclusive += change;
}

bool remote_locks_take(struct remote_locks *locks, const struct remote_job *job)
{
	if (!reserve(locks, job->covers_namespace ? 1 : job->item_count + 1))
		return false;
	change_locks(locks, job, 1);
	return true;
}

void remote_locks_release(struct remote_locks *locks, const struct remote_job *job)
{
	INVARIANT(!remote_locks_allow(locks, job));
	change_locks(locks, job, UINT32_MAX); /* less one */
}
