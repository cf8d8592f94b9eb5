#include "backends/sqlite/write/heads.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/invariant.h"

void heads_clear(struct heads *heads)
{
	heads->count = 0;
	heads->is_complete = false;
	heads->arrived_us = INT64_MAX;
}

void heads_forget(struct heads_cache *cache)
{
	for (size_t i = 0; i < HEADS_NAMESPACES; i++)
		cache->of[i].namespace_id = 0;
}

void heads_deinit(struct heads_cache *cache)
{
	for (size_t i = 0; i < HEADS_NAMESPACES; i++)
		free(cache->of[i].items);
	*cache = (struct heads_cache){0};
}

struct heads *heads_of(struct heads_cache *cache, int64_t data_version, int64_t namespace_id)
{
	struct heads *found = &cache->of[0];

	if (data_version == 0 || data_version != cache->data_version)
		heads_forget(cache);
	cache->data_version = data_version;
	for (size_t i = 0; i < HEADS_NAMESPACES && found->namespace_id != namespace_id; i++)
		if (cache->of[i].namespace_id == namespace_id || cache->of[i].turn < found->turn)
			found = &cache->of[i];
	if (found->namespace_id != namespace_id) {
		heads_clear(found);
		found->namespace_id = namespace_id;
	}
	found->turn = ++cache->turns;
	return found;
}

bool heads_add(struct heads *heads, int64_t frequency, int64_t last_access_us)
{
	if (heads->count == HEADS_MAX)
		return false;

	struct head *items =
		array_with_room(heads->items, heads->count, &heads->capacity, sizeof(*items));
	if (!items)
		return false;
	heads->items = items;
	INVARIANT(frequency > (heads->count > 0 ? items[heads->count - 1].frequency : 1));
	heads->items[heads->count++] = (struct head){
		.frequency = frequency,
		.last_access_us = last_access_us,
		.is_open = true,
	};
	return true;
}

void heads_remove(struct heads *heads, size_t index)
{
	INVARIANT(index < heads->count);
	memmove(&heads->items[index], &heads->items[index + 1],
		(--heads->count - index) * sizeof(*heads->items));
}

void heads_arrive(struct heads_cache *cache, int64_t namespace_id, int64_t last_access_us)
{
	for (size_t i = 0; i < HEADS_NAMESPACES; i++)
		if (cache->of[i].namespace_id == namespace_id &&
		    last_access_us < cache->of[i].arrived_us)
			cache->of[i].arrived_us = last_access_us;
}
