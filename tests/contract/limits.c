/* What counts against the limits of a namespace, and what a set does if there is no room. */
#include <stdio.h>
#include <sys/stat.h>

#include "tests/contract/support.h"

static const struct cache_condition if_present = {.kind = CONDITION_PRESENT};
static const struct cache_condition if_absent = {.kind = CONDITION_ABSENT};

static struct cache_item typed_item(struct slice key, struct slice value, const char *type)
{
	return (struct cache_item){
		.key = key,
		.value = cache_value_copy(value, slice_of(type)),
		.ttl_s = TTL_DEFAULT,
	};
}

/* ---- What counts ---- */

CONTRACT_TEST_OF(BACKEND_STATS, limits, key_type_size_and_overhead_count)
{
	struct cache_item item = typed_item(SLICE("key"), SLICE("12345"), "image/png");

	(void)set_item(f, NS, &item);
	cr_expect_eq(stats(f).used_bytes, 3 + 9 + 5 + 128);
	item = typed_item(SLICE("key"), SLICE("12345"), "application/x-of-its-own");
	item.size_bytes = 100;
	(void)set_item(f, NS, &item);
	cr_expect_eq(stats(f).used_bytes, 3 + 24 + 100 + 128);
	item = typed_item(SLICE(""), SLICE(""), "");
	(void)set_item(f, NS, &item);
	cr_expect_eq(stats(f).used_bytes, 255 + 24 + 128, "no type is the default one");
	cr_expect_eq(stats(f).total_size_bytes, 100);
	(void)delete_key(f, SLICE("key"));
	cr_expect_eq(stats(f).used_bytes, 24 + 128);
	clear(f, SLICE(""));
	cr_expect_eq(stats(f).used_bytes, 0);
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_EXACT_EVICTION, limits, key_beyond_the_limit_is_refused)
{
	const size_t room = 100000 - used_by(SLICE(""), 0);

	if (f->is_remote)
		return; /* the Worker does not accept such keys */
	struct slice key = make_bytes(room + 1, 1);
	set_max_size(f, 100000);
	(void)set(f, SLICE("kept"), SLICE("v"));
	cr_expect_eq(set(f, key, SLICE("")), CACHE_TOO_LARGE);
	cr_expect(exists(f, SLICE("kept")));
	cr_expect_eq(set(f, (struct slice){key.data, room}, SLICE("")), CACHE_OK);
	cr_expect_eq(stats(f).used_bytes, 100000);
	cr_expect_eq(stats(f).entry_count, 1);
	free_bytes(key);
}

/* The size of SQLite's file, with everything in it. */
static int64_t file_bytes(struct fixture *f)
{
	char path[sizeof(f->dir.path) + 32];
	struct stat status;
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_SYNC);
	cr_assert_eq(backend_call(f->backend, &op), CACHE_OK);
	(void)snprintf(path, sizeof(path), "%s/steadycache.db", f->dir.path);
	cr_assert_eq(stat(path, &status), 0);
	return (int64_t)status.st_size;
}

/* Even if the values are tiny. */
CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_EXACT_EVICTION, limits,
		 long_keys_do_not_get_past_the_limit)
{
	const unsigned count = rounds_of(f, 1500, 600);
	struct slice padding = make_bytes(4000, 1);

	set_max_size(f, MIB);
	for (unsigned i = 0; i < count; i++) {
		char key[4100];
		int len = snprintf(key, sizeof(key), "%u/", i);

		memcpy(key + len, padding.data, padding.len);
		cr_assert_eq(set(f, (struct slice){key, (size_t)len + padding.len}, SLICE("")),
			     CACHE_OK);
	}
	struct namespace_stats now = stats(f);
	cr_expect_leq(now.used_bytes, MIB);
	cr_expect_leq(now.entry_count, MIB / 4128);
	cr_expect_geq(now.entry_count, f->is_remote ? 1 : MIB / 5 * 4 / 4170);
	cr_expect_eq(now.total_size_bytes, 0);
	free_bytes(padding);
	if (f->ops == &sqlite_backend_ops)
		cr_expect_lt(file_bytes(f), 2 * MIB);
}

