/* A compressed value (CACHE_VALUE_ZSTD) is kept as it is, with the ETag and the flags of what it
 * decodes to, and goes only to who can decode it. */
#include "tests/contract/support.h"

#define DECODED SLICE("a text of which nobody can tell whether it was compressed")
#define HEAD    SLICE("text/css\nX-Meta-a: 1")

/* A backend does not look into the bytes. These are no UTF-8, as those of a frame. */
static struct slice frame(size_t len, unsigned seed)
{
	struct slice bytes = make_bytes(len, seed);

	memcpy((char *)(uintptr_t)bytes.data, "\x28\xB5\x2F\xFD", 4);
	return bytes;
}

static struct cache_item encoded(struct slice key, struct slice bytes, struct slice decoded)
{
	struct etag etag = etag_of(decoded);
	struct cache_item item = {
		.key = key,
		.value = cache_value_copy(bytes, HEAD),
		.size_bytes = bytes.len,
		.ttl_s = TTL_DEFAULT,
	};

	cr_assert(item.value);
	cache_value_seal_known(item.value, &etag,
			       CACHE_VALUE_UTF8 | CACHE_VALUE_JSON_PLAIN | CACHE_VALUE_ZSTD);
	return item;
}

static void ask(struct fixture *f, struct cache_op *op, struct slice key, bool takes_encoded)
{
	cache_op_init(op, CACHE_OP_GET);
	op->ns = NS;
	op->one.key = key;
	op->takes_encoded = takes_encoded;
	(void)backend_call(f->backend, op);
}

static void expect(struct fixture *f, struct slice key, struct slice bytes, struct slice decoded)
{
	struct etag etag = etag_of(decoded);
	struct cache_op op;

	ask(f, &op, key, true);
	const struct cache_value *value = op.one.value;
	cr_assert_eq(op.status, CACHE_OK, "%s", op.detail ? op.detail : "");
	cr_expect(slice_equal(cache_value_bytes(value), bytes), "the bytes, %zu of them",
		  cache_value_bytes(value).len);
	cr_expect(slice_equal(cache_value_head(value), HEAD));
	cr_expect(etag_equal(&value->etag, &etag), "the ETag is of what it decodes to");
	cr_expect_eq(value->flags & CACHE_VALUE_STORED,
		     CACHE_VALUE_UTF8 | CACHE_VALUE_JSON_PLAIN | CACHE_VALUE_ZSTD, "flags: %d",
		     value->flags);
	cache_op_deinit(&op);
	ask(f, &op, key, false);
	cr_expect_eq(op.status, CACHE_UNSUPPORTED, "without takes_encoded");
	cr_expect_null(op.one.value);
	cache_op_deinit(&op);
}

CONTRACT_TEST(encoded, values_are_kept_and_go_only_to_who_knows_them)
{
	struct slice small = frame(90, 1), larger = frame(20480, 2);
	struct cache_item item = encoded(SLICE("k"), small, DECODED);

	cr_assert_eq(set_item(f, NS, &item), CACHE_OK);
	expect(f, SLICE("k"), small, DECODED);
	item = encoded(SLICE("k"), larger, SLICE("another"));
	cr_assert_eq(set_item(f, NS, &item), CACHE_OK);
	expect(f, SLICE("k"), larger, SLICE("another"));
	if (f->persists) {
		fixture_reopen(f);
		expect(f, SLICE("k"), larger, SLICE("another"));
	}
	struct etag etag = etag_of(SLICE("another"));
	struct cache_condition same = {.kind = CONDITION_MATCH, .etags = &etag, .etag_count = 1};
	if (f->bits & BACKEND_CONDITIONS)
		cr_expect_eq(set_if(f, SLICE("k"), SLICE("plain"), same), CACHE_OK,
			     "conditions are about what it decodes to");
	else
		cr_expect_eq(set(f, SLICE("k"), SLICE("plain")), CACHE_OK);
	cr_expect(holds(f, SLICE("k"), SLICE("plain")));
	free_bytes(small);
	free_bytes(larger);
}

CONTRACT_TEST_OF(BACKEND_STATS, encoded, values_count_as_kept)
{
	struct slice bytes = frame(90, 3);
	struct cache_item item = encoded(SLICE("k"), bytes, DECODED);

	cr_assert_eq(set_item(f, NS, &item), CACHE_OK);
	cr_expect_eq(stats(f).total_size_bytes, 90);
	cr_expect_eq(stats(f).used_bytes, cache_used_bytes(1, HEAD.len, 90));
	free_bytes(bytes);
}
