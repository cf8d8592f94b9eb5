/* The head of a value (base/value_head.h) is kept byte for byte, and counts. */
#include "tests/contract/support.h"

static void add(struct value_head_room *room, const char *name, struct slice value)
{
	cr_assert_eq(value_head_add(room, slice_of(name), value), HEAD_ADDED);
}

/* The longest head there is. */
static struct slice longest(void)
{
	static struct value_head_room room;
	static char filler[VALUE_HEAD_MAX_LEN];

	memset(filler, 'f', sizeof(filler));
	value_head_begin(&room, (struct slice){filler, CONTENT_TYPE_MAX_LEN});
	add(&room, "Content-Encoding", SLICE("br"));
	add(&room, "X-Artifact-Tag", SLICE("a \"quoted\" \\ tag\twith a tab"));
	size_t left = VALUE_HEAD_MAX_LEN - room.len - strlen("\nX-Meta-Rest: ");
	add(&room, "X-Meta-Rest", (struct slice){filler, left});
	cr_assert_eq(room.len, VALUE_HEAD_MAX_LEN);
	return value_head_text(&room);
}

/* Of `len` bytes, which is more than the type and the name. */
static struct slice head_of(size_t len)
{
	static struct value_head_room room;
	static char filler[VALUE_HEAD_MAX_LEN];

	memset(filler, 'g', sizeof(filler));
	value_head_begin(&room, SLICE("text/plain"));
	add(&room, "X-Meta-Fill", (struct slice){filler, len - room.len - 14});
	cr_assert_eq(room.len, len);
	return value_head_text(&room);
}

static struct cache_item item_with(struct slice key, struct slice bytes, struct slice head)
{
	struct cache_item item = {
		.key = key,
		.value = cache_value_copy(bytes, head),
		.size_bytes = bytes.len,
		.ttl_s = TTL_DEFAULT,
	};

	cr_assert(item.value);
	return item;
}

static void expect(struct fixture *f, struct slice key, struct slice bytes, struct slice head)
{
	struct cache_value *value = get(f, key);

	cr_assert(value, "%.*s", (int)key.len, key.data);
	cr_expect(slice_equal(cache_value_head(value), head), "%.*s: %zu bytes", (int)key.len,
		  key.data, cache_value_head(value).len);
	cr_expect(slice_equal(cache_value_bytes(value), bytes), "%.*s", (int)key.len, key.data);
	struct etag etag = etag_of(bytes);
	cr_expect(etag_equal(&value->etag, &etag), "the ETag is of the bytes alone");
	cache_value_release(value);
}

CONTRACT_TEST(headers, are_kept_byte_for_byte_and_changed_by_a_set)
{
	static const size_t lengths[] = {40, 254, 255, 256, 257, 512, 2000};
	struct slice bytes = make_bytes(3000, 7);

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct cache_item item = item_with(SLICE("key"), bytes, head_of(lengths[i]));

		cr_assert_eq(set_item(f, NS, &item), CACHE_OK, "%zu", lengths[i]);
		expect(f, SLICE("key"), bytes, head_of(lengths[i]));
	}
	struct cache_item most = item_with(SLICE("key"), SLICE(""), longest());
	cr_assert_eq(set_item(f, NS, &most), CACHE_OK);
	expect(f, SLICE("key"), SLICE(""), longest());
	cr_assert_eq(set(f, SLICE("key"), SLICE("value")), CACHE_OK);
	expect(f, SLICE("key"), SLICE("value"), SLICE(CONTENT_TYPE_TEXT));
	free_bytes(bytes);
}

CONTRACT_TEST(headers, of_a_batch_stay_with_their_values)
{
	struct slice heads[] = {head_of(700), longest()};
	struct cache_item items[] = {
		item_with(SLICE("a"), SLICE("one"), SLICE("text/plain\nContent-Encoding: gzip")),
		item_with(SLICE("b"), SLICE("two"), heads[0]),
		item_with(SLICE("c"), SLICE("three"), SLICE("image/png")),
		item_with(SLICE("d"), SLICE("four"), heads[1]),
	};
	const size_t count = batch_of(f, 4);
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_SET);
	op.ns = NS;
	op.items = items;
	op.item_count = count;
	cr_expect_eq(backend_call(f->backend, &op), CACHE_OK);
	cache_op_deinit(&op);
	for (size_t i = 0; i < 4; i++)
		cache_value_release(items[i].value);
	if (count < 4)
		return;
	struct cache_item found[] = {
		{.key = SLICE("a")}, {.key = SLICE("b")}, {.key = SLICE("c")}, {.key = SLICE("d")}};
	cache_op_init(&op, CACHE_OP_GET);
	op.ns = NS;
	op.items = found;
	op.item_count = 4;
	cr_expect_eq(backend_call(f->backend, &op), CACHE_OK);
	for (size_t i = 0; i < 4; i++) {
		struct slice wanted[] = {SLICE("text/plain\nContent-Encoding: gzip"), heads[0],
					 SLICE("image/png"), heads[1]};

		cr_assert(found[i].value, "%zu", i);
		cr_expect(slice_equal(cache_value_head(found[i].value), wanted[i]), "%zu", i);
	}
	cache_op_deinit(&op);
}

CONTRACT_TEST_OF(BACKEND_STATS, headers, count_against_the_limit)
{
	struct slice head = longest();
	struct cache_item item = item_with(SLICE("key"), SLICE("value"), head);
	const uint64_t used = cache_used_bytes(3, head.len, 5);

	cr_assert_eq(set_item(f, NS, &item), CACHE_OK);
	cr_expect_eq(stats(f).used_bytes, used);
	item = item_with(SLICE("key"), SLICE("value"), head_of(300));
	cr_assert_eq(set_item(f, NS, &item), CACHE_OK);
	cr_expect_eq(stats(f).used_bytes, cache_used_bytes(3, 300, 5));
	item = item_with(SLICE("key"), SLICE("value"), head);
	cr_assert_eq(set_item(f, NS, &item), CACHE_OK);
	cr_expect_eq(stats(f).used_bytes, used);
	cr_expect_eq(delete_key(f, SLICE("key")), CACHE_OK);
	cr_expect_eq(stats(f).used_bytes, 0);
}

CONTRACT_TEST_OF(BACKEND_STATS, headers, outlive_the_backend)
{
	struct cache_item item = item_with(SLICE("long"), SLICE("value"), longest());

	cr_assert_eq(set_item(f, NS, &item), CACHE_OK);
	item = item_with(SLICE("empty"), SLICE(""), head_of(900));
	cr_assert_eq(set_item(f, NS, &item), CACHE_OK);
	item = item_with(SLICE("short"), SLICE("value"), head_of(60));
	cr_assert_eq(set_item(f, NS, &item), CACHE_OK);
	uint64_t used = stats(f).used_bytes;
	fixture_reopen(f);
	if (!f->persists)
		return;
	cr_expect_eq(stats(f).used_bytes, used);
	expect(f, SLICE("long"), SLICE("value"), longest());
	expect(f, SLICE("empty"), SLICE(""), head_of(900));
	expect(f, SLICE("short"), SLICE("value"), head_of(60));
	use(f, SLICE("long"), 1);
	fixture_reopen(f);
	expect(f, SLICE("long"), SLICE("value"), longest());
}