/* ---- The accounts, against a model ---- */

#define KEYS 60

struct model {
	struct {
		bool exists;
		uint64_t used;
	} entries[KEYS];
};

static struct slice key_of(size_t i)
{
	static char bytes[KEYS + 8];

	(void)snprintf(bytes, sizeof(bytes), "%s%02zu", i % 3 == 0 ? "a/" : "b/", i);
	memset(bytes + 4, 'x', i); /* each of a different length */
	return (struct slice){bytes, 4 + i};
}

static struct cache_item random_item(size_t i, uint64_t *random, struct cache_history *history)
{
	static const char *const types[] = {"", CONTENT_TYPE_TEXT, "image/png", "text/x-mine"};
	struct slice value = make_bytes(next_random(random) % 300, (unsigned)i);
	struct cache_item item = typed_item(key_of(i), value, types[next_random(random) % 4]);

	free_bytes(value);
	if (next_random(random) % 3 == 0)
		item.size_bytes = next_random(random) % 1000;
	if (next_random(random) % 4 == 0)
		item.ttl_s = 1 + next_random(random) % 50;
	if (next_random(random) % 5 == 0) {
		*history = (struct cache_history){
			.frequency = next_random(random) % 9,
			.created_at_us = START_US - next_random(random),
			.last_access_us = START_US - next_random(random),
			.expires_at_us = HISTORY_TTL,
		};
		item.history = history;
	}
	return item;
}

static uint64_t used_of(const struct cache_item *item)
{
	uint64_t len = cache_value_bytes(item->value).len;

	return cache_used_bytes(item->key.len, strlen(cache_value_content_type(item->value)),
				item->size_bytes > len ? item->size_bytes : len);
}

static void random_step(struct fixture *f, struct model *model, uint64_t *random)
{
	size_t i = next_random(random) % KEYS;
	unsigned dice = next_random(random) % 100;
	struct cache_history history;

	advance_us(f, next_random(random) % (2 * US_PER_S));
	if (dice < 60) {
		struct cache_item item = random_item(i, random, &history);
		uint64_t used = used_of(&item);

		cr_assert_eq(set_item(f, NS, &item), CACHE_OK);
		model->entries[i].exists = true;
		model->entries[i].used = used;
	} else if (dice < 80) {
		cache_value_release(get(f, key_of(i)));
	} else if (dice < 98) {
		(void)delete_key(f, key_of(i));
		model->entries[i].exists = false;
	} else {
		clear(f, SLICE("a/"));
		for (size_t k = 0; k < KEYS; k += 3)
			model->entries[k].exists = false;
	}
}

/* Compares the accounts with the existing entries, after the expired ones are gone. */
static bool agrees(struct fixture *f, const struct model *model)
{
	struct namespace_stats now = stats(f);
	uint64_t used = 0;
	uint64_t count = 0;

	for (size_t i = 0; i < KEYS; i++) {
		if (!model->entries[i].exists || !exists(f, key_of(i)))
			continue;
		used += model->entries[i].used;
		count++;
	}
	return now.used_bytes == used && now.entry_count == count;
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_EXACT_EVICTION | BACKEND_STALE | BACKEND_HISTORY |
			 BACKEND_PREFIX_CLEAR,
		 limits, accounts_are_those_of_the_entries_whatever_happens)
{
	struct model model = {0};
	uint64_t random = 20;
	unsigned waited_ms = 0;

	set_max_size(f, 0);
	for (int stale = 0; stale < 2; stale++) {
		struct namespace_settings settings = {.stale_ttl_s = stale ? 5 : 0};

		cr_assert_eq(configure(f, SETTING_STALE_TTL, settings), CACHE_OK);
		for (unsigned i = 0; i < rounds_of(f, 4000, 400); i++)
			random_step(f, &model, &random);
		advance_s(f, 100);
		while (!agrees(f, &model) && wait_a_moment(&waited_ms))
			;
		cr_expect(agrees(f, &model));
	}
	/* Evicting and clearing subtract what setting added. */
	for (enum eviction_policy policy = EVICT_FRECENCY; policy <= EVICT_FIFO; policy++) {
		set_policy(f, policy);
		set_max_size(f, 20000);
		for (unsigned i = 0; i < rounds_of(f, 600, 100); i++) {
			random_step(f, &model, &random);
			cr_assert_leq(stats(f).used_bytes, 20000);
		}
	}
	for (size_t i = 0; i < KEYS / 2; i++)
		(void)delete_key(f, key_of(i));
	set_capacity(f, 3);
	for (size_t i = KEYS / 2; i < KEYS; i++)
		(void)delete_key(f, key_of(i));
	while (stats(f).used_bytes != 0 && wait_a_moment(&waited_ms))
		;
	cr_expect_eq(stats(f).used_bytes, 0);
	cr_expect_eq(stats(f).total_size_bytes, 0);
	cr_expect_eq(stats(f).entry_count, 0);
}

