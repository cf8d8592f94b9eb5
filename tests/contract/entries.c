/* One entry: a read returns what was stored, and writes report what they did. */
#include "tests/contract/support.h"

CONTRACT_TEST(entries, get_returns_what_was_set)
{
	cr_assert_eq(set(f, SLICE("key"), SLICE("value")), CACHE_OK);

	struct cache_value *value = get(f, SLICE("key"));
	cr_assert(value);
	cr_expect(slice_equal(cache_value_bytes(value), SLICE("value")));
	cache_value_release(value);
}

CONTRACT_TEST(entries, absent_key_is_not_found)
{
	struct cache_op op;

	cr_assert_eq(set(f, SLICE("other"), SLICE("x")), CACHE_OK);
	cache_op_init(&op, CACHE_OP_GET);
	op.ns = NS;
	op.one.key = SLICE("key");
	cr_expect_eq(backend_call(f->backend, &op), CACHE_NOT_FOUND);
	cr_expect_eq(op.one.status, CACHE_NOT_FOUND);
	cr_expect_null(op.one.value);
	cache_op_deinit(&op);
	cr_expect_not(exists(f, SLICE("key")));
	cr_expect_eq(delete_key(f, SLICE("key")), CACHE_NOT_FOUND);
}

CONTRACT_TEST_OF(BACKEND_STATS, entries, overwrite_replaces_the_value_and_says_so)
{
	struct cache_item first = item_of(SLICE("key"), SLICE("one"));
	struct cache_item second = item_of(SLICE("key"), SLICE("two, and longer"));

	cr_assert_eq(set_item(f, NS, &first), CACHE_OK);
	cr_expect_eq(first.status, CACHE_OK);
	cr_expect(first.created);
	cr_assert_eq(set_item(f, NS, &second), CACHE_OK);
	cr_expect_not(second.created);
	cr_expect(holds(f, SLICE("key"), SLICE("two, and longer")));
	cr_expect_eq(stats(f).entry_count, 1);
}

CONTRACT_TEST(entries, delete_removes)
{
	(void)set(f, SLICE("key"), SLICE("value"));
	cr_expect(exists(f, SLICE("key")));
	cr_expect_eq(delete_key(f, SLICE("key")), CACHE_OK);
	cr_expect_not(exists(f, SLICE("key")));
	cr_expect_null(get(f, SLICE("key")));
	cr_expect_eq(delete_key(f, SLICE("key")), CACHE_NOT_FOUND);

	struct cache_item again = item_of(SLICE("key"), SLICE("value"));
	cr_expect_eq(set_item(f, NS, &again), CACHE_OK);
	cr_expect(again.created);
}

CONTRACT_TEST(entries, a_value_outlives_its_entry)
{
	(void)set(f, SLICE("key"), SLICE("first"));
	struct cache_value *held = get(f, SLICE("key"));

	cr_assert(held);
	(void)set(f, SLICE("key"), SLICE("second"));
	(void)delete_key(f, SLICE("key"));
	cr_expect(slice_equal(cache_value_bytes(held), SLICE("first")));
	cache_value_release(held);
}

CONTRACT_TEST_OF(BACKEND_STATS, entries, keys_are_any_bytes)
{
	static const struct slice keys[] = {
		{.data = "", .len = 0},
		SLICE("\0"),
		SLICE("\0\0"),
		SLICE("a\0b"),
		SLICE("a\0c"),
		SLICE("\xff\xfe\x80"),
		SLICE("\xc3\xa4 \xf0\x9f\x98\x80"),
		SLICE("../../etc/passwd"),
		SLICE("'; DROP TABLE entries; --"),
		SLICE("%00%"),
		SLICE("line\r\nline"),
		SLICE("__proto__"),
	};
	const size_t count = sizeof(keys) / sizeof(keys[0]);

	for (size_t i = 0; i < count; i++)
		cr_assert_eq(set(f, keys[i], text("value %zu", i)), CACHE_OK);
	cr_expect_eq(stats(f).entry_count, count);
	for (size_t i = 0; i < count; i++)
		cr_expect(holds(f, keys[i], text("value %zu", i)), "key %zu", i);
	for (size_t i = 0; i < count; i++)
		cr_expect_eq(delete_key(f, keys[i]), CACHE_OK);
	cr_expect_eq(stats(f).entry_count, 0);
}

