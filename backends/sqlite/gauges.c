#include "backends/sqlite/gauges.h"

#include <string.h>

#include "backends/sqlite/store.h"

size_t sqlite_gauges(struct backend *backend, struct backend_gauge *ret, size_t max)
{
	struct sqlite_store *store = (struct sqlite_store *)backend;
	struct values_counts cached = {0};
	bool is_cached = values_are_on(&store->values);

	if (is_cached)
		values_count(&store->values, &cached);
	const struct backend_gauge gauges[] = {
		GAUGE_LEVEL("sqlite", "queue", inbox_length(&store->to_writer),
			    "Writes that wait for the next commit."),
		GAUGE_COUNTER("sqlite", "groups", atomic_load(&store->written.groups),
			      "Groups of writes that were committed."),
		GAUGE_COUNTER("sqlite", "group_ops", atomic_load(&store->written.ops),
			      "Writes in those groups."),
		GAUGE_COUNTER("sqlite", "group_us", atomic_load(&store->written.busy_us),
			      "Time that groups took, their commits included."),
		GAUGE_COUNTER("sqlite", "groups_failed", atomic_load(&store->written.failed),
			      "Groups that were rolled back."),
		GAUGE_LEVEL("sqlite", "wal_pages", atomic_load(&store->file.space.wal_pages),
			    "Pages of the write-ahead log after the last commit."),
		GAUGE_LEVEL(
			"sqlite", "locked", atomic_load(&store->written.locked),
			"1 where another program holds the write lock and writes wait, else 0."),
		GAUGE_LEVEL(
			"sqlite", "low_space", atomic_load(&store->file.space.low),
			"1 where the volume is full and what needs more room is refused, else 0."),
		GAUGE_LEVEL("sqlite", "uses_waiting", uses_count(&store->uses),
			    "Entries whose use waits in memory to be written."),
		GAUGE_LEVEL("sqlite_cache", "entries", cached.entries, "Values kept in memory."),
		GAUGE_LEVEL("sqlite_cache", "used_bytes", cached.used_bytes,
			    "Memory that they take, overhead included."),
		GAUGE_LEVEL("sqlite_cache", "max_bytes", cached.max_bytes, "What they may take."),
		GAUGE_COUNTER("sqlite_cache", "hits", cached.hits, "Reads answered from memory."),
		GAUGE_COUNTER("sqlite_cache", "misses", cached.misses, "Reads that asked SQLite."),
		GAUGE_COUNTER("sqlite_cache", "evictions", cached.evictions,
			      "Values that gave way to others."),
		GAUGE_COUNTER("sqlite_cache", "drops", cached.drops,
			      "Times that all were dropped, as another process wrote to the file."),
	};
	size_t count = 0;

	for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]) && count < max; i++)
		if (is_cached || strcmp(gauges[i].group, "sqlite_cache") != 0)
			ret[count++] = gauges[i];
	return count;
}
