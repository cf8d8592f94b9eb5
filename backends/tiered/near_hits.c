#include "backends/tiered/near_hits.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <xxhash.h>

struct near_hits_entry {
	struct near_hits_entry *next; /* never changes once it is in its bucket */
	_Atomic uint64_t hits;
	char name[NAMESPACE_MAX_LEN + 1];
};

void near_hits_init(struct near_hits *hits)
{
	*hits = (struct near_hits){.lock = PTHREAD_MUTEX_INITIALIZER};
}

void near_hits_deinit(struct near_hits *hits)
{
	for (size_t i = 0; i < NEAR_HITS_BUCKETS; i++) {
		struct near_hits_entry *entry = atomic_load(&hits->buckets[i]);

		while (entry) {
			struct near_hits_entry *next = entry->next;

			free(entry);
			entry = next;
		}
	}
	(void)pthread_mutex_destroy(&hits->lock);
}

static struct near_hits_entry *_Atomic *bucket_of(struct near_hits *hits, struct slice ns)
{
	return &hits->buckets[XXH3_64bits(ns.data, ns.len) % NEAR_HITS_BUCKETS];
}

static struct near_hits_entry *find(struct near_hits *hits, struct slice ns)
{
	struct near_hits_entry *entry =
		atomic_load_explicit(bucket_of(hits, ns), memory_order_acquire);

	while (entry && !slice_equal(slice_of(entry->name), ns))
		entry = entry->next;
	return entry;
}

static struct near_hits_entry *find_or_add(struct near_hits *hits, struct slice ns)
{
	struct near_hits_entry *entry = find(hits, ns);

	if (entry || ns.len > NAMESPACE_MAX_LEN)
		return entry;
	(void)pthread_mutex_lock(&hits->lock);
	entry = find(hits, ns);
	if (!entry && hits->count < NEAR_HITS_NAMESPACES_MAX &&
	    (entry = calloc(1, sizeof(*entry)))) {
		memcpy(entry->name, ns.data, ns.len);
		entry->next = atomic_load(bucket_of(hits, ns));
		atomic_store_explicit(bucket_of(hits, ns), entry, memory_order_release);
		hits->count++;
	}
	(void)pthread_mutex_unlock(&hits->lock);
	return entry;
}

void near_hits_add(struct near_hits *hits, struct slice ns, uint64_t how_many)
{
	struct near_hits_entry *entry = how_many > 0 ? find_or_add(hits, ns) : NULL;

	if (entry)
		(void)atomic_fetch_add_explicit(&entry->hits, how_many, memory_order_relaxed);
}

uint64_t near_hits_of(struct near_hits *hits, struct slice ns)
{
	struct near_hits_entry *entry = find(hits, ns);

	return entry ? atomic_load_explicit(&entry->hits, memory_order_relaxed) : 0;
}

void near_hits_forget(struct near_hits *hits, struct slice ns)
{
	struct near_hits_entry *entry = find(hits, ns);

	if (entry)
		atomic_store_explicit(&entry->hits, 0, memory_order_relaxed);
}
