/* Sets with a history, and the listing that an export uses. */
#include <pthread.h>
#include <stdio.h>

#include "tests/contract/support.h"

static enum cache_status set_with_history(struct fixture *f, struct slice key, struct slice value,
					  struct cache_history history)
{
	struct cache_item item = item_of(key, value);

	item.history = &history;
	return set_item(f, NS, &item);
}

/* The entry of `key` as a listing reports it, without its key. */
static struct cache_entry_info info_of(struct fixture *f, struct slice key)
{
	struct cache_op op;

	scan(f, &op, key, NULL, 1);
	cr_assert_eq(op.entry_count, 1);
	cr_assert(slice_equal(op.entries[0].key, key));
	struct cache_entry_info info = op.entries[0];
	info.key = (struct slice){0};
	cache_op_deinit(&op);
	return info;
}

static void expect_history(struct fixture *f, struct slice key, struct cache_history expected)
{
	struct cache_entry_info info = info_of(f, key);

	cr_expect_eq(info.frequency, expected.frequency, "frequency %lu",
		     (unsigned long)info.frequency);
	cr_expect_eq(info.created_at_us, expected.created_at_us, "created %ld",
		     (long)info.created_at_us);
	cr_expect_eq(info.last_access_us, expected.last_access_us, "last access %ld",
		     (long)info.last_access_us);
	cr_expect_eq(info.expires_at_us, expected.expires_at_us, "expires %ld",
		     (long)info.expires_at_us);
}

static const struct cache_history past = {
	.frequency = 7,
	.created_at_us = START_US - 5000000123,
	.last_access_us = START_US - 77,
	.expires_at_us = START_US + 3000000001,
};

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_ORDERED_SCAN | BACKEND_HISTORY, history,
		 of_a_new_entry_is_kept)
{
	cr_assert_eq(set_with_history(f, SLICE("key"), SLICE("v"), past), CACHE_OK);
	expect_history(f, SLICE("key"), past);
	struct cache_value *value = get_untouched(f, SLICE("key"));
	cr_assert_not_null(value);
	cr_expect_eq(value->expires_at_us, past.expires_at_us);
	cache_value_release(value);
	if (f->bits & BACKEND_USES) {
		cr_expect_eq(stats(f).max_frequency, 7);
		cr_expect_float_eq(stats(f).avg_frequency, 7, 1e-9);
	}
	advance_us(f, past.expires_at_us - START_US);
	cr_expect_not(exists(f, SLICE("key")));
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_ORDERED_SCAN | BACKEND_HISTORY, history,
		 replaces_that_of_an_entry)
{
	struct cache_history never = past;

	(void)set_with_ttl(f, SLICE("key"), SLICE("old"), 5);
	(void)set(f, SLICE("other"), SLICE("v"));
	use(f, SLICE("key"), 3);
	never.expires_at_us = 0;
	cr_assert_eq(set_with_history(f, SLICE("key"), SLICE("new value"), never), CACHE_OK);
	expect_history(f, SLICE("key"), never);
	cr_expect(holds(f, SLICE("key"), SLICE("new value")));
	cr_expect_eq(stats(f).entry_count, 2);
	if (f->bits & BACKEND_USES)
		cr_expect_float_eq(stats(f).avg_frequency, 4, 1e-9);
	advance_s(f, 10);
	cr_expect(exists(f, SLICE("key")));
	/* From here on it behaves like any other. */
	(void)set(f, SLICE("key"), SLICE("newer"));
	cr_expect_eq(info_of(f, SLICE("key")).frequency, 8);
	cr_expect_eq(info_of(f, SLICE("key")).created_at_us, never.created_at_us);
}

CONTRACT_TEST_OF(BACKEND_ORDERED_SCAN | BACKEND_HISTORY, history, replaces_an_equal_looking_one)
{
	struct cache_history young = {
		.frequency = 1, .created_at_us = START_US - 1, .last_access_us = START_US};

	(void)set(f, SLICE("key"), SLICE("old"));
	use(f, SLICE("key"), 2);
	cr_assert_eq(set_with_history(f, SLICE("key"), SLICE("new"), young), CACHE_OK);
	expect_history(f, SLICE("key"), young);
}

