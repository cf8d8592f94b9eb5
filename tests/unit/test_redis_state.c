/* What the redis backend keeps beside the server: uses that are not told yet, the server's clock,
 * the layout of values. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "backends/redis/clock.h"
#include "backends/redis/uses.h"
#include "backends/redis/value.h"

static void add(struct redis_uses *uses, const char *key, int64_t now_us)
{
	redis_uses_add(uses, slice_of(key), now_us);
}

/* The oldest first: "b2 a1 " for two uses of b, then one of a. */
static const char *told(const struct redis_uses *uses)
{
	static char text[256];

	text[0] = '\0';
	for (const struct redis_use *use = uses->oldest; use; use = use->newer)
		(void)sprintf(text + strlen(text), "%.*s%d ", (int)use->key_len, use->key,
			      (int)use->count);
	return text;
}

Test(redis_uses, are_in_the_order_of_the_last)
{
	struct redis_uses uses = {0};

	cr_expect(redis_uses_are_none(&uses));
	add(&uses, "a", 1);
	add(&uses, "b", 2);
	add(&uses, "", 3);
	add(&uses, "a", 4);
	cr_expect_str_eq(told(&uses), "b1 1 a2 ");
	cr_expect_eq(uses.newest->last_us, 4);
	redis_uses_deinit(&uses);
	cr_expect(redis_uses_are_none(&uses));
}

Test(redis_uses, are_taken_from_the_oldest_and_put_back_in_front)
{
	struct redis_uses uses = {.hits = 3, .misses = 2, .stale_hits = 1};
	struct redis_uses taken;

	add(&uses, "a", 1);
	add(&uses, "b", 2);
	add(&uses, "c", 3);
	redis_uses_take(&uses, &taken, 2);
	cr_expect_str_eq(told(&taken), "a1 b1 ");
	cr_expect_eq(taken.hits, 3);
	cr_expect_eq(uses.hits, 0);
	cr_expect_str_eq(told(&uses), "c1 ");

	add(&uses, "b", 4);
	redis_uses_put_back(&uses, &taken);
	cr_expect_str_eq(told(&uses), "a1 c1 b2 ");
	cr_expect_eq(uses.oldest->last_us, 1);
	cr_expect_eq(uses.newest->last_us, 4);
	cr_expect_eq(uses.hits + uses.misses + uses.stale_hits, 6);
	cr_expect_eq(uses.count, 3);
	cr_expect(redis_uses_are_none(&taken));

	redis_uses_take(&uses, &taken, 100);
	cr_expect(redis_uses_are_none(&uses));
	redis_uses_deinit(&taken);
	redis_uses_deinit(&uses);
}

Test(redis_clock, keeps_the_best_that_it_was_told)
{
	struct redis_clock clock = {0};

	cr_expect_eq(redis_clock_there_us(&clock, 5), 0);
	cr_expect_not(redis_clock_is_fresh(&clock, 5));
	redis_clock_learn(&clock, 1000000, 100, 300);
	cr_expect_eq(redis_clock_there_us(&clock, 200), 1000000);
	/* A slow answer tells less than is known. */
	redis_clock_learn(&clock, 1005000, 400, 9400);
	cr_expect_eq(redis_clock_there_us(&clock, 200), 1000000);
	cr_expect(redis_clock_is_fresh(&clock, 9400));
	/* A quick one tells more. */
	redis_clock_learn(&clock, 1019850, 20000, 20020);
	cr_expect_eq(redis_clock_there_us(&clock, 20010), 1019850);
	cr_expect_not(redis_clock_is_fresh(&clock, 10000000));
}

Test(redis_clock, believes_that_the_server_was_set)
{
	struct redis_clock clock = {0};

	redis_clock_learn(&clock, 5000000, 0, 10);
	redis_clock_learn(&clock, 1000000, 1000, 2000);
	cr_expect_eq(redis_clock_there_us(&clock, 1500), 1000000);
}

