/* base/value_cache.c against simple models of SIEVE and LRU. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/value_cache.h"
#include "tests/support/random.h"

#define KEYS      300
#define MAX_BYTES ((size_t)20000)
#define MAX_ENTRY ((size_t)2000)

static struct value_cache cache;

/* The model: keys from old to new, and the hand's position. */
static struct {
	unsigned keys[KEYS];
	size_t count, hand;
	bool was_hit[KEYS];  /* by key */
	size_t len_of[KEYS]; /* by key */
	int64_t mark_of[KEYS];
} model;

static void open_cache(void)
{
	value_cache_init(&cache, MAX_BYTES, MAX_ENTRY);
}

static void close_cache(void)
{
	value_cache_clear(&cache);
	cr_expect_eq(cache.used_bytes, 0);
	cr_expect_null(cache.buckets);
}

TestSuite(value_cache, .init = open_cache, .fini = close_cache);

/* All keys are in few buckets and few scopes, so that they collide. */
static struct value_cache_key key_of(unsigned key)
{
	static char text[16];
	static const char scopes[] = "abc";

	return (struct value_cache_key){
		.place = key % 100,
		.scope = {.data = &scopes[key % 3], .len = 1},
		.key = {.data = text, .len = (size_t)snprintf(text, sizeof(text), "%u", key)},
	};
}

static struct value_cache_entry *find(unsigned key)
{
	struct value_cache_key place = key_of(key);

	return value_cache_find(&cache, &place);
}

static struct cache_value *make_value(size_t len)
{
	struct cache_value *value = cache_value_create(len, SLICE("a/b"));

	cr_assert(value);
	memset(cache_value_data(value), 'x', len);
	cache_value_seal(value);
	return value;
}

static size_t position_of(unsigned key)
{
	size_t at = 0;

	while (at < model.count && model.keys[at] != key)
		at++;
	return at;
}

static void forget_at(size_t at)
{
	memmove(&model.keys[at], &model.keys[at + 1],
		(model.count - at - 1) * sizeof(model.keys[0]));
	model.count--;
	if (model.hand > at)
		model.hand--;
	if (model.hand >= model.count)
		model.hand = 0;
}

static void evict_of_model(void)
{
	while (model.was_hit[model.keys[model.hand]]) {
		model.was_hit[model.keys[model.hand]] = false;
		model.hand = (model.hand + 1) % model.count;
	}
	forget_at(model.hand);
}

/* How many were evicted follows from the table's own count; which ones, from the model. */
static void follow_evictions(uint64_t before)
{
	for (uint64_t i = before; i < cache.evictions; i++)
		evict_of_model();
}

static void add(unsigned key, size_t len, int64_t mark)
{
	struct cache_value *value = make_value(len);
	struct value_cache_key place = key_of(key);
	uint64_t evictions = cache.evictions;

	cr_assert(value_cache_add(&cache, &place, value, mark));
	follow_evictions(evictions);
	model.keys[model.count++] = key;
	model.was_hit[key] = false;
	model.len_of[key] = len;
	model.mark_of[key] = mark;
	cache_value_release(value);
}

static void replace(unsigned key, size_t len, int64_t mark)
{
	struct cache_value *value = make_value(len);
	uint64_t evictions = cache.evictions;

	cr_assert(value_cache_replace(&cache, find(key), value, mark));
	model.len_of[key] = len;
	model.mark_of[key] = mark;
	follow_evictions(evictions);
	cache_value_release(value);
}

static void expect_as_model(void)
{
	size_t at = 0;

	cr_assert_eq(cache.entry_count, model.count);
	cr_assert_leq(cache.used_bytes, MAX_BYTES);
	for (struct value_cache_entry *entry = cache.oldest; entry; entry = entry->newer, at++) {
		unsigned key = model.keys[at];

		cr_assert_eq(find(key), entry, "position %zu", at);
		cr_assert_eq(entry->value->len_bytes, model.len_of[key]);
		cr_assert_eq(entry->mark, model.mark_of[key]);
	}
	cr_assert_eq(at, model.count);
}

static void hit(unsigned key, bool is_lru)
{
	if (!is_lru) {
		value_cache_spare(find(key));
		model.was_hit[key] = true;
		return;
	}
	value_cache_renew(&cache, find(key));
	forget_at(position_of(key));
	model.keys[model.count++] = key;
}

static void run_random_traffic(bool is_lru)
{
	for (int step = 0; step < 20000; step++) {
		unsigned key = (unsigned)random_below(KEYS);
		size_t len = (size_t)random_below(random_below(5) ? 100 : 1500);
		uint64_t what = random_below(10);

		if (is_lru)
			model.hand = 0;
		if (position_of(key) == model.count) {
			cr_assert_null(find(key));
			add(key, len, step);
		} else if (what < 6) {
			hit(key, is_lru);
		} else if (what < 8) {
			replace(key, len, step);
		} else {
			value_cache_remove(&cache, find(key));
			forget_at(position_of(key));
		}
		expect_as_model();
	}
	cr_assert_gt(cache.evictions, 1000);
}

Test(value_cache, gives_up_what_a_model_of_sieve_does)
{
	run_random_traffic(false);
}

Test(value_cache, gives_up_what_a_model_of_lru_does)
{
	run_random_traffic(true);
}

Test(value_cache, keeps_out_what_is_too_large)
{
	struct cache_value *large = make_value(MAX_ENTRY);
	struct cache_value *small = make_value(1);
	struct value_cache_key key = key_of(1);

	cr_expect_not(value_cache_add(&cache, &key, large, 1));
	cr_expect_eq(cache.entry_count, 0);
	cr_assert(value_cache_add(&cache, &key, small, 1));
	cr_expect_not(value_cache_replace(&cache, find(1), large, 2));
	cr_expect_eq(find(1)->value, small, "nothing was done");
	cr_expect_eq(find(1)->mark, 1);
	cache_value_release(large);
	cache_value_release(small);
}

/* Keys that share a place and a scope go together; those of another scope stay. */
Test(value_cache, forgets_a_place_in_one_scope)
{
	static const unsigned keys[] = {7, 307, 607, 107}; /* the last one of scope "c" */
	struct cache_value *value = make_value(10);
	struct value_cache_key key;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		key = key_of(keys[i]);
		cr_assert(value_cache_add(&cache, &key, value, 0));
	}
	cache_value_release(value);
	key = key_of(7);
	value_cache_forget(&cache, key.place, key.scope);
	cr_expect_eq(cache.entry_count, 1);
	cr_expect(find(107));
	value_cache_forget(&cache, key.place, key.scope);
	cr_expect_eq(cache.entry_count, 1);
}

Test(value_cache, an_empty_one_finds_and_forgets_nothing)
{
	cr_expect_null(find(1));
	value_cache_forget(&cache, 1, SLICE("a"));
	value_cache_clear(&cache);
	cr_expect_null(find(1));
}