CONTRACT_TEST_OF(BACKEND_ORDERED_SCAN | BACKEND_HISTORY, history, may_leave_all_to_the_backend)
{
	struct namespace_settings settings = {.default_ttl_s = 9};
	struct cache_history empty = {.expires_at_us = HISTORY_TTL};

	cr_assert_eq(configure(f, SETTING_DEFAULT_TTL, settings), CACHE_OK);
	cr_assert_eq(set_with_history(f, SLICE("key"), SLICE("v"), empty), CACHE_OK);
	struct cache_entry_info info = info_of(f, SLICE("key"));
	cr_expect_eq(info.frequency, 1);
	cr_expect_eq(info.last_access_us, START_US);
	cr_expect_leq(START_US - info.created_at_us, 1);
	cr_expect_eq(info.expires_at_us, START_US + 9 * US_PER_S);
}

CONTRACT_TEST_OF(BACKEND_HISTORY, history, of_nonsense_is_refused)
{
	struct cache_history bad = past;

	bad.created_at_us = -1;
	cr_expect_eq(set_with_history(f, SLICE("key"), SLICE("v"), bad), CACHE_INVALID);
	bad = past;
	bad.frequency = (uint64_t)HISTORY_MAX_FREQUENCY + 1;
	cr_expect_eq(set_with_history(f, SLICE("key"), SLICE("v"), bad), CACHE_INVALID);
	bad = past;
	bad.last_access_us = HISTORY_MAX_US + 1;
	cr_expect_eq(set_with_history(f, SLICE("key"), SLICE("v"), bad), CACHE_INVALID);
	cr_expect_not(exists(f, SLICE("key")));
}

/* ---- Eviction ---- */

#define ENTRIES 24

/* Sets ENTRIES in an order other than that of their histories; entry i is the i-th to be
 * evicted. */
static void set_scattered(struct fixture *f, struct cache_history (*history_of)(unsigned i))
{
	struct cache_history histories[ENTRIES];
	struct cache_item items[ENTRIES];
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_SET);
	op.ns = NS;
	op.items = items;
	op.item_count = ENTRIES;
	for (unsigned i = 0; i < ENTRIES; i++) {
		unsigned which = i * 7 % ENTRIES;
		char key[8];

		(void)snprintf(key, sizeof(key), "%02u", which);
		items[i] = item_of(text("%s", key), SLICE("v"));
		char *copy = malloc(2);
		memcpy(copy, key, 2);
		items[i].key = (struct slice){.data = copy, .len = 2};
		histories[i] = history_of(which);
		items[i].history = &histories[i];
	}
	cr_assert_eq(backend_call(f->backend, &op), CACHE_OK);
	cr_expect_eq(op.history_lost, 0);
	cache_op_deinit(&op);
	for (unsigned i = 0; i < ENTRIES; i++) {
		free((void *)(uintptr_t)items[i].key.data);
		cache_value_release(items[i].value);
	}
}

static void expect_order(struct fixture *f, enum eviction_policy policy,
			 struct cache_history (*history_of)(unsigned i))
{
	set_policy(f, policy);
	set_scattered(f, history_of);
	for (unsigned left = ENTRIES; left > 0; left -= 6) {
		struct cache_op op;

		set_capacity(f, left);
		scan(f, &op, SLICE(""), NULL, ENTRIES);
		cr_assert_eq(op.entry_count, left);
		for (unsigned i = 0; i < left; i++)
			cr_expect(slice_equal(op.entries[i].key, text("%02u", ENTRIES - left + i)),
				  "%s, %u left: %.*s is there", eviction_policy_name(policy), left,
				  (int)op.entries[i].key.len, op.entries[i].key.data);
		cache_op_deinit(&op);
	}
}

/* The score is frequency / (1 + age in seconds). */
static struct cache_history by_frecency(unsigned i)
{
	static const unsigned ages_s[] = {4000, 300, 20, 1};

	return (struct cache_history){
		.frequency = 1 + i % 6,
		.created_at_us = START_US - (int64_t)(100 + i) * US_PER_S * 1000,
		.last_access_us = START_US - (int64_t)ages_s[i / 6] * US_PER_S,
	};
}