CONTRACT_TEST(entries, long_keys_are_compared_whole)
{
	const size_t len = f->key_max;
	struct slice key = make_bytes(len, 1);
	char *other_bytes = malloc(len);
	struct slice other = {.data = other_bytes, .len = len};
	struct slice shorter = {.data = key.data, .len = len - 1};

	memcpy(other_bytes, key.data, len);
	other_bytes[len - 1] ^= 1;
	cr_assert_eq(set(f, key, SLICE("key")), CACHE_OK);
	cr_expect_not(exists(f, other));
	cr_expect_not(exists(f, shorter));
	cr_assert_eq(set(f, other, SLICE("other")), CACHE_OK);
	cr_assert_eq(set(f, shorter, SLICE("shorter")), CACHE_OK);
	cr_expect(holds(f, key, SLICE("key")));
	cr_expect(holds(f, other, SLICE("other")));
	cr_expect(holds(f, shorter, SLICE("shorter")));
	cr_expect_eq(delete_key(f, other), CACHE_OK);
	cr_expect(exists(f, key));
	free_bytes(key);
	free_bytes(other);
}

CONTRACT_TEST(entries, keys_with_one_prefix_are_distinct)
{
	char bytes[300];
	struct slice key = {.data = bytes};

	memset(bytes, 'a', sizeof(bytes));
	for (key.len = 0; key.len <= sizeof(bytes); key.len++)
		cr_assert_eq(set(f, key, text("%zu", key.len)), CACHE_OK);
	for (key.len = 0; key.len <= sizeof(bytes); key.len++)
		cr_expect(holds(f, key, text("%zu", key.len)), "length %zu", key.len);
}

CONTRACT_TEST(entries, values_are_any_bytes)
{
	/* Within 1/16 of the usual limit, if that is shared out. */
	bool is_small = f->is_remote || !(f->bits & BACKEND_EXACT_EVICTION);
	const size_t lengths[] = {0, 1, 100, 4095, 4096, 4097, 65536, is_small ? MIB : 8 * MIB};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t max = f->ops->value_max_bytes > 0 ? f->ops->value_max_bytes : lengths[i];
		size_t len = lengths[i] < max ? lengths[i] : max;
		struct slice bytes = make_bytes(len, (unsigned)i);

		cr_assert_eq(set(f, text("%zu", i), bytes), CACHE_OK);
		cr_expect(holds(f, text("%zu", i), bytes), "%zu bytes", len);
		free_bytes(bytes);
	}
	cr_expect_eq(set(f, SLICE("0"), SLICE("")), CACHE_OK);
	cr_expect(holds(f, SLICE("0"), SLICE("")));
}

CONTRACT_TEST(entries, content_type_and_flags_come_back)
{
	static const struct {
		struct slice type, bytes;
		uint8_t flags;
	} cases[] = {
		{SLICE(CONTENT_TYPE_TEXT), SLICE("plain"),
		 CACHE_VALUE_UTF8 | CACHE_VALUE_JSON_PLAIN},
		{SLICE("application/json"), SLICE("{\"a\":1}"), CACHE_VALUE_UTF8},
		{SLICE("image/png"), SLICE("\x89PNG\xff"), 0},
		{SLICE("application/vnd.example+json; profile=\"a b\""), SLICE("\xc3\xa4"),
		 CACHE_VALUE_UTF8},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cache_item item = {
			.key = text("%zu", i),
			.value = cache_value_copy(cases[i].bytes, cases[i].type),
			.ttl_s = TTL_DEFAULT,
		};

		cr_assert_eq(set_item(f, NS, &item), CACHE_OK);
		struct cache_value *value = get(f, text("%zu", i));
		cr_assert(value);
		cr_expect(slice_equal(slice_of(cache_value_content_type(value)), cases[i].type));
		cr_expect(slice_equal(cache_value_bytes(value), cases[i].bytes));
		cr_expect_eq(value->flags, cases[i].flags);
		cache_value_release(value);
	}
}

