#include "backends/redis/uses.h"

#include <stdlib.h>
#include <xxhash.h>

#define BUCKETS 2048
/* While the server cannot be reached, further keys are forgotten beyond so many. */
#define KEYS_MAX 65536

void redis_uses_deinit(struct redis_uses *uses)
{
	while (uses->oldest) {
		struct redis_use *next = uses->oldest->newer;

		free(uses->oldest);
		uses->oldest = next;
	}
	free(uses->buckets);
	*uses = (struct redis_uses){0};
}

bool redis_uses_are_none(const struct redis_uses *uses)
{
	return uses->count == 0 && uses->hits == 0 && uses->misses == 0;
}

static struct redis_use **bucket_of(const struct redis_uses *uses, uint64_t hash)
{
	return &uses->buckets[hash % BUCKETS];
}

static void unlink_use(struct redis_uses *uses, struct redis_use *use)
{
	*(use->older ? &use->older->newer : &uses->oldest) = use->newer;
	*(use->newer ? &use->newer->older : &uses->newest) = use->older;
}

static void append_use(struct redis_uses *uses, struct redis_use *use)
{
	use->older = uses->newest;
	use->newer = NULL;
	*(uses->newest ? &uses->newest->newer : &uses->oldest) = use;
	uses->newest = use;
}

static struct redis_use *find(const struct redis_uses *uses, struct slice key, uint64_t hash)
{
	struct redis_use *use = uses->buckets ? *bucket_of(uses, hash) : NULL;

	while (use && !slice_equal(key, (struct slice){.data = use->key, .len = use->key_len}))
		use = use->in_bucket;
	return use;
}

static void add_to_bucket(struct redis_uses *uses, struct redis_use *use)
{
	struct redis_use **bucket = bucket_of(uses, use->hash);

	use->in_bucket = *bucket;
	*bucket = use;
	uses->count++;
}

static bool has_buckets(struct redis_uses *uses)
{
	if (!uses->buckets)
		uses->buckets = calloc(BUCKETS, sizeof(struct redis_use *));
	return uses->buckets != NULL;
}

void redis_uses_add(struct redis_uses *uses, struct slice key, int64_t now_us)
{
	uint64_t hash = XXH3_64bits(key.data, key.len);
	struct redis_use *use = find(uses, key, hash);

	if (use) {
		unlink_use(uses, use);
	} else {
		use = uses->count < KEYS_MAX && has_buckets(uses) ? malloc(sizeof(*use) + key.len)
								  : NULL;
		if (!use)
			return;
		*use = (struct redis_use){.hash = hash, .key_len = key.len};
		if (key.len > 0)
			memcpy(use->key, key.data, key.len);
		add_to_bucket(uses, use);
	}
	use->count++;
	use->last_us = now_us;
	append_use(uses, use);
}

int64_t redis_uses_last_us(const struct redis_uses *uses, struct slice key)
{
	const struct redis_use *use =
		uses->count > 0 ? find(uses, key, XXH3_64bits(key.data, key.len)) : NULL;

	return use ? use->last_us : 0;
}

static void leave_bucket(struct redis_uses *uses, const struct redis_use *use)
{
	struct redis_use **at = bucket_of(uses, use->hash);

	while (*at != use)
		at = &(*at)->in_bucket;
	*at = use->in_bucket;
	uses->count--;
}

void redis_uses_take(struct redis_uses *uses, struct redis_uses *to, size_t max)
{
	*to = (struct redis_uses){
		.hits = uses->hits, .misses = uses->misses, .stale_hits = uses->stale_hits};
	uses->hits = uses->misses = uses->stale_hits = 0;
	while (uses->oldest && to->count < max) {
		struct redis_use *use = uses->oldest;

		leave_bucket(uses, use);
		unlink_use(uses, use);
		append_use(to, use);
		to->count++;
	}
}

void redis_uses_put_back(struct redis_uses *uses, struct redis_uses *from)
{
	struct redis_use *use = from->newest;

	uses->hits += from->hits;
	uses->misses += from->misses;
	uses->stale_hits += from->stale_hits;
	while (use && has_buckets(uses)) {
		struct redis_use *older = use->older;
		struct redis_use *same = find(
			uses, (struct slice){.data = use->key, .len = use->key_len}, use->hash);

		unlink_use(from, use);
		if (same) {
			same->count += use->count;
			free(use);
		} else {
			use->older = NULL;
			use->newer = uses->oldest;
			*(uses->oldest ? &uses->oldest->older : &uses->newest) = use;
			uses->oldest = use;
			add_to_bucket(uses, use);
		}
		use = older;
	}
	redis_uses_deinit(from);
}