Test(redis_value, is_read_as_it_is_written)
{
	struct cache_value *value = cache_value_copy(SLICE("bytes"), SLICE("text/x"));
	char text[REDIS_HEADER_MAX_LEN + 5] = {0};
	struct redis_times times = {.modified_at_us = 7, .expires_at_us = 256};
	struct redis_value found;
	size_t len = redis_value_write_header(value, &times, 5, text);

	memcpy(text + len, "bytes", 5);
	len += 5;
	cr_assert(redis_value_read((struct slice){.data = text, .len = len}, &found));
	struct cache_value *copy = redis_value_copy(&found);
	cr_expect(slice_equal(cache_value_bytes(copy), SLICE("bytes")));
	cr_expect_str_eq(cache_value_content_type(copy), "text/x");
	cr_expect(etag_equal(&copy->etag, &value->etag));
	cr_expect_eq(copy->flags, value->flags);
	cr_expect_eq(copy->modified_at_us, 7);
	cr_expect_eq(copy->expires_at_us, 256);
	for (size_t cut = 0; cut < len - 5; cut++)
		cr_expect_not(redis_value_read((struct slice){.data = text, .len = cut}, &found));
	cache_value_release(copy);
	cache_value_release(value);
}

/* With a long head, or compressed: an older server sees a reference, and refuses it. */
Test(redis_value, of_the_later_form_is_read_as_it_is_written)
{
	static char room[VALUE_HEAD_MAX_LEN];
	static const uint8_t flags[] = {0, CACHE_VALUE_UTF8, CACHE_VALUE_ZSTD,
					CACHE_VALUE_ZSTD | CACHE_VALUE_REFERENCE,
					CACHE_VALUE_REFERENCE};
	static const size_t lengths[] = {20, 255, 256, 1500};

	memset(room, 'h', sizeof(room));
	memcpy(room, "a/b\nX-Meta-a: ", 14);
	for (size_t i = 0; i < 4 * sizeof(flags); i++) {
		struct slice head = {room, lengths[i / sizeof(flags)]};
		struct cache_value *value = cache_value_copy(SLICE("bytes"), head);
		char text[REDIS_HEADER_MAX_LEN + 5];
		struct redis_times times = {.modified_at_us = 7, .expires_at_us = 256};
		struct redis_value found;

		value->flags = flags[i % sizeof(flags)];
		size_t len = redis_value_write_header(value, &times, 5, text);
		memcpy(text + len, "bytes", 5);
		len += 5;
		bool is_later = head.len > 255 || (value->flags & CACHE_VALUE_ZSTD);
		cr_expect_eq((text[40] & 0x24) == 0x24, is_later, "%zu", i);
		cr_assert(redis_value_read((struct slice){.data = text, .len = len}, &found));
		struct cache_value *copy = redis_value_copy(&found);
		cr_expect(slice_equal(cache_value_bytes(copy), SLICE("bytes")), "%zu", i);
		cr_expect(slice_equal(cache_value_head(copy), head), "%zu", i);
		cr_expect_eq(copy->flags, value->flags, "%zu", i);
		for (size_t cut = 0; cut < len - 5; cut++)
			cr_expect_not(
				redis_value_read((struct slice){.data = text, .len = cut}, &found));
		cache_value_release(copy);
		cache_value_release(value);
	}
}

Test(redis_value, a_moment_that_is_near_is_taken)
{
	cr_expect_eq(redis_value_moment_us(999950, 1000000), 999950);
	cr_expect_eq(redis_value_moment_us(1050000, 1000000), 1050000);
	cr_expect_eq(redis_value_moment_us(0, 1000000), 1000000);
	cr_expect_eq(redis_value_moment_us(1200000, 1000000), 1000000);
}

Test(redis_value, heads_have_one_length)
{
	char text[59] = {[3] = 3, [10] = 4, [17] = 5, [18] = 6, [34] = 8};
	struct redis_head head;

	cr_assert(redis_value_read_head((struct slice){.data = text, .len = 58}, &head));
	cr_expect_eq(head.frequency, 3);
	cr_expect_eq(head.last_access_us, 4);
	cr_expect_eq(head.created_at_us, 5);
	cr_expect_eq(head.expires_at_us, 6);
	cr_expect_eq(head.size_bytes, 8);
	cr_expect_not(redis_value_read_head((struct slice){.data = text, .len = 57}, &head));
	cr_expect_not(redis_value_read_head((struct slice){.data = text, .len = 59}, &head));
}