CONTRACT_TEST(entries, etag_is_that_of_the_content)
{
	struct etag expected = etag_of(SLICE("content"));

	(void)set(f, SLICE("a"), SLICE("content"));
	(void)set(f, SLICE("b"), SLICE("other"));
	(void)set(f, SLICE("b"), SLICE("content"));

	struct cache_value *a = get(f, SLICE("a"));
	struct cache_value *b = get(f, SLICE("b"));
	cr_assert(a && b);
	cr_expect(etag_equal(&a->etag, &expected));
	cr_expect(etag_equal(&b->etag, &expected));
	cache_value_release(a);
	cache_value_release(b);
}

CONTRACT_TEST(entries, writes_stamp_their_times)
{
	(void)set(f, SLICE("key"), SLICE("one"));
	advance_s(f, 60);
	struct cache_value *value = get(f, SLICE("key"));
	cr_assert(value);
	cr_expect_eq(value->modified_at_us, START_US);
	cr_expect_eq(value->expires_at_us, 0);
	cache_value_release(value);

	(void)set_with_ttl(f, SLICE("key"), SLICE("two"), 30);
	value = get(f, SLICE("key"));
	cr_assert(value);
	cr_expect_eq(value->modified_at_us, START_US + 60 * US_PER_S);
	cr_expect_eq(value->expires_at_us, START_US + 90 * US_PER_S);
	cache_value_release(value);
}

CONTRACT_TEST(entries, the_set_value_is_stamped_for_the_caller)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_SET);
	op.ns = NS;
	op.one.key = SLICE("key");
	op.one.value = make_value(SLICE("value"));
	op.one.ttl_s = 7;
	cr_assert_eq(backend_call(f->backend, &op), CACHE_OK);
	cr_expect_eq(op.one.value->modified_at_us, START_US);
	cr_expect_eq(op.one.value->expires_at_us, START_US + 7 * US_PER_S);
	cache_value_release(op.one.value);
	cache_op_deinit(&op);
}

CONTRACT_TEST_OF(BACKEND_STATS, entries, namespaces_do_not_see_each_other)
{
	struct cache_item item = item_of(SLICE("key"), SLICE("elsewhere"));

	(void)set(f, SLICE("key"), SLICE("here"));
	cr_assert_eq(set_item(f, SLICE("m"), &item), CACHE_OK);
	cr_expect(item.created);
	cr_expect(holds(f, SLICE("key"), SLICE("here")));
	cr_expect_eq(delete_key(f, SLICE("key")), CACHE_OK);
	cr_expect_eq(stats_of(f, SLICE("m")).entry_count, 1);
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_ORDERED_SCAN, entries, invalid_operations_are_refused)
{
	struct cache_item item = item_of(SLICE("key"), SLICE("v"));
	struct cache_op op;

	cr_expect_eq(set_item(f, SLICE("not a name"), &item), CACHE_INVALID);
	item = item_of(SLICE("key"), SLICE("v"));
	item.ttl_s = TTL_MAX_S + 1;
	cr_expect_eq(set_item(f, NS, &item), CACHE_INVALID);
	item = item_of(SLICE("key"), SLICE("v"));
	item.ttl_s = -2;
	cr_expect_eq(set_item(f, NS, &item), CACHE_INVALID);
	cache_op_init(&op, CACHE_OP_SCAN);
	op.ns = NS;
	cr_expect_eq(backend_call(f->backend, &op), CACHE_INVALID);
	cache_op_deinit(&op);
	cr_expect_eq(namespace_count(f), 0);
}

CONTRACT_TEST(entries, sync_and_check_succeed)
{
	struct cache_op op;

	(void)set(f, SLICE("key"), SLICE("v"));
	cache_op_init(&op, CACHE_OP_SYNC);
	cr_expect_eq(backend_call(f->backend, &op), CACHE_OK);
	cache_op_deinit(&op);

	cache_op_init(&op, CACHE_OP_CHECK);
	cr_expect_eq(backend_call(f->backend, &op), CACHE_OK);
	cr_expect_gt(op.check_count, 0);
	for (size_t i = 0; i < op.check_count; i++) {
		cr_expect(op.checks[i].ok, "%s", op.checks[i].name);
		cr_expect_str_empty(op.checks[i].detail);
		cr_expect_gt(strlen(op.checks[i].name), 0);
	}
	cache_op_deinit(&op);
}
