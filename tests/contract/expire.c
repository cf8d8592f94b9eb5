/* EXPIRE: another time to live without the value. */
#include "tests/contract/support.h"

static enum cache_status expire_if(struct fixture *f, struct slice key, int64_t ttl_s,
				   struct cache_condition condition)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_EXPIRE);
	op.ns = NS;
	op.one.key = key;
	op.one.ttl_s = ttl_s;
	op.one.condition = condition;
	enum cache_status status = backend_call(f->backend, &op);
	cr_expect_eq(op.one.status, status);
	cache_op_deinit(&op);
	return status;
}

static enum cache_status expire(struct fixture *f, struct slice key, int64_t ttl_s)
{
	return expire_if(f, key, ttl_s, (struct cache_condition){0});
}

CONTRACT_TEST(expire, is_later_or_earlier_or_never)
{
	if (!knows_expire(f))
		return;
	(void)set_with_ttl(f, SLICE("later"), SLICE("v"), 10);
	(void)set_with_ttl(f, SLICE("earlier"), SLICE("v"), 10);
	(void)set_with_ttl(f, SLICE("never"), SLICE("v"), 10);
	(void)set_with_ttl(f, SLICE("from never"), SLICE("v"), 0);
	advance_s(f, 5);
	cr_expect_eq(expire(f, SLICE("later"), 100), CACHE_OK);
	cr_expect_eq(expire(f, SLICE("earlier"), 1), CACHE_OK);
	cr_expect_eq(expire(f, SLICE("never"), 0), CACHE_OK);
	cr_expect_eq(expire(f, SLICE("from never"), 20), CACHE_OK);
	advance_us(f, US_PER_S - 1);
	cr_expect(exists(f, SLICE("earlier")));
	advance_us(f, 1);
	cr_expect_not(exists(f, SLICE("earlier")));
	cr_expect_eq(expire(f, SLICE("earlier"), 10), CACHE_NOT_FOUND, "it is gone");
	cr_expect_not(exists(f, SLICE("earlier")));
	advance_us(f, 19 * US_PER_S - 1);
	cr_expect(holds(f, SLICE("from never"), SLICE("v")));
	advance_us(f, 1);
	cr_expect_null(get(f, SLICE("from never")));
	advance_us(f, 80 * US_PER_S - 1);
	cr_expect(holds(f, SLICE("later"), SLICE("v")));
	advance_us(f, 1);
	cr_expect_null(get(f, SLICE("later")));
	advance_s(f, TTL_MAX_S);
	cr_expect(holds(f, SLICE("never"), SLICE("v")));
}

CONTRACT_TEST(expire, may_be_the_default_of_the_namespace)
{
	struct namespace_settings settings = {.default_ttl_s = 30};

	if (!knows_expire(f))
		return;
	(void)set_with_ttl(f, SLICE("key"), SLICE("v"), 10);
	cr_expect_eq(expire(f, SLICE("key"), TTL_DEFAULT), CACHE_OK, "which is none");
	advance_s(f, 100);
	cr_expect(exists(f, SLICE("key")));
	cr_assert_eq(configure(f, SETTING_DEFAULT_TTL, settings), CACHE_OK);
	cr_expect_eq(expire(f, SLICE("key"), TTL_DEFAULT), CACHE_OK);
	advance_us(f, 30 * US_PER_S - 1);
	cr_expect(exists(f, SLICE("key")));
	advance_us(f, 1);
	cr_expect_not(exists(f, SLICE("key")));
}

CONTRACT_TEST_OF(BACKEND_STATS, expire, of_what_is_not_there_creates_nothing)
{
	if (!knows_expire(f))
		return;
	cr_expect_eq(expire(f, SLICE("key"), 10), CACHE_NOT_FOUND);
	cr_expect_eq(namespace_count(f), 0);
	(void)set(f, SLICE("other"), SLICE("v"));
	cr_expect_eq(expire(f, SLICE("key"), 10), CACHE_NOT_FOUND);
	cr_expect_eq(stats(f).entry_count, 1);
	cr_expect_eq(stats(f).sets, 1);
}

