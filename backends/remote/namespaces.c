#include "backends/remote/namespaces.h"

#include <stdlib.h>
#include <xxhash.h>

void remote_namespaces_deinit(struct remote_namespaces *namespaces)
{
	for (size_t i = 0; i < NAMESPACES_BUCKETS; i++) {
		while (namespaces->buckets[i]) {
			struct remote_ns_counters *next = namespaces->buckets[i]->next;

			free(namespaces->buckets[i]);
			namespaces->buckets[i] = next;
		}
	}
}

static size_t bucket_of(struct slice name)
{
	return XXH3_64bits(name.data, name.len) % NAMESPACES_BUCKETS;
}

struct remote_ns_counters *remote_namespaces_find(struct remote_namespaces *namespaces,
						  struct slice name)
{
	struct remote_ns_counters **bucket = &namespaces->buckets[bucket_of(name)];
	struct remote_ns_counters *found = *bucket;

	while (found && !slice_equal(slice_of(found->name), name))
		found = found->next;
	if (found)
		return found;
	if (namespaces->max > 0 && namespaces->count >= namespaces->max)
		return &namespaces->overflow;
	found = calloc(1, sizeof(*found));
	if (!found)
		return &namespaces->overflow;
	memcpy(found->name, name.data, name.len < NAMESPACE_MAX_LEN ? name.len : NAMESPACE_MAX_LEN);
	found->next = *bucket;
	*bucket = found;
	namespaces->count++;
	return found;
}

void remote_namespaces_forget(struct remote_namespaces *namespaces, struct slice name)
{
	struct remote_ns_counters **at = &namespaces->buckets[bucket_of(name)];

	while (*at && !slice_equal(slice_of((*at)->name), name))
		at = &(*at)->next;
	struct remote_ns_counters *found = *at;
	if (!found)
		return;
	*at = found->next;
	free(found);
	namespaces->count--;
}

const struct remote_ns_counters *remote_namespaces_next(const struct remote_namespaces *namespaces,
							const struct remote_ns_counters *ns)
{
	size_t bucket = 0;

	if (ns && ns->next)
		return ns->next;
	if (ns)
		bucket = bucket_of(slice_of(ns->name)) + 1;
	while (bucket < NAMESPACES_BUCKETS && !namespaces->buckets[bucket])
		bucket++;
	return bucket < NAMESPACES_BUCKETS ? namespaces->buckets[bucket] : NULL;
}

void remote_namespaces_count(struct remote_namespaces *namespaces, const struct cache_op *op,
			     const struct cache_item *items)
{
	if (op->type > CACHE_OP_DELETE || op->no_touch)
		return;
	struct remote_ns_counters *counters = remote_namespaces_find(namespaces, op->ns);
	for (size_t i = 0; i < op->item_count; i++) {
		bool ok = items[i].status == CACHE_OK;

		counters->stale_hits += op->type == CACHE_OP_GET && items[i].stale;
		if (op->type == CACHE_OP_GET && ok)
			counters->hits++;
		else if (op->type == CACHE_OP_GET)
			counters->misses++;
		else if (op->type == CACHE_OP_SET && ok)
			counters->sets++;
		else if (op->type == CACHE_OP_DELETE && ok)
			counters->deletes++;
	}
}

void remote_namespaces_fill(struct remote_namespaces *namespaces, struct namespace_stats *stats)
{
	const struct remote_ns_counters *counters =
		remote_namespaces_find(namespaces, slice_of(stats->name));

	if (counters == &namespaces->overflow)
		return;
	stats->hits = counters->hits;
	stats->misses = counters->misses;
	stats->stale_hits = counters->stale_hits;
	stats->sets = counters->sets;
	stats->deletes = counters->deletes;
	stats->evictions = counters->evictions;
	stats->expirations = counters->expirations;
}

void remote_namespaces_raise(struct namespace_stats *stats, uint64_t evictions,
			     uint64_t expirations)
{
	if (stats->evictions < evictions)
		stats->evictions = evictions;
	if (stats->expirations < expirations)
		stats->expirations = expirations;
}