static struct cache_history by_access(unsigned i)
{
	return (struct cache_history){
		.frequency = 1 + i * 5 % 7,
		.created_at_us = START_US - (int64_t)(1 + i * 11 % 13) * US_PER_S * 1000,
		.last_access_us = START_US - (int64_t)(ENTRIES - i) * 1001,
	};
}

static struct cache_history by_creation(unsigned i)
{
	return (struct cache_history){
		.frequency = 1 + i * 5 % 7,
		.created_at_us = START_US - (int64_t)(ENTRIES - i) * 1001,
		.last_access_us = START_US - (int64_t)(1 + i * 11 % 13) * 10,
	};
}

CONTRACT_TEST_OF(BACKEND_EXACT_EVICTION | BACKEND_ORDERED_SCAN | BACKEND_HISTORY, history,
		 orders_eviction_by_frecency)
{
	expect_order(f, EVICT_FRECENCY, by_frecency);
}

CONTRACT_TEST_OF(BACKEND_EXACT_EVICTION | BACKEND_ORDERED_SCAN | BACKEND_HISTORY, history,
		 orders_eviction_by_last_access)
{
	expect_order(f, EVICT_LRU, by_access);
}

CONTRACT_TEST_OF(BACKEND_EXACT_EVICTION | BACKEND_ORDERED_SCAN | BACKEND_HISTORY, history,
		 orders_eviction_by_creation)
{
	expect_order(f, EVICT_FIFO, by_creation);
}

/* ---- Listings in any order ---- */

struct pages {
	struct slice after; /* malloc'ed */
	bool has_after, complete;
};

/* Gets the next page; the caller deinits the op. */
static void scan_any(struct fixture *f, struct cache_op *op, struct pages *pages,
		     struct slice prefix, size_t limit, size_t max_key_bytes)
{
	cache_op_init(op, CACHE_OP_SCAN);
	op->ns = NS;
	op->prefix = prefix;
	op->limit = limit;
	op->max_key_bytes = max_key_bytes;
	op->any_order = true;
	op->has_after = pages->has_after;
	op->after = pages->after;
	cr_assert_eq(backend_call(f->backend, op), CACHE_OK);
	cr_assert_leq(op->entry_count, limit);
	pages->complete = op->complete;
	if (op->entry_count == 0)
		return;
	struct slice last = op->entries[op->entry_count - 1].key;
	char *copy = malloc(last.len + 1);
	memcpy(copy, last.data, last.len);
	free((void *)(uintptr_t)pages->after.data);
	pages->after = (struct slice){.data = copy, .len = last.len};
	pages->has_after = true;
}

CONTRACT_TEST_OF(BACKEND_ORDERED_SCAN, any_order, meets_each_entry_once)
{
	unsigned count = rounds_of(f, 3000, 300);

	for (unsigned i = 0; i < count; i++)
		(void)set(f, text("%s-%05u", i % 3 ? "a" : "b", i), SLICE("v"));
	for (size_t limit = 1; limit <= 1000; limit *= 31) {
		struct pages pages = {0};
		unsigned *seen = calloc(count, sizeof(*seen));
		unsigned met = 0;

		while (!pages.complete && (limit > 1 || met < 50)) {
			struct cache_op op;

			scan_any(f, &op, &pages, SLICE("a-"), limit, 0);
			for (size_t i = 0; i < op.entry_count; i++) {
				unsigned long n = strtoul(
					text("%.5s", op.entries[i].key.data + 2).data, NULL, 10);

				cr_assert_lt(n, count);
				cr_assert_eq(seen[n]++, 0, "%lu twice", n);
				met++;
			}
			cache_op_deinit(&op);
		}
		if (pages.complete)
			cr_expect_eq(met, count - (count + 2) / 3);
		free(seen);
		free((void *)(uintptr_t)pages.after.data);
	}
}

/* Keys with three prefixes that are longer than what an index holds of a key, and short keys among
 * them: pages end and begin among keys with equal beginnings. */