CONTRACT_TEST_OF(BACKEND_STATS, limits, accounts_are_there_again_after_a_reopen)
{
	if (!f->persists)
		return;
	(void)set(f, SLICE("a"), SLICE("12345"));
	(void)set_sized(f, SLICE("b"), 1000);
	uint64_t used = stats(f).used_bytes;
	fixture_reopen(f);
	cr_expect_eq(stats(f).used_bytes, used);
	cr_expect_eq(used, 2 * used_by(SLICE("a"), 0) + 1005);
}

/* Expired entries of many other namespaces are removed while one set makes room. */
CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_EXACT_EVICTION, limits, room_is_made_among_many_namespaces)
{
	const unsigned others = rounds_of(f, 60, 60);

	set_max_size(f, 10000);
	(void)set_used(f, SLICE("old"), 6000);
	for (unsigned i = 0; i < others; i++) {
		struct cache_item item = item_of(SLICE("key"), SLICE("v"));

		item.ttl_s = 5;
		cr_assert_eq(set_item(f, text("other%u", i), &item), CACHE_OK);
	}
	advance_s(f, 10);
	cr_expect_eq(set_used(f, SLICE("new"), 7000), CACHE_OK);
	struct namespace_stats now = stats(f);
	cr_expect_eq(now.used_bytes, 7000);
	cr_expect_eq(now.entry_count, 1);
	cr_expect_eq(now.evictions, 1);
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_EXACT_EVICTION, limits,
		 shrinking_takes_what_has_expired_first)
{
	set_policy(f, EVICT_FIFO);
	for (unsigned i = 0; i < 10; i++) {
		(void)set_used(f, text("live%u", i), 1000);
		advance_us(f, 1);
	}
	for (unsigned i = 0; i < 10; i++) {
		struct cache_item item = item_of(text("expired%u", i), SLICE("v"));

		item.ttl_s = 5;
		item.size_bytes = size_using(item.key, 1000);
		(void)set_item(f, NS, &item);
	}
	advance_s(f, 6);
	set_max_size(f, 10000);
	struct namespace_stats now = stats(f);
	cr_expect_eq(now.entry_count, 10);
	cr_expect_eq(now.evictions, 0);
	cr_expect_eq(now.expirations, 10);
}