CONTRACT_TEST(expire, leaves_everything_else)
{
	struct cache_op op;

	if (!knows_expire(f))
		return;
	(void)set_with_ttl(f, SLICE("key"), SLICE("the value"), 50);
	struct etag etag = etag_of(SLICE("the value"));
	advance_s(f, 7);
	cr_assert_eq(expire(f, SLICE("key"), 100), CACHE_OK);
	struct cache_value *value = get_untouched(f, SLICE("key"));
	cr_assert(value);
	cr_expect(slice_equal(cache_value_bytes(value), SLICE("the value")));
	cr_expect_eq(value->modified_at_us, START_US);
	cr_expect_eq(value->expires_at_us, START_US + 107 * US_PER_S);
	cr_expect(etag_equal(&value->etag, &etag));
	cr_expect_str_eq(cache_value_content_type(value), CONTENT_TYPE_TEXT);
	cache_value_release(value);
	if (!(f->bits & BACKEND_ORDERED_SCAN))
		return;
	scan(f, &op, SLICE(""), NULL, 10);
	cr_assert_eq(op.entry_count, 1);
	cr_expect_eq(op.entries[0].frequency, 1, "it is no use");
	cr_expect_eq(op.entries[0].last_access_us, START_US);
	cr_expect_eq(op.entries[0].created_at_us, START_US);
	cr_expect_eq(op.entries[0].expires_at_us, START_US + 107 * US_PER_S);
	cache_op_deinit(&op);
}

CONTRACT_TEST_OF(BACKEND_CONDITIONS, expire, may_have_a_condition)
{
	struct etag etags[] = {etag_of(SLICE("v")), etag_of(SLICE("w"))};
	struct cache_condition match = {
		.kind = CONDITION_MATCH, .etags = &etags[0], .etag_count = 1};
	struct cache_condition other = {
		.kind = CONDITION_MATCH, .etags = &etags[1], .etag_count = 1};
	struct cache_condition present = {.kind = CONDITION_PRESENT};

	if (!knows_expire(f))
		return;
	cr_expect_eq(expire_if(f, SLICE("key"), 10, present), CACHE_PRECONDITION_FAILED);
	(void)set(f, SLICE("key"), SLICE("v"));
	cr_expect_eq(expire_if(f, SLICE("key"), 10, other), CACHE_PRECONDITION_FAILED);
	cr_expect_eq(expire_if(f, SLICE("absent"), 10, match), CACHE_PRECONDITION_FAILED);
	advance_s(f, 11);
	cr_expect(exists(f, SLICE("key")), "what was refused has done nothing");
	cr_expect_eq(expire_if(f, SLICE("key"), 10, match), CACHE_OK);
	cr_expect_eq(expire_if(f, SLICE("key"), 20, present), CACHE_OK);
	advance_us(f, 20 * US_PER_S - 1);
	cr_expect(exists(f, SLICE("key")));
	advance_us(f, 1);
	cr_expect_eq(expire_if(f, SLICE("key"), 10, present), CACHE_PRECONDITION_FAILED);
}

CONTRACT_TEST_OF(BACKEND_STALE, expire, of_a_stale_entry_finds_none)
{
	struct namespace_settings settings = {.stale_ttl_s = 100};

	if (!knows_expire(f))
		return;
	cr_assert_eq(configure(f, SETTING_STALE_TTL, settings), CACHE_OK);
	(void)set_with_ttl(f, SLICE("key"), SLICE("v"), 10);
	advance_s(f, 11);
	cr_expect_eq(expire(f, SLICE("key"), 100), CACHE_NOT_FOUND);
	cr_expect_not(exists(f, SLICE("key")));
}

CONTRACT_TEST_OF(BACKEND_STATS, expire, of_many_at_once)
{
	const size_t count = batch_of(f, 200);
	struct cache_item *items = calloc(count, sizeof(*items));
	struct cache_op op;

	cr_assert(items);
	if (!knows_expire(f)) {
		free(items);
		return;
	}
	for (unsigned i = 0; i < count; i += 2)
		(void)set_with_ttl(f, text("%u", i), SLICE("v"), i % 4 ? 5 : 0);
	for (unsigned i = 0; i < count; i++) {
		struct slice key = text("%u", i);
		char *copy = malloc(key.len);

		cr_assert(copy);
		memcpy(copy, key.data, key.len);
		items[i] = (struct cache_item){.key = {copy, key.len}, .ttl_s = 10 + i};
	}
	cache_op_init(&op, CACHE_OP_EXPIRE);
	op.ns = NS;
	op.items = items;
	op.item_count = count;
	cr_expect_eq(backend_call(f->backend, &op), CACHE_OK);
	for (unsigned i = 0; i < count; i++)
		cr_expect_eq(items[i].status, i % 2 ? CACHE_NOT_FOUND : CACHE_OK, "%u", i);
	cache_op_deinit(&op);
	advance_s(f, 10);
	cr_expect_not(exists(f, SLICE("0")));
	cr_expect(exists(f, SLICE("2")));
	advance_s(f, (int64_t)count);
	for (unsigned i = 0; i < count; i += 2)
		cr_assert_not(exists(f, text("%u", i)));
	for (unsigned i = 0; i < count; i++)
		free((char *)(uintptr_t)items[i].key.data);
	free(items);
}