CONTRACT_TEST_OF(BACKEND_ORDERED_SCAN, any_order, meets_keys_that_begin_alike_once)
{
	enum { EACH = 40 };
	static const struct slice prefixes[] = {SLICE(""), SLICE("b"), SLICE("bbbbbbbb")};
	char beginning[3][101] = {0};

	for (unsigned i = 0; i < 3; i++)
		memset(beginning[i], 'a' + (int)i, 100);
	for (unsigned n = 0; n < EACH; n++) {
		for (unsigned i = 0; i < 3; i++)
			(void)set(f, text("%s%03u", beginning[i], n), SLICE("v"));
		(void)set(f, text("%c%03u", 'a' + (int)(n % 3), n), SLICE("v"));
	}
	for (size_t limit = 1; limit <= 343; limit *= 7) {
		for (size_t p = 0; p < sizeof(prefixes) / sizeof(prefixes[0]); p++) {
			struct pages pages = {0};
			unsigned seen[3][EACH] = {0}, met = 0;

			while (!pages.complete) {
				struct cache_op op;

				scan_any(f, &op, &pages, prefixes[p], limit, 0);
				for (size_t i = 0; i < op.entry_count; i++) {
					struct slice key = op.entries[i].key;

					met++;
					if (key.len < 100)
						continue;
					unsigned long n = strtoul(text("%.3s", key.data + 100).data,
								  NULL, 10);
					cr_assert_eq(seen[key.data[0] - 'a'][n]++, 0, "%lu twice",
						     n);
				}
				cache_op_deinit(&op);
			}
			cr_expect_eq(met,
				     p == 0   ? 4 * EACH
				     : p == 1 ? EACH + EACH / 3
					      : EACH,
				     "limit %zu, prefix %zu: %u", limit, p, met);
			free((void *)(uintptr_t)pages.after.data);
		}
	}
}

CONTRACT_TEST_OF(BACKEND_ORDERED_SCAN, any_order, ends_where_the_keys_have_many_bytes)
{
	struct pages pages = {0};
	size_t met = 0, page_count = 0;

	for (unsigned i = 0; i < 20; i++)
		(void)set(f, text("%0100u", i), SLICE("v"));
	for (; !pages.complete; page_count++) {
		struct cache_op op;

		scan_any(f, &op, &pages, SLICE(""), 1000, 450);
		if (!f->is_remote)
			cr_expect_leq(op.entry_count, 5);
		met += op.entry_count;
		cache_op_deinit(&op);
	}
	cr_expect_eq(met, 20);
	if (!f->is_remote)
		cr_expect_geq(page_count, 4);
	free((void *)(uintptr_t)pages.after.data);
}

#define STAYING 400

struct churn {
	struct fixture *f;
	atomic_bool stop;
};

/* Adds and removes so many keys that a table grows and shrinks meanwhile. */
static void *churn(void *arg)
{
	struct churn *churn = arg;
	unsigned wave = rounds_of(churn->f, 4000, 40);

	while (!atomic_load(&churn->stop)) {
		for (unsigned i = 0; i < wave && !atomic_load(&churn->stop); i++)
			(void)set(churn->f, text("churn %u", i), SLICE("v"));
		clear(churn->f, SLICE("churn"));
	}
	return NULL;
}

CONTRACT_TEST_OF(BACKEND_ORDERED_SCAN, any_order, is_stable_under_concurrent_writes)
{
	struct churn writer = {.f = f};
	unsigned staying = rounds_of(f, STAYING, 100);
	pthread_t thread;

	for (unsigned i = 0; i < staying; i++)
		(void)set(f, text("stays %05u", i), SLICE("v"));
	cr_assert_eq(pthread_create(&thread, NULL, churn, &writer), 0);
	for (unsigned round = 0; round < 5; round++) {
		unsigned seen[STAYING] = {0};
		struct pages pages = {0};

		while (!pages.complete) {
			struct cache_op op;

			scan_any(f, &op, &pages, SLICE(""), 37, 0);
			for (size_t i = 0; i < op.entry_count; i++)
				if (slice_starts_with(op.entries[i].key, SLICE("stays ")))
					seen[strtoul(text("%.5s", op.entries[i].key.data + 6).data,
						     NULL, 10)]++;
			cache_op_deinit(&op);
		}
		for (unsigned i = 0; i < staying; i++)
			cr_assert_eq(seen[i], 1, "key %u was met %u times", i, seen[i]);
		free((void *)(uintptr_t)pages.after.data);
	}
	atomic_store(&writer.stop, true);
	(void)pthread_join(thread, NULL);
}