/* ---- Capacity 0 ---- */

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_EXACT_EVICTION, limits,
		 set_at_capacity_zero_removes_what_was_there)
{
	for (enum eviction_policy policy = EVICT_FRECENCY; policy <= EVICT_NONE; policy++) {
		set_capacity(f, CAPACITY_UNLIMITED);
		set_policy(f, EVICT_NONE);
		(void)set(f, SLICE("key"), SLICE("old"));
		(void)set(f, SLICE("other"), SLICE("old"));
		set_capacity(f, 0);
		bool stays = holds(f, SLICE("key"), SLICE("old"));
		cr_expect(stays, "none evicts nothing");
		set_policy(f, policy);
		stays = policy == EVICT_NONE;

		struct cache_item item = item_of(SLICE("key"), SLICE("new"));
		cr_expect_eq(set_item(f, NS, &item), CACHE_OK);
		cr_expect_eq(item.created, !stays, "%s", eviction_policy_name(policy));
		cr_expect_not(exists(f, SLICE("key")), "%s", eviction_policy_name(policy));
		cr_expect_eq(exists(f, SLICE("other")), stays);
		cr_expect_eq(stats(f).entry_count, stays);
		clear(f, SLICE(""));
		cr_expect_eq(stats(f).used_bytes, 0);
	}
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_EXACT_EVICTION | BACKEND_STALE, limits,
		 batch_at_capacity_zero_removes_what_was_there)
{
	struct cache_item items[3] = {
		item_of(SLICE("a"), SLICE("new")),
		item_of(SLICE("b"), SLICE("new")),
		item_of(SLICE("stale"), SLICE("new")),
	};
	struct namespace_settings settings = {.stale_ttl_s = 100};
	struct cache_op op;

	set_policy(f, EVICT_NONE);
	cr_assert_eq(configure(f, SETTING_STALE_TTL, settings), CACHE_OK);
	(void)set(f, SLICE("a"), SLICE("old"));
	(void)set(f, SLICE("c"), SLICE("old"));
	(void)set_with_ttl(f, SLICE("stale"), SLICE("old"), 5);
	advance_s(f, 6);
	set_capacity(f, 0);
	struct namespace_stats before = stats(f);
	cache_op_init(&op, CACHE_OP_SET);
	op.ns = NS;
	op.items = items;
	op.item_count = 3;
	cr_expect_eq(backend_call(f->backend, &op), CACHE_OK);
	cr_expect_not(items[0].created);
	cr_expect(items[1].created);
	cr_expect(items[2].created, "what has expired is no live entry");
	cache_op_deinit(&op);
	for (size_t i = 0; i < 3; i++)
		cache_value_release(items[i].value);
	struct namespace_stats now = stats(f);
	cr_expect_eq(now.entry_count, 1);
	cr_expect_eq(now.used_bytes, used_by(SLICE("c"), 3));
	cr_expect_eq(now.sets, before.sets, "nothing was stored");
	cr_expect_eq(now.evictions, before.evictions + 1);
	cr_expect_eq(now.expirations, before.expirations + 1);
}

CONTRACT_TEST_OF(BACKEND_EXACT_EVICTION, limits, what_is_set_at_capacity_zero_is_not_served)
{
	struct cache_value *value = make_value(SLICE("v"));
	struct cache_op op;

	set_capacity(f, 0);
	cache_op_init(&op, CACHE_OP_SET);
	op.ns = NS;
	op.one.key = SLICE("key");
	op.one.value = value;
	cr_expect_eq(backend_call(f->backend, &op), CACHE_OK);
	cr_expect_eq(value->modified_at_us, 0, "a cache in front is told by this");
	cr_expect_null(get(f, SLICE("key")));
	cache_value_release(value);
}

CONTRACT_TEST_OF(BACKEND_EXACT_EVICTION | BACKEND_CONDITIONS, limits,
		 conditions_are_judged_before_capacity_zero)
{
	set_policy(f, EVICT_NONE);
	(void)set(f, SLICE("key"), SLICE("v"));
	set_capacity(f, 0);
	cr_expect_eq(set_if(f, SLICE("absent"), SLICE("w"), if_present), CACHE_PRECONDITION_FAILED);
	cr_expect_eq(set_if(f, SLICE("key"), SLICE("w"), if_absent), CACHE_PRECONDITION_FAILED);
	cr_expect(holds(f, SLICE("key"), SLICE("v")), "what was refused has changed nothing");
	cr_expect_eq(set_if(f, SLICE("absent"), SLICE("w"), if_absent), CACHE_OK);
	cr_expect_eq(set_if(f, SLICE("key"), SLICE("w"), if_present), CACHE_OK);
	cr_expect_not(exists(f, SLICE("key")));
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_EXACT_EVICTION, limits,
		 nothing_is_measured_at_capacity_zero)
{
	set_max_size(f, 1000);
	set_capacity(f, 0);
	cr_expect_eq(set_sized(f, SLICE("key"), 5000), CACHE_OK);
	cr_expect_eq(stats(f).entry_count, 0);
}

