#include "backends/sqlite/read/large.h"

#include <stdlib.h>

#include "base/invariant.h"
#include "base/thread.h"

struct large_entry {
	struct large_entry *next;
	struct cache_value *value;
};

/* ---- What is held; with the lock ---- */

/* Only this table hands out further references to a value that nobody else holds. */
static void let_go(struct large *large)
{
	for (struct large_entry **link = &large->held; *link;) {
		struct large_entry *entry = *link;

		if (atomic_load_explicit(&entry->value->refs, memory_order_acquire) > 1) {
			link = &entry->next;
			continue;
		}
		*link = entry->next;
		INVARIANT(large->held_bytes >= entry->value->len_bytes);
		large->held_bytes -= entry->value->len_bytes;
		cache_value_release(entry->value);
		free(entry);
	}
}

static struct cache_value *find(const struct large *large, const struct large_key *key)
{
	for (const struct large_entry *entry = large->held; entry; entry = entry->next) {
		struct cache_value *value = entry->value;

		if (etag_equal(&value->etag, &key->etag) &&
		    value->modified_at_us == key->modified_at_us &&
		    value->expires_at_us == key->expires_at_us &&
		    slice_equal(cache_value_head(value), key->type))
			return value;
	}
	return NULL;
}

/* ---- Threads ---- */

/* NULL: the end, and nothing waits. */
static struct cache_op *take(struct large *large)
{
	(void)pthread_mutex_lock(&large->lock);
	while (!large->waiting.first && !large->stop)
		(void)pthread_cond_wait(&large->wake, &large->lock);
	struct cache_op *op = op_queue_pop(&large->waiting);
	(void)pthread_mutex_unlock(&large->lock);
	return op;
}

static void *large_main(void *arg)
{
	struct large *large = arg;
	struct cache_op *op;

	while ((op = take(large)))
		large->run(large->user, op);
	return NULL;
}

bool large_open(struct large *large, void (*run)(void *user, struct cache_op *op), void *user)
{
	*large = (struct large){.run = run, .user = user};
	(void)pthread_mutex_init(&large->lock, NULL);
	(void)pthread_cond_init(&large->wake, NULL);
	while (large->thread_count < LARGE_THREADS &&
	       thread_start(&large->threads[large->thread_count], NULL, large_main, large) == 0)
		large->thread_count++;
	return large->thread_count > 0;
}

void large_close(struct large *large)
{
	if (!large->run)
		return;
	(void)pthread_mutex_lock(&large->lock);
	large->stop = true;
	(void)pthread_cond_broadcast(&large->wake);
	(void)pthread_mutex_unlock(&large->lock);
	for (unsigned i = 0; i < large->thread_count; i++)
		(void)pthread_join(large->threads[i], NULL);
	while (large->held) {
		struct large_entry *entry = large->held;

		large->held = entry->next;
		cache_value_release(entry->value);
		free(entry);
	}
	(void)pthread_cond_destroy(&large->wake);
	(void)pthread_mutex_destroy(&large->lock);
	large->run = NULL;
}

void large_submit(struct large *large, struct cache_op *op)
{
	(void)pthread_mutex_lock(&large->lock);
	op_queue_push(&large->waiting, op);
	(void)pthread_cond_signal(&large->wake);
	(void)pthread_mutex_unlock(&large->lock);
}

/* ---- Values ---- */

struct cache_value *large_find(struct large *large, const struct large_key *key)
{
	(void)pthread_mutex_lock(&large->lock);
	struct cache_value *value = find(large, key);
	if (value)
		(void)cache_value_acquire(value);
	(void)pthread_mutex_unlock(&large->lock);
	return value;
}

bool large_reserve(struct large *large, uint64_t bytes)
{
	(void)pthread_mutex_lock(&large->lock);
	let_go(large);
	bool has_room = large->held_bytes == 0 || large->held_bytes + bytes <= LARGE_HELD_MAX;
	if (has_room)
		large->held_bytes += bytes;
	(void)pthread_mutex_unlock(&large->lock);
	return has_room;
}

struct cache_value *large_add(struct large *large, uint64_t bytes, struct cache_value *value)
{
	struct large_entry *entry = value ? malloc(sizeof(*entry)) : NULL;
	struct cache_value *others = NULL;

	(void)pthread_mutex_lock(&large->lock);
	if (value) {
		const struct large_key key = {
			.etag = value->etag,
			.type = cache_value_head(value),
			.modified_at_us = value->modified_at_us,
			.expires_at_us = value->expires_at_us,
		};
		others = find(large, &key);
	}
	if (entry && !others) {
		*entry = (struct large_entry){
			.next = large->held,
			.value = cache_value_acquire(value),
		};
		large->held = entry;
		entry = NULL;
	} else {
		INVARIANT(large->held_bytes >= bytes);
		large->held_bytes -= bytes;
	}
	if (others)
		(void)cache_value_acquire(others);
	(void)pthread_mutex_unlock(&large->lock);
	free(entry);
	if (!others)
		return value;
	cache_value_release(value);
	return others;
}

void large_tidy(struct large *large)
{
	(void)pthread_mutex_lock(&large->lock);
	let_go(large);
	(void)pthread_mutex_unlock(&large->lock);
}