/* Waits until `count` entries have expired and the background has removed them. */
static void await_expirations(struct fixture *f, unsigned count)
{
	unsigned waited_ms = 0;

	while (stats(f).expirations < count && wait_a_moment(&waited_ms))
		;
	cr_expect_eq(stats(f).expirations, count);
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_USES, expire, is_what_the_sweep_goes_by)
{
	const unsigned count = rounds_of(f, 600, 100);

	if (!knows_expire(f) || f->is_tiered)
		return;
	for (unsigned i = 0; i < count; i++) {
		struct slice key = text("%u", i);

		(void)set_with_ttl(f, key, SLICE("v"), i % 2 ? 10 : 0);
		/* Again and again, as clients do that keep an entry alive. */
		for (unsigned again = 0; again < 5; again++)
			(void)expire(f, key, i % 3 ? 100 + again : 0);
	}
	advance_s(f, 50);
	(void)stats(f);
	cr_expect_eq(stats(f).expirations, 0);
	cr_expect_eq(stats(f).entry_count, count);
	advance_s(f, 55);
	await_expirations(f, count - (count + 2) / 3);
	cr_expect_eq(stats(f).entry_count, (count + 2) / 3);
	for (unsigned i = 0; i < count; i++)
		cr_assert_eq(exists(f, text("%u", i)), i % 3 == 0);
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_USES, expire, that_comes_nearer_is_swept_in_time)
{
	if (!knows_expire(f) || f->is_tiered)
		return;
	(void)set_with_ttl(f, SLICE("a"), SLICE("v"), 0);
	(void)set_with_ttl(f, SLICE("b"), SLICE("v"), 1000);
	(void)expire(f, SLICE("a"), 1000);
	(void)expire(f, SLICE("a"), 10);
	(void)expire(f, SLICE("b"), 10);
	advance_s(f, 10);
	await_expirations(f, 2);
	cr_expect_eq(stats(f).entry_count, 0);
}

CONTRACT_TEST(expire, then_a_set_decides_again)
{
	if (!knows_expire(f))
		return;
	(void)set(f, SLICE("key"), SLICE("v"));
	cr_expect_eq(expire(f, SLICE("key"), 10), CACHE_OK);
	(void)set(f, SLICE("key"), SLICE("w"));
	advance_s(f, 11);
	cr_expect(holds(f, SLICE("key"), SLICE("w")));
	cr_expect_eq(expire(f, SLICE("key"), 10), CACHE_OK);
	cr_expect_eq(delete_key(f, SLICE("key")), CACHE_OK);
	(void)set(f, SLICE("key"), SLICE("x"));
	advance_s(f, 11);
	cr_expect(holds(f, SLICE("key"), SLICE("x")));
}

CONTRACT_TEST_OF(BACKEND_STATS, expire, outlives_the_backend)
{
	if (!knows_expire(f))
		return;
	(void)set_with_ttl(f, SLICE("a"), SLICE("v"), 10);
	(void)set_with_ttl(f, SLICE("b"), SLICE("v"), 0);
	(void)set_with_ttl(f, SLICE("c"), SLICE("v"), 10);
	cr_expect(holds(f, SLICE("a"), SLICE("v")));
	(void)expire(f, SLICE("a"), 100);
	(void)expire(f, SLICE("b"), 20);
	(void)expire(f, SLICE("c"), 0);
	fixture_reopen(f);
	if (!f->persists)
		return;
	advance_us(f, 20 * US_PER_S - 1);
	cr_expect(holds(f, SLICE("a"), SLICE("v")));
	cr_expect(holds(f, SLICE("b"), SLICE("v")));
	advance_us(f, 1);
	cr_expect_not(exists(f, SLICE("b")));
	cr_expect(holds(f, SLICE("a"), SLICE("v")));
	advance_s(f, 100);
	cr_expect_not(exists(f, SLICE("a")));
	cr_expect(holds(f, SLICE("c"), SLICE("v")));
	(void)expire(f, SLICE("c"), 10);
	fixture_reopen(f);
	advance_s(f, 10);
	cr_expect_not(exists(f, SLICE("c")));
}

CONTRACT_TEST(expire, of_a_large_value_keeps_its_bytes)
{
	struct slice bytes = make_bytes(f->is_remote || f->is_far ? 100 * KIB : 3 * MIB, 7);

	if (knows_expire(f)) {
		(void)set(f, SLICE("key"), bytes);
		cr_expect_eq(expire(f, SLICE("key"), 10), CACHE_OK);
		cr_expect(holds(f, SLICE("key"), bytes));
		advance_s(f, 9);
		cr_expect_eq(expire(f, SLICE("key"), 10), CACHE_OK);
		advance_s(f, 9);
		cr_expect(holds(f, SLICE("key"), bytes));
		advance_s(f, 1);
		cr_expect_null(get(f, SLICE("key")));
	}
	free_bytes(bytes);
}