/* ---- Eviction none ---- */

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_EXACT_EVICTION, limits,
		 none_takes_what_does_not_grow_beyond_the_limit)
{
	set_policy(f, EVICT_NONE);
	set_max_size(f, 10000);
	for (unsigned i = 0; i < 4; i++)
		(void)set_used(f, text("%u", i), 2500);
	set_max_size(f, 5000);
	cr_expect_eq(stats(f).used_bytes, 10000, "none evicts nothing");
	cr_expect_eq(set_used(f, SLICE("0"), 2501), CACHE_NO_SPACE);
	cr_expect_eq(set_used(f, SLICE("new"), 200), CACHE_NO_SPACE);
	cr_expect_eq(set_used(f, SLICE("0"), 2500), CACHE_OK);
	cr_expect_eq(set_used(f, SLICE("0"), 1000), CACHE_OK);
	cr_expect_eq(set_used(f, SLICE("0"), 1001), CACHE_NO_SPACE, "still over the limit");
	cr_expect_eq(set_used(f, SLICE("0"), 5001), CACHE_TOO_LARGE, "alone it is too large");
	cr_expect_eq(stats(f).used_bytes, 8500);
	(void)delete_key(f, SLICE("1"));
	(void)delete_key(f, SLICE("2"));
	cr_expect_eq(set_used(f, SLICE("0"), 2500), CACHE_OK);
	cr_expect_eq(stats(f).used_bytes, 5000);
	cr_expect_eq(stats(f).evictions, 0);
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_EXACT_EVICTION, limits,
		 none_takes_overwrites_beyond_the_capacity)
{
	set_policy(f, EVICT_NONE);
	for (unsigned i = 0; i < 4; i++)
		(void)set(f, text("%u", i), SLICE("v"));
	set_capacity(f, 2);
	cr_expect_eq(set(f, SLICE("0"), SLICE("longer than before")), CACHE_OK);
	cr_expect_eq(set(f, SLICE("new"), SLICE("v")), CACHE_NO_SPACE);
	cr_expect_eq(stats(f).entry_count, 4);
}

/* ---- Ties ---- */

static void run_batch(struct fixture *f, enum cache_op_type type, const char *const keys[4])
{
	struct cache_item items[4];
	struct cache_op op;

	for (size_t i = 0; i < 4; i++) {
		items[i] = item_of(slice_of(keys[i]), SLICE("v"));
		if (type != CACHE_OP_SET) {
			cache_value_release(items[i].value);
			items[i].value = NULL;
		}
	}
	cache_op_init(&op, type);
	op.ns = NS;
	op.items = items;
	op.item_count = 4;
	cr_assert_eq(backend_call(f->backend, &op), CACHE_OK);
	cache_op_deinit(&op);
	for (size_t i = 0; i < 4 && type == CACHE_OP_SET; i++)
		cache_value_release(items[i].value);
}

/* Of the keys of one batch the later is the more recent, whichever was created first. */
CONTRACT_TEST_OF(BACKEND_EXACT_EVICTION, limits, lru_takes_the_keys_of_a_batch_in_their_order)
{
	static const char *const orders[][4] = {
		{"a", "b", "c", "d"},
		{"d", "c", "b", "a"},
		{"c", "a", "d", "b"},
	};

	if (f->is_tiered)
		return; /* hits in the near cache are no uses of the backend */
	set_policy(f, EVICT_LRU);
	for (size_t i = 0; i < 2 * sizeof(orders) / sizeof(orders[0]); i++) {
		const char *const *order = orders[i / 2];

		set_capacity(f, CAPACITY_UNLIMITED);
		run_batch(f, CACHE_OP_SET, orders[0]);
		run_batch(f, i % 2 ? CACHE_OP_SET : CACHE_OP_GET, order);
		for (size_t kept = 3; kept > 0; kept--) {
			set_capacity(f, (int64_t)kept);
			for (size_t k = 0; k < 4; k++)
				cr_expect_eq(exists(f, slice_of(order[k])), k >= 4 - kept,
					     "round %zu: %s with room for %zu", i, order[k], kept);
		}
	}
}
