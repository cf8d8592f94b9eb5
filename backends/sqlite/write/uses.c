#include "backends/sqlite/write/uses.h"

#include <stdlib.h>
#include <string.h>

#include "base/invariant.h"

void uses_init(struct uses *uses)
{
	*uses = (struct uses){0};
	for (size_t i = 0; i < USES_STRIPES; i++)
		(void)pthread_mutex_init(&uses->stripes[i].lock, NULL);
}

void uses_deinit(struct uses *uses)
{
	for (size_t i = 0; i < USES_STRIPES; i++) {
		free(uses->stripes[i].slots);
		(void)pthread_mutex_destroy(&uses->stripes[i].lock);
	}
}

/* Ids count up: multiplied by 2^64 / golden ratio, near ones are far apart (Knuth, TAOCP 3,
 * 6.4). */
static uint64_t spread(int64_t id)
{
	return (uint64_t)id * UINT64_C(0x9E3779B97F4A7C15);
}

static struct uses_stripe *lock_stripe(struct uses *uses, int64_t id)
{
	struct uses_stripe *stripe = &uses->stripes[spread(id) >> 60];

	(void)pthread_mutex_lock(&stripe->lock);
	return stripe;
}

static void unlock_stripe(struct uses_stripe *stripe)
{
	(void)pthread_mutex_unlock(&stripe->lock);
}

static size_t home_slot(const struct uses_stripe *stripe, int64_t id)
{
	return (size_t)(spread(id) >> 32) & (stripe->capacity - 1);
}

/* The slot of `id`, or the empty one where it would go. The table is never full. */
static size_t find_slot(const struct uses_stripe *stripe, int64_t id)
{
	size_t slot = home_slot(stripe, id);

	INVARIANT((stripe->capacity & (stripe->capacity - 1)) == 0);
	INVARIANT(stripe->used < stripe->capacity);
	while (stripe->slots[slot].count > 0 && stripe->slots[slot].id != id)
		slot = (slot + 1) & (stripe->capacity - 1);
	return slot;
}

static bool grow(struct uses_stripe *stripe)
{
	struct uses_stripe larger = {
		.capacity = stripe->capacity ? stripe->capacity * 2 : 64,
	};

	larger.slots = calloc(larger.capacity, sizeof(*larger.slots));
	if (!larger.slots)
		return false;
	for (size_t i = 0; stripe->slots && i < stripe->capacity; i++)
		if (stripe->slots[i].count > 0)
			larger.slots[find_slot(&larger, stripe->slots[i].id)] = stripe->slots[i];
	free(stripe->slots);
	stripe->slots = larger.slots;
	stripe->capacity = larger.capacity;
	return true;
}

bool uses_add(struct uses *uses, const struct use *use)
{
	struct uses_stripe *stripe = lock_stripe(uses, use->id);
	struct use *slot = NULL;

	if (stripe->slots)
		slot = &stripe->slots[find_slot(stripe, use->id)];
	if (!slot || slot->count == 0) {
		bool full = stripe->used >= USES_STRIPE_MAX;

		/* At most three quarters full. */
		if (!full && (!stripe->slots || (stripe->used + 1) * 4 > stripe->capacity * 3))
			full = !grow(stripe);
		if (full) {
			unlock_stripe(stripe);
			return false;
		}
		slot = &stripe->slots[find_slot(stripe, use->id)];
		*slot = (struct use){.id = use->id, .namespace_id = use->namespace_id};
		stripe->used++;
	}
	slot->count += use->count;
	if (slot->last_access_us < use->last_access_us)
		slot->last_access_us = use->last_access_us;
	unlock_stripe(stripe);
	return true;
}

void uses_lose(struct uses *uses, int64_t last_access_us)
{
	int64_t before_us = atomic_load(&uses->lost_us);

	while (before_us < last_access_us &&
	       !atomic_compare_exchange_weak(&uses->lost_us, &before_us, last_access_us))
		;
}

