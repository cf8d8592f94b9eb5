/* Listings (SCAN): order, prefixes, pages, and entries that are added and removed meanwhile. */
#include <pthread.h>
#include <stdio.h>

#define CONTRACT_NEEDS BACKEND_ORDERED_SCAN
#include "tests/contract/support.h"

static void expect_keys(struct cache_op *op, const struct slice *keys, size_t count)
{
	cr_assert_eq(op->entry_count, count);
	for (size_t i = 0; i < count; i++)
		cr_expect(slice_equal(op->entries[i].key, keys[i]), "key %zu", i);
}

static int compare_slices(const void *a, const void *b)
{
	return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

/* What a listing tells of the version is what a GET tells, or nothing. */
CONTRACT_TEST(listing, tells_the_version)
{
	struct cache_op op;

	cr_assert_eq(set(f, SLICE("key"), SLICE("old")), CACHE_OK);
	f->now_us += 5 * US_PER_S;
	cr_assert_eq(set(f, SLICE("key"), SLICE("text")), CACHE_OK);
	struct cache_value *value = get(f, SLICE("key"));
	cr_assert_not_null(value);
	scan(f, &op, SLICE(""), NULL, 10);
	cr_assert_eq(op.entry_count, 1);
	cr_expect(op.entries[0].modified_at_us == 0 ||
		  op.entries[0].modified_at_us == value->modified_at_us);
	cr_expect(op.entries[0].flags == 0 ||
		  op.entries[0].flags == (value->flags & CACHE_VALUE_STORED));
	cache_op_deinit(&op);
	cache_value_release(value);
}

CONTRACT_TEST(listing, is_in_byte_order)
{
	static const struct slice sorted[] = {
		{.data = "", .len = 0},
		SLICE("\0"),
		SLICE("\0\0"),
		SLICE("\0\1"),
		SLICE("A"),
		SLICE("a"),
		SLICE("a\0"),
		SLICE("a\0b"),
		SLICE("aa"),
		SLICE("b"),
		SLICE("\x7f"),
		SLICE("\x80"),
		SLICE("\xc3\xa4"),
		SLICE("\xff"),
		SLICE("\xff\0"),
		SLICE("\xff\xff"),
	};
	const size_t count = sizeof(sorted) / sizeof(sorted[0]);
	struct cache_op op;

	for (size_t i = 0; i < count; i++)
		cr_assert_eq(set(f, sorted[(i * 7 + 3) % count], SLICE("v")), CACHE_OK);
	scan(f, &op, SLICE(""), NULL, 1000);
	expect_keys(&op, sorted, count);
	cr_expect(op.complete);
	cache_op_deinit(&op);

	/* Every page size, every start. */
	for (size_t limit = 1; limit <= count + 1; limit++) {
		size_t at = 0;

		do {
			scan(f, &op, SLICE(""), at > 0 ? &sorted[at - 1] : NULL, limit);
			expect_keys(&op, &sorted[at], limit < count - at ? limit : count - at);
			at += op.entry_count;
			cr_assert_eq(op.complete, at == count, "limit %zu at %zu", limit, at);
			cache_op_deinit(&op);
		} while (at < count);
	}
}

/* A page that is limited to so many bytes of keys exceeds them by at most one key; a remote backend
 * may return more, but all in order. */
CONTRACT_TEST(listing, pages_end_at_a_number_of_bytes)
{
	enum { KEYS = 40, KEY_BYTES = 1000, PAGE_KEYS = 7 };
	char bytes[KEY_BYTES];
	char last[KEY_BYTES];
	struct cache_op op;
	unsigned at = 0;

	memset(bytes, 'x', sizeof(bytes));
	for (unsigned i = 0; i < KEYS; i++) {
		bytes[0] = (char)('!' + i * 27 % KEYS);
		cr_assert_eq(set(f, (struct slice){.data = bytes, .len = KEY_BYTES}, SLICE("v")),
			     CACHE_OK);
	}
	for (bool complete = false; !complete; cache_op_deinit(&op)) {
		cache_op_init(&op, CACHE_OP_SCAN);
		op.ns = NS;
		op.limit = KEYS;
		op.max_key_bytes = PAGE_KEYS * KEY_BYTES - 1;
		op.has_after = at > 0;
		op.after = (struct slice){.data = last, .len = KEY_BYTES};
		cr_assert_eq(backend_call(f->backend, &op), CACHE_OK);
		cr_expect(f->is_remote || op.entry_count == PAGE_KEYS || op.complete, "%zu",
			  op.entry_count);
		for (size_t i = 0; i < op.entry_count; i++, at++)
			cr_assert_eq(op.entries[i].key.data[0], (char)('!' + at));
		memcpy(last, op.entries[op.entry_count - 1].key.data, KEY_BYTES);
		complete = op.complete;
	}
	cr_expect_eq(at, KEYS);
}

CONTRACT_TEST(listing, of_long_keys_is_in_byte_order)
{
	/* They differ only after the part that any index could hold. */
	struct slice keys[6];
	char bytes[6][600];
	struct cache_op op;

	for (size_t i = 0; i < 6; i++) {
		memset(bytes[i], 'x', sizeof(bytes[i]));
		bytes[i][300] = (char)('a' + i);
		keys[i] = (struct slice){.data = bytes[i], .len = 600 - 50 * i};
	}
	for (size_t i = 0; i < 6; i++)
		(void)set(f, keys[(i * 5 + 2) % 6], SLICE("v"));
	scan(f, &op, SLICE("xxx"), NULL, 10);
	expect_keys(&op, keys, 6);
	cache_op_deinit(&op);
	scan(f, &op, (struct slice){.data = bytes[3], .len = 301}, NULL, 10);
	expect_keys(&op, &keys[3], 1);
	cache_op_deinit(&op);
	for (size_t i = 0; i + 1 < 6; i++) {
		scan(f, &op, SLICE(""), &keys[i], 1);
		expect_keys(&op, &keys[i + 1], 1);
		cr_expect_eq(op.complete, i + 2 == 6);
		cache_op_deinit(&op);
	}
}

/* Keys that share their first thousands of bytes, with shorter ones between them: each page of each
 * size, in order and in any order. */
CONTRACT_TEST(listing, of_whole_prompts_is_in_byte_order)
{
	enum { KEYS = 12, PROMPT_BYTES = 3000 };
	struct slice keys[KEYS];
	char *bytes = malloc(KEYS * PROMPT_BYTES);
	struct cache_op op;

	for (size_t i = 0; i < KEYS; i++) {
		char *at = bytes + i * PROMPT_BYTES;

		memset(at, 'x', PROMPT_BYTES);
		at[i < 3 ? 980 : i < 6 ? 1000 : 2000] = (char)('a' + i);
		keys[i] = (struct slice){.data = at, .len = i % 3 == 1 ? 1010 : PROMPT_BYTES};
	}
	keys[7] = (struct slice){.data = "y", .len = 1};
	for (size_t i = 0; i < KEYS; i++)
		cr_assert_eq(set(f, keys[i * 5 % KEYS], SLICE("v")), CACHE_OK);
	qsort(keys, KEYS, sizeof(keys[0]), compare_slices);
	size_t count = 1; /* some are equal */
	for (size_t i = 1; i < KEYS; i++)
		if (!slice_equal(keys[i], keys[count - 1]))
			keys[count++] = keys[i];
	for (size_t limit = 1; limit <= count; limit += 2) {
		for (size_t at = 0; at < count;) {
			scan(f, &op, SLICE("xxx"), at > 0 ? &keys[at - 1] : NULL, limit);
			size_t left = count - 1 - at; /* without "y" */
			if (left == 0) {
				cr_expect_eq(op.entry_count, 0);
				cr_expect(op.complete);
				at = count;
			} else {
				expect_keys(&op, &keys[at], limit < left ? limit : left);
				at += op.entry_count;
			}
			cache_op_deinit(&op);
		}
	}
	scan(f, &op, (struct slice){.data = keys[0].data, .len = 2500}, NULL, 10);
	cr_expect_eq(op.entry_count, 1);
	cache_op_deinit(&op);
	clear(f, (struct slice){.data = keys[0].data, .len = 2500});
	cr_expect_not(exists(f, keys[0]));
	for (size_t i = 1; i < count; i++)
		cr_expect(holds(f, keys[i], SLICE("v")), "key %zu", i);
	free(bytes);
}

CONTRACT_TEST(listing, honours_the_prefix)
{
	static const struct slice keys[] = {
		SLICE("a"),  SLICE("ab"), SLICE("ab\0"), SLICE("abc"),      SLICE("ab\xff"),
		SLICE("ac"), SLICE("b"),  SLICE("\xff"), SLICE("\xff\xff"), SLICE("\xff\xff!")};
	static const struct slice with_ab[] = {SLICE("ab"), SLICE("ab\0"), SLICE("abc"),
					       SLICE("ab\xff")};
	static const struct slice with_ff[] = {SLICE("\xff"), SLICE("\xff\xff"),
					       SLICE("\xff\xff!")};
	struct slice after = SLICE("ab\0");
	struct cache_op op;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		(void)set(f, keys[i], SLICE("v"));
	scan(f, &op, SLICE("ab"), NULL, 100);
	expect_keys(&op, with_ab, 4);
	cr_expect(op.complete);
	cache_op_deinit(&op);
	scan(f, &op, SLICE("ab"), &after, 1);
	expect_keys(&op, &with_ab[2], 1);
	cr_expect_not(op.complete);
	cache_op_deinit(&op);
	/* A start before the prefix. */
	after = SLICE("a");
	scan(f, &op, SLICE("ab"), &after, 4);
	expect_keys(&op, with_ab, 4);
	cr_expect(op.complete, "nothing follows the last one");
	cache_op_deinit(&op);
	scan(f, &op, SLICE("\xff"), NULL, 100);
	expect_keys(&op, with_ff, 3);
	cache_op_deinit(&op);
	scan(f, &op, SLICE("nothing"), NULL, 100);
	expect_keys(&op, NULL, 0);
	cr_expect(op.complete);
	cache_op_deinit(&op);
}

CONTRACT_TEST_OF(BACKEND_USES, listing, tells_what_it_knows)
{
	if (f->is_tiered)
		return; /* hits in the near cache are not uses of the backend */
	struct etag etag = etag_of(SLICE("value"));
	struct cache_item item = item_of(SLICE("key"), SLICE("value"));
	struct cache_op op;

	item.size_bytes = 500;
	item.ttl_s = 1000;
	cr_assert_eq(set_item(f, NS, &item), CACHE_OK);
	advance_s(f, 5);
	use(f, SLICE("key"), 3);
	advance_s(f, 5);
	scan(f, &op, SLICE(""), NULL, 1);
	cr_assert_eq(op.entry_count, 1);
	cr_expect_eq(op.entries[0].size_bytes, 500);
	cr_expect(etag_equal(&op.entries[0].etag, &etag));
	cr_expect_eq(op.entries[0].frequency, 4);
	cr_expect_eq(op.entries[0].created_at_us, START_US);
	/* In the Worker each use has a microsecond of its own. */
	int64_t since_us = op.entries[0].last_access_us - (START_US + 5 * US_PER_S);
	cr_expect(since_us >= 0 && since_us <= (f->is_remote ? 2 : 0));
	cr_expect_eq(op.entries[0].expires_at_us, START_US + 1000 * US_PER_S);
	cache_op_deinit(&op);

	(void)set_with_ttl(f, SLICE("key"), SLICE("other"), 0);
	scan(f, &op, SLICE(""), NULL, 1);
	cr_expect_eq(op.entries[0].created_at_us, START_US, "an overwrite keeps it");
	cr_expect_eq(op.entries[0].frequency, 5);
	cr_expect_eq(op.entries[0].last_access_us, START_US + 10 * US_PER_S);
	cr_expect_eq(op.entries[0].expires_at_us, 0);
	cache_op_deinit(&op);
}

CONTRACT_TEST_OF(BACKEND_STATS, listing, of_an_unknown_namespace_is_empty)
{
	struct cache_op op;

	scan(f, &op, SLICE(""), NULL, 10);
	cr_expect_eq(op.entry_count, 0);
	cr_expect(op.complete);
	cache_op_deinit(&op);
	cr_expect_eq(namespace_count(f), 0);
}

/* ---- While others write ---- */

#define STAYING 1500

struct churn {
	struct fixture *f;
	atomic_bool stop;
};

/* Adds and removes keys between those that stay, so that the structure that holds them grows and
 * shrinks. */
static void *churn(void *arg)
{
	struct churn *churn = arg;
	const unsigned span = rounds_of(churn->f, 8000, 200);

	for (unsigned i = 0; !atomic_load(&churn->stop); i = (i + 1) % (2 * span)) {
		struct slice key = text("key %04u comes and goes", i % span);

		if (i < span)
			(void)set(churn->f, key, SLICE("v"));
		else
			(void)delete_key(churn->f, key);
	}
	return NULL;
}

static void set_staying_keys(struct fixture *f)
{
	struct cache_item *items = calloc(STAYING, sizeof(*items));
	char(*keys)[16] = calloc(STAYING, sizeof(*keys));
	struct cache_op op;

	for (unsigned i = 0; i < STAYING; i++) {
		(void)snprintf(keys[i], sizeof(keys[i]), "key %04u", i);
		items[i] = item_of(slice_of(keys[i]), SLICE("v"));
	}
	for (size_t at = 0; at < STAYING; at += op.item_count) {
		cache_op_init(&op, CACHE_OP_SET);
		op.ns = NS;
		op.items = items + at;
		op.item_count = batch_of(f, STAYING - at);
		cr_assert_eq(backend_call(f->backend, &op), CACHE_OK);
	}
	for (unsigned i = 0; i < STAYING; i++)
		cache_value_release(items[i].value);
	free(items);
	free(keys);
}

/* Counts how many of the staying keys one listing in pages meets; other keys do not matter. */
static void list_staying(struct fixture *f, unsigned seen[static STAYING], size_t limit)
{
	char after_bytes[64];
	struct slice after = {.data = after_bytes};
	bool complete = false;
	bool first = true;

	while (!complete) {
		struct cache_op op;

		scan(f, &op, SLICE("key "), first ? NULL : &after, limit);
		for (size_t i = 0; i < op.entry_count; i++) {
			struct slice key = op.entries[i].key;

			if (!first || i > 0)
				cr_assert_gt(slice_compare(key, after), 0, "keys only rise");
			cr_assert_leq(key.len, sizeof(after_bytes));
			memcpy(after_bytes, key.data, key.len);
			after.len = key.len;
			if (key.len == strlen("key 0000"))
				seen[strtoul(text("%.4s", key.data + 4).data, NULL, 10)]++;
		}
		first = first && op.entry_count == 0;
		complete = op.complete;
		cache_op_deinit(&op);
	}
}

CONTRACT_TEST(listing, is_stable_under_concurrent_writes)
{
	struct churn writer = {.f = f};
	pthread_t thread;

	set_staying_keys(f);
	cr_assert_eq(pthread_create(&thread, NULL, churn, &writer), 0);
	for (unsigned round = 0; round < 3; round++) {
		unsigned seen[STAYING] = {0};

		list_staying(f, seen, 97);
		for (unsigned i = 0; i < STAYING; i++)
			cr_assert_eq(seen[i], 1, "key %u was met %u times", i, seen[i]);
	}
	atomic_store(&writer.stop, true);
	(void)pthread_join(thread, NULL);
}