/* Empties a slot and moves up those after it that are away from home (deletion of linear probing,
 * Knuth, TAOCP 3, 6.4, algorithm R). */
static void empty_slot(struct uses_stripe *stripe, size_t hole)
{
	size_t mask = stripe->capacity - 1;

	stripe->used--;
	for (size_t at = (hole + 1) & mask; stripe->slots[at].count > 0; at = (at + 1) & mask) {
		size_t home = home_slot(stripe, stripe->slots[at].id);

		if (((at - home) & mask) >= ((at - hole) & mask)) {
			stripe->slots[hole] = stripe->slots[at];
			hole = at;
		}
	}
	stripe->slots[hole].count = 0;
}

static bool look_up(struct uses *uses, int64_t id, bool take, struct use *ret)
{
	struct uses_stripe *stripe = lock_stripe(uses, id);
	bool found = false;

	if (stripe->used > 0) {
		size_t slot = find_slot(stripe, id);

		found = stripe->slots[slot].count > 0;
		if (found) {
			*ret = stripe->slots[slot];
			if (take)
				empty_slot(stripe, slot);
		}
	}
	unlock_stripe(stripe);
	return found;
}

bool uses_take(struct uses *uses, int64_t id, struct use *ret)
{
	return look_up(uses, id, true, ret);
}

bool uses_find(struct uses *uses, int64_t id, struct use *ret)
{
	return look_up(uses, id, false, ret);
}

void uses_subtract(struct uses *uses, const struct use *use)
{
	struct use waiting;

	if (!uses_take(uses, use->id, &waiting) || waiting.count <= use->count)
		return;
	waiting.count -= use->count;
	(void)uses_add(uses, &waiting);
}

size_t uses_count(struct uses *uses)
{
	size_t count = 0;

	for (size_t i = 0; i < USES_STRIPES; i++) {
		(void)pthread_mutex_lock(&uses->stripes[i].lock);
		count += uses->stripes[i].used;
		unlock_stripe(&uses->stripes[i]);
	}
	return count;
}

size_t uses_take_some(struct uses *uses, struct use *ret, size_t max)
{
	size_t taken = 0;

	for (size_t i = 0; i < USES_STRIPES && taken < max; i++) {
		struct uses_stripe *stripe = &uses->stripes[i];

		(void)pthread_mutex_lock(&stripe->lock);
		/* Backwards, so that what moves up into the hole has already been visited. */
		for (size_t slot = stripe->capacity;
		     slot-- > 0 && stripe->used > 0 && taken < max;) {
			while (stripe->slots[slot].count > 0 && taken < max) {
				ret[taken++] = stripe->slots[slot];
				empty_slot(stripe, slot);
			}
		}
		if (stripe->used == 0) {
			free(stripe->slots);
			stripe->slots = NULL;
			stripe->capacity = 0;
		}
		unlock_stripe(stripe);
	}
	return taken;
}

static int compare_namespaces(const void *a, const void *b)
{
	int64_t left = ((const struct use *)a)->namespace_id;
	int64_t right = ((const struct use *)b)->namespace_id;

	return (left > right) - (left < right);
}

struct use *uses_copy(struct uses *uses, size_t *ret_count)
{
	struct use *copy = NULL;
	size_t count = 0;

	for (size_t i = 0; i < USES_STRIPES; i++) {
		struct uses_stripe *stripe = &uses->stripes[i];

		(void)pthread_mutex_lock(&stripe->lock);
		if (stripe->used > 0) {
			struct use *larger = realloc(copy, (count + stripe->used) * sizeof(*copy));

			if (larger)
				copy = larger;
			for (size_t slot = 0; larger && slot < stripe->capacity; slot++)
				if (stripe->slots[slot].count > 0)
					copy[count++] = stripe->slots[slot];
		}
		unlock_stripe(stripe);
	}
	if (count > 0)
		qsort(copy, count, sizeof(*copy), compare_namespaces);
	*ret_count = count;
	return copy;
}
